"""The examples of docs/processes, decided by the rules themselves: figures as their tables say."""

import re
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from services.ledger.domain.anchors import Anchor, Standing, set_anchor
from services.ledger.domain.corrections import Content, compensations
from services.ledger.domain.handing_over import HeldPart, handed_over
from services.ledger.domain.lines import Command, Line, Shelves, Took, book_all, consume, want
from services.orders.domain.sourcing import Demand, PoolOrder
from services.orders.handlers.translating import order_of
from shared.contracts.movements import StockMovement
from shared.contracts.orders import Order

PAGES = Path(__file__).parents[3] / "docs" / "processes"
NOW = datetime(2026, 6, 4, 12, tzinfo=UTC)
CENTRAL, STORE = 1, 2  # the levels of SHOE-42 at the two places


def text_of(page: str) -> str:
    return (PAGES / "en" / f"{page}.md").read_text()


def examples(page: str) -> list[str]:
    return re.findall(r"^```json\n(.+)\n```$", text_of(page), re.MULTILINE)


def movement(page: str) -> StockMovement:
    return StockMovement.decode(examples(page)[0])


def figure(page: str, name: str) -> tuple[int, int]:
    """What the page's table says: before, after."""
    found = re.search(rf"^\| {name} \| (-?\d+) \| (-?\d+) \|$", text_of(page), re.MULTILINE)
    assert found is not None, (page, name)
    return int(found[1]), int(found[2])


def a_line(wanted: int, booked: int) -> Line:
    return Line(
        order_line_id=1, wanted=wanted, candidates=(CENTRAL, STORE), booked={CENTRAL: booked},
        revision=1, accepted_at=NOW,
    )  # fmt: skip


@pytest.mark.parametrize("page", ["opening", "count"])
def test_an_anchor_sets_the_level_to_what_its_page_shows(page: str) -> None:
    before, after = figure(page, "sellable")
    told = movement(page)
    anchor = Anchor(
        event_id=UUID(int=1), type=told.type.value, moment=told.occurred_at, quantity=told.quantity
    )

    standing = Standing(book=before, at=None, following=None)
    setting = set_anchor(anchor, standing, lambda *_: UUID(int=2))

    assert before + setting.level_delta == after


def test_a_correction_moves_the_difference_to_what_goods_in_told() -> None:
    first, second = movement("goods-in"), movement("correction")
    assert first.document is not None
    assert second.document == first.document.model_copy(update={"revision": 1})

    (entry,) = compensations(content(first), content(second))

    before, after = figure("correction", "sellable")
    assert figure("goods-in", "sellable")[1] == before
    assert entry.from_level == CENTRAL
    assert before - entry.quantity == after


def test_a_shipment_uses_up_the_lines_allocation() -> None:
    before, after = figure("web-order", "allocated")
    told = movement("web-order")

    line = consume(a_line(before, before), Took.SHIPPED, told.quantity, CENTRAL)

    assert sum(line.booked.values()) == after


def test_a_sale_in_a_holds_name_takes_what_was_held() -> None:
    before, after = figure("hold", "reserved")
    told = movement("hold")
    held = HeldPart(told.hold or "", 1, told.sku, STORE, before)

    taken = handed_over(told.quantity, told.sku, STORE, [held])

    assert before - taken[held.key] == after


def test_a_cancelled_unit_is_free_again() -> None:
    booked_before, booked_after = figure("cancellation", "allocated")
    free_before, free_after = figure("cancellation", "free")
    order = order_of(Order.decode(examples("cancellation")[0]))
    wanted = order.wanted(order.lines["1"])

    line = want(a_line(order.lines["1"].quantity, booked_before), command(wanted, (CENTRAL, STORE)))
    (booked,) = book_all([line], Shelves({CENTRAL: free_before}), NOW)

    assert sum(booked.booked.values()) == booked_after
    assert free_before + booked_before - booked_after == free_after
    assert figure("cancellation", "sellable")[0] - booked_after == free_after


def test_what_was_not_found_is_booked_at_the_next_place_of_the_pool() -> None:
    order = order_of(Order.decode(examples("short")[1]))
    told, levels = order.lines["1"], {"central": CENTRAL, "store-1": STORE}
    demand = Demand(
        sku=told.sku or "", quantity=order.wanted(told), channel=order.channel,
        pool=("central", "store-1"), fulfil_from="central", short_at=told.shorts,
    )  # fmt: skip
    central, store = (
        figure("short", "central, sellable")[1],
        figure("short", "store-1, sellable")[1],
    )
    before = figure("short", "central, allocated")[0]

    candidates = tuple(levels[name] for name in PoolOrder().rank(demand).candidates)
    line = want(a_line(demand.quantity, before), command(demand.quantity, candidates))
    (booked,) = book_all([line], Shelves({CENTRAL: central - before, STORE: store}), NOW)

    assert booked.booked.get(CENTRAL, 0) == figure("short", "central, allocated")[1]
    assert booked.booked.get(STORE, 0) == figure("short", "store-1, allocated")[1]
    assert booked.short == 0


def content(told: StockMovement) -> Content:
    """From outside to the level at central."""
    return Content(told.type.value, told.quantity, None, 9, CENTRAL, 1, told.occurred_at, 1)


def command(wanted: int, candidates: tuple[int, ...]) -> Command:
    return Command(revision=2, wanted=wanted, candidates=candidates, may_split=True)
