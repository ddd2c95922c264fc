"""The demo's own rules: which sales, how much stock, what a shelf gives, how long news takes."""

import json
from io import StringIO
from pathlib import Path

import pyarrow as arrow
import pytest
from rich.console import Console

from services.cli.demo.checker import Verdict
from services.cli.demo.formula import Level, available_to_sell
from services.cli.demo.options import seconds_of
from services.cli.demo.propagation import Latencies, Propagation
from services.cli.demo.report import Report, invariants_of, summary, write_report
from services.cli.demo.sales import Line, select
from services.cli.demo.screen import Picture, Screen
from services.cli.demo.shelves import Replenishment, Shelves
from services.cli.demo.world import CENTRAL, opening_stock, share_out
from services.cli.exits import CommandError
from shared.contracts.accounts import MovementType

NANOSECONDS = 1_000_000_000


def sales_table(*rows: tuple[int, int, int, int, int]) -> arrow.Table:
    """Rows of store, basket, product, quantity, second."""
    stores, baskets, products, quantities, seconds = zip(*rows, strict=True)
    return arrow.table(
        {
            "store_id": stores,
            "basket_id": baskets,
            "product_id": products,
            "quantity": quantities,
            "transaction_timestamp": arrow.array(
                [second * NANOSECONDS for second in seconds], arrow.timestamp("ns")
            ),
        }
    )


PRODUCTS = arrow.table(
    {
        "product_id": [1, 2, 3, 4],
        "department": ["GROCERY", "FUEL", "COUPON", "MISCELLANEOUS"],
        "product_category": ["FRUIT", "FUEL", None, None],
        "product_type": ["APPLES", "GASOLINE-REG UNLEADED", None, "GASOLINE-REG UNLEADED"],
    }
)


def test_fuel_coupons_and_empty_lines_are_left_out() -> None:
    table = sales_table(
        (7, 10, 1, 2, 100), (7, 10, 2, 900, 100), (7, 10, 3, 1, 100), (7, 10, 4, 800, 100),
        (7, 11, 1, 0, 101), (7, 12, 1, -1, 102),
    )  # fmt: skip

    found = select(table, PRODUCTS, stores_max=5, products_max=5)

    assert found.lines == (Line(0, "store-7", 10, "cj-1", 2),)
    assert [(a.sku, a.category) for a in found.articles] == [
        ("cj-1", ("GROCERY", "FRUIT", "APPLES"))
    ]


def test_the_busiest_stores_and_best_sellers_are_chosen_in_order_of_time() -> None:
    table = sales_table(
        (8, 3, 1, 1, 30), (7, 2, 1, 1, 20), (7, 1, 1, 1, 10), (7, 1, 9, 1, 10), (9, 4, 1, 1, 40),
        (8, 5, 9, 1, 50),
    )  # fmt: skip

    found = select(table, PRODUCTS, stores_max=2, products_max=1)

    assert found.stores == ("store-7", "store-8")
    assert [(line.second, line.store) for line in found.lines] == [
        (0, "store-7"), (10, "store-7"), (20, "store-8"),
    ]  # fmt: skip


def test_the_opening_is_half_of_what_will_be_asked_for() -> None:
    span = [Line(0, "a", 1, "x", 6), Line(1, "b", 2, "x", 4), Line(2, "a", 3, "y", 1)]

    opening = opening_stock(span)

    assert sum(n for (sku, _), n in opening.items() if sku == "x") == 5
    assert opening["x", CENTRAL] == 1
    assert opening["x", "a"] > opening["x", "b"]
    assert opening["y", "a"] == 1


def test_units_left_by_rounding_go_to_the_largest_remainders() -> None:
    assert share_out(10, {"a": 1, "b": 1, "c": 1}) == {"a": 4, "b": 3, "c": 3}
    assert share_out(0, {"a": 3}) == {"a": 0}


