"""What the demo makes of order lines: figures with claims, and why units were oversold."""

from datetime import UTC, datetime

import pytest

from services.cli.demo.figures import Figures
from services.cli.demo.market import SHOPS, environment_of, make_shops
from services.cli.demo.overselling import Overselling
from services.cli.demo.propagation import Propagation
from shared.contracts.accounts import MovementType
from shared.contracts.allocations import Allocated, Allocation
from shared.contracts.movements import StockMovement

AT = datetime(2026, 1, 1, tzinfo=UTC)
SECOND_US = 1_000_000


def a_line(
    version: int = 1, *, line: str = "1", wanted: int = 1, short: int = 0,
    places: dict[str, int] | None = None, short_at: str | None = "a",
) -> Allocation:  # fmt: skip
    """The ledger's word on a line of order o-1."""
    return Allocation(
        order_id="o-1", line_id=line, version=version, decided_for=1, sku="x", wanted=wanted,
        short=short, short_at=short_at, recorded_at=AT,
        allocated=tuple(
            Allocated(location=n, quantity=q) for n, q in (places or {}).items()
        ),
    )  # fmt: skip


def figures(**on_hand: int) -> Figures:
    """Figures over shelves of SKU x."""
    found = Figures()
    found.open_with({("x", location): units for location, units in on_hand.items()})
    return found


def test_a_claim_lowers_the_figure_and_its_end_raises_it_again() -> None:
    found = figures(a=9)

    assert found.claim(a_line(1, places={"a": 2})) == (6, 4)
    assert found.claim(a_line(2)) == (4, 6)


def test_an_older_word_on_a_line_changes_nothing() -> None:
    found = figures(a=9)
    found.claim(a_line(2, places={"a": 2}))

    assert found.claim(a_line(1)) == (4, 4)


def test_a_line_without_a_place_is_taken_from_the_pool() -> None:
    found = figures(a=9)

    assert found.claim(a_line(wanted=3, short=3, short_at=None)) == (6, 3)


def test_a_parcel_changes_nothing_once_its_claim_has_ended() -> None:
    found = figures(a=9)
    found.claim(a_line(1, places={"a": 2}))
    pick = StockMovement(type=MovementType.PICK, sku="x", location="a", quantity=2, occurred_at=AT)

    assert found.move(pick) == (4, 2)
    assert found.claim(a_line(2)) == (2, 4)


@pytest.mark.parametrize(
    ("free", "sold_before", "claimed_before", "cause"),
    [
        pytest.param({"a": 1, "b": 1}, None, None, "several places", id="it_lies_apart"),
        pytest.param({"a": 0}, 1, 2, "a till had sold it 1.0 s before", id="a_till_was_faster"),
        pytest.param({"a": 0}, 60, 2, "another order had taken it 2.0 s", id="an_order_was"),
        pytest.param({"a": 0}, 60, None, "a figure came late", id="nobody_was"),
    ],
)
def test_each_oversold_unit_has_its_cause(
    free: dict[str, int], sold_before: int | None, claimed_before: int | None, cause: str
) -> None:
    overselling, now = Overselling(), 100 * SECOND_US
    if sold_before is not None:
        overselling.sold("x", now - sold_before * SECOND_US)
    if claimed_before is not None:
        overselling.answered(a_line(line="0"), {}, now - claimed_before * SECOND_US)

    overselling.answered(a_line(wanted=2, short=2), free, now)

    assert overselling.units == 2
    assert cause in overselling.causes()[0]


def test_what_was_served_is_ordered_and_not_oversold() -> None:
    overselling = Overselling()

    overselling.answered(a_line(wanted=3, places={"a": 3}), {"a": 5}, 0)

    assert (overselling.ordered_units, overselling.units) == (3, 0)


def test_an_orders_outcome_is_a_state_and_no_measured_event() -> None:
    tracker = Propagation()
    tracker.event("x", 1_000_000, before=5, after=4, is_measured=False)
    tracker.event("x", 1_010_000, before=4, after=3)

    tracker.call("x", 1_030_000, 3)

    assert tracker.measured_us == [20_000]


async def test_every_shop_tells_us_of_orders_by_exactly_one_road() -> None:
    shops = make_shops()

    told = environment_of(shops)

    assert set(shops) == set(SHOPS)
    for channel, shop in shops.items():
        assert (shop.webhooks() is None) != (shop.polling() is None)
        assert channel in told["STOCKTIDE_PUBLICATION_CHANNELS"]
        await shop.close()