@pytest.mark.parametrize(
    ("on_hand", "set_aside", "asked", "sold", "lost"),
    [
        pytest.param(5, 0, 2, 2, 0, id="there"),
        pytest.param(1, 0, 2, 1, 1, id="in_part"),
        pytest.param(0, 0, 2, 0, 2, id="empty"),
        pytest.param(3, 2, 2, 1, 1, id="set_aside_for_web_orders"),
        pytest.param(1, 2, 2, 0, 2, id="more_set_aside_than_there"),
    ],
)
def test_a_store_sells_what_lies_there_and_is_not_set_aside(
    on_hand: int, set_aside: int, asked: int, sold: int, lost: int
) -> None:
    shelves = Shelves()
    shelves.on_hand["x", "a"], shelves.set_aside["x", "a"] = on_hand, set_aside

    assert shelves.sell(Line(0, "a", 1, "x", asked)) == sold

    assert shelves.lost_units == lost
    assert shelves.on_hand["x", "a"] == on_hand - sold


def test_supply_moves_units_and_makes_none_but_what_is_received() -> None:
    shelves, supply = Shelves(), Replenishment()
    shelves.on_hand["x", CENTRAL] = 3
    shelves.sell(Line(0, "a", 1, "x", 4))

    first = supply.next_wave(shelves)
    between = shelves.on_hand.total()
    second = supply.next_wave(shelves)

    assert [(m.type, m.units) for m in first] == [
        (MovementType.TRANSFER_DISPATCH, 3), (MovementType.RECEIPT, 1),
    ]  # fmt: skip
    assert between == 1
    assert (MovementType.TRANSFER_RECEIPT, "a", 3) in [
        (m.type, m.location, m.units) for m in second
    ]
    assert shelves.on_hand["x", "a"] == 3


@pytest.mark.parametrize(
    ("levels", "unsourced", "shown"),
    [
        pytest.param([Level(5)], 0, 2, id="both_buffers"),
        pytest.param([Level(3), Level(3)], 0, 2, id="each_place_has_its_buffer"),
        pytest.param([Level(1), Level(4)], 0, 1, id="a_last_unit_stays"),
        pytest.param([Level(-3), Level(9)], 0, 6, id="a_negative_book_counts_nothing"),
        pytest.param([Level(0, 0, 2), Level(9)], 0, 4, id="what_a_place_owes_is_taken_elsewhere"),
        pytest.param([Level(9, 1, 2)], 0, 3, id="holds_and_allocations"),
        pytest.param([Level(9)], 4, 2, id="lines_without_a_place"),
        pytest.param([Level(2)], 0, 0, id="never_below_zero"),
    ],
)
def test_the_formula(levels: list[Level], unsourced: int, shown: int) -> None:
    assert available_to_sell(levels, unsourced) == shown


def test_an_event_is_measured_to_the_first_call_that_shows_it() -> None:
    tracker = Propagation()
    tracker.event("x", 1_000_000, before=5, after=4)
    tracker.event("x", 1_010_000, before=4, after=3)

    tracker.call("x", 1_030_000, 3)
    tracker.event("x", 2_000_000, before=3, after=2)
    tracker.call("x", 2_050_000, 2)

    assert tracker.measured_us == [30_000, 20_000, 50_000]
    assert tracker.open_events == 0


def test_what_was_undone_before_a_call_needs_none() -> None:
    tracker = Propagation()
    tracker.event("x", 1_000_000, before=5, after=4)
    tracker.event("x", 1_010_000, before=4, after=5)
    tracker.event("x", 9_000_000, before=5, after=4)

    tracker.call("x", 9_040_000, 4)

    assert tracker.measured_us == [40_000]
    assert tracker.undone == 2


def test_a_call_tells_nothing_of_what_came_after_it() -> None:
    tracker = Propagation()
    tracker.event("x", 1_000_000, before=5, after=4)
    tracker.event("x", 3_000_000, before=4, after=5)
    tracker.event("x", 4_000_000, before=5, after=4)

    tracker.call("x", 1_020_000, 4)

    assert tracker.measured_us == [20_000]
    assert tracker.open_events == 2


def test_a_state_that_the_shop_showed_before_its_event_was_read_needs_no_call() -> None:
    tracker = Propagation()
    tracker.event("x", 1_000_000, before=5, after=4)
    tracker.call("x", 1_030_000, 3)
    tracker.event("x", 1_040_000, before=4, after=3)
    tracker.event("x", 9_000_000, before=3, after=2)

    tracker.call("x", 9_040_000, 2)

    assert tracker.measured_us == [40_000]
    assert tracker.undone == 2


def test_an_event_that_changes_nothing_shown_is_not_waited_for() -> None:
    tracker = Propagation()

    tracker.event("x", 1_000_000, before=0, after=0)

    assert tracker.open_events == 0
    assert tracker.latencies().p99 is None


def test_quantiles_are_values_that_were_measured() -> None:
    tracker = Propagation()
    tracker.measured_us = [milliseconds * 1000 for milliseconds in range(1, 101)]

    found = tracker.latencies()

    assert (found.count, found.p50, found.p99, found.max) == (100, 50.0, 99.0, 100.0)


@pytest.mark.parametrize(("told", "seconds"), [("60s", 60), ("5m", 300), ("90", 90), ("1h", 3600)])
def test_lengths_of_time(told: str, seconds: float) -> None:
    assert seconds_of(told) == seconds


@pytest.mark.parametrize("told", ["", "s", "-5s", "0", "5 minutes"])
def test_what_is_no_length_of_time(told: str) -> None:
    with pytest.raises(CommandError, match="Write 60s"):
        seconds_of(told)


def test_without_a_terminal_the_screen_is_a_line_every_few_seconds() -> None:
    stream = StringIO()
    screen = Screen(Console(file=stream, force_terminal=False, width=200))

    with screen:
        for seconds in (0.0, 0.4, 4.9, 5.1, 5.5):
            screen.show(a_picture(seconds=seconds))

    lines = stream.getvalue().splitlines()
    assert len(lines) == 2
    assert "12 sales" in lines[0]
    assert "woocommerce 7" in lines[0]


def test_a_report_fails_by_a_single_invariant(tmp_path: Path) -> None:
    verdicts = [Verdict(name="one"), Verdict(name="two", evidence=["x: 1, should be 2"])]
    report = a_report(invariants=invariants_of(verdicts))

    write_report(tmp_path / "r.json", report)
    told = json.loads((tmp_path / "r.json").read_text())

    assert told["invariants"] == {"one": True, "two": False}
    assert not report.all_hold
    assert "x: 1, should be 2" in "\n".join(summary(report, verdicts))


def a_picture(*, seconds: float) -> Picture:
    """The demo at some moment."""
    return Picture(
        seconds=seconds, sales=12, sales_per_second=3.0, movements=12, lost_units=1,
        bought={"woocommerce": 2}, sent_units=1, returns=0,
        published={"woocommerce": 7}, published_per_second=1.0,
        latencies={"woocommerce": Latencies(count=1, p50=10.0, p99=20.0, max=20.0)},
        lowest=[("x", 1)], sold_out=0, refused=0, short_lines=0, parked=0, oversold_units=0,
    )  # fmt: skip


def a_report(*, invariants: dict[str, bool]) -> Report:
    """A run's figures."""
    return Report(
        source="a test", seconds=1.0, start_seconds=1.0, providers={"kafka": "given"}, openings=1,
        movements=1, sales=1, orders=0, returns=0, publications={"woocommerce": 1},
        propagation_ms={"p50": None, "p99": None, "max": None}, propagation_by_channel_ms={},
        ordered_units=0, oversold_units=0, oversold_causes=[], sold_out_listings=0,
        refused_orders=0, short_lines=0, short_picks=0, lost_units=0, parked=0,
        invariants=invariants,
    )  # fmt: skip
