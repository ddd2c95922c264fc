"""What a line wants, and the commands that follow: the rules in order of precedence."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from services.orders.domain.folding import Order, OrderState
from services.orders.domain.outcomes import Outcome, Standing, standing
from services.orders.domain.references import ChannelTerms, Sold, record_at
from services.orders.domain.sourcing import PoolOrder
from services.orders.domain.wishing import (
    WANTED_MAX,
    Command,
    Decision,
    Known,
    Resting,
    Rests,
    Waiting,
    Waits,
    Wish,
    decide,
    follow,
)
from tests.unit.orders.builders import NINE, a_line, a_wish, an_order, known

BY_LISTING = a_line(sku=None, listing="A1")
SIX = Sold(sku="S2", units=6)


def decided(
    order: Order,
    facts: Known,
    commands: dict[str, Command] | None = None,
    outcome: Outcome | None = None,
) -> Decision:
    """What line 1 of the order wants."""
    return decide(
        order, order.lines["1"], facts, PoolOrder(),
        ordered_at=NINE, commands=commands or {}, outcome=outcome,
    )  # fmt: skip


def an_outcome(**overrides: int) -> Outcome:
    """The ledger's answer to revision 5: two units, served."""
    told = {"version": 1, "decided_for": 5, "wanted": 2, "shipped": 0, "short": 0} | overrides
    return Outcome(short_at=None, **told)


@pytest.mark.parametrize(
    ("order", "facts", "reason"),
    [
        pytest.param(
            an_order(a_line(fulfilled_by="supplier", cancelled=2)), known(), Rests.NOT_OURS,
            id="a_line_that_others_fulfil",
        ),
        pytest.param(
            an_order(BY_LISTING), known(sold=replace(SIX, fulfilled_by="channel"), channel=None),
            Rests.NOT_OURS, id="a_listing_that_the_channel_fulfils",
        ),
        pytest.param(
            an_order(state=OrderState.CANCELLED), known(channel=None), Rests.NOTHING_LEFT,
            id="a_cancel_waits_for_nothing",
        ),
        pytest.param(
            an_order(state=OrderState.PENDING_ACCEPTANCE), known(), Rests.NOT_YET_HELD,
            id="before_stock_is_held",
        ),
        pytest.param(an_order(BY_LISTING), known(channel=None), Waits.UNKNOWN_CHANNEL,
                     id="channel_before_listing"),
        pytest.param(an_order(BY_LISTING), known(skus=frozenset()), Waits.UNKNOWN_LISTING,
                     id="listing_before_sku"),
        pytest.param(an_order(), known(skus=frozenset({"S2"})), Waits.UNKNOWN_SKU,
                     id="sku"),
        pytest.param(
            an_order(replace(BY_LISTING, quantity=WANTED_MAX)), known(sold=SIX),
            Waits.QUANTITY_TOO_LARGE, id="more_than_a_contract_holds",
        ),
    ],
)  # fmt: skip
def test_reasons_in_order_of_precedence(order: Order, facts: Known, reason: Rests | Waits) -> None:
    found = decided(order, facts)

    assert isinstance(found, Resting | Waiting)
    assert found.reason is reason


def test_every_reason_is_in_the_table() -> None:
    table = test_reasons_in_order_of_precedence.pytestmark[0].args[1]  # type: ignore[attr-defined]  # pytest's mark

    assert {row.values[2] for row in table} == {*Rests, *Waits}


def test_a_listing_is_counted_in_base_units() -> None:
    assert decided(an_order(BY_LISTING), known(sold=SIX)) == a_wish(sku="S2", wanted=12)


def test_a_channel_may_hold_stock_from_its_first_state() -> None:
    terms = ChannelTerms(pool=("L1", "L2"), holds_from=OrderState.PENDING_PAYMENT)

    found = decided(an_order(state=OrderState.PENDING_PAYMENT), known(channel=terms))

    assert found == a_wish()


SENT = {"S1": Command(revision=5, wish=a_wish(candidates=("L8", "L9")))}


@pytest.mark.parametrize(
    ("line", "outcome", "candidates"),
    [
        pytest.param(a_line(), an_outcome(), ("L8", "L9"), id="served"),
        pytest.param(a_line(cancelled=1), an_outcome(), ("L8", "L9"), id="served_and_less"),
        pytest.param(a_line(quantity=3), an_outcome(), ("L1", "L2"), id="more_than_was_served"),
        pytest.param(a_line(), an_outcome(short=1), ("L1", "L2"), id="short"),
        pytest.param(a_line(), an_outcome(decided_for=4), ("L1", "L2"), id="not_answered"),
        pytest.param(a_line(), None, ("L1", "L2"), id="never_answered"),
        pytest.param(a_line(fulfil_from="L7"), an_outcome(), ("L7",), id="a_new_choice"),
        pytest.param(a_line(shorts={"L9": NINE}), an_outcome(), ("L1", "L2"), id="looked_in_vain"),
    ],
)
def test_only_a_served_line_keeps_its_places(
    line: object, outcome: Outcome | None, candidates: tuple[str, ...]
) -> None:
    found = decided(an_order(line), known(), SENT, outcome)  # type: ignore[arg-type]  # a line

    assert isinstance(found, Wish)
    assert found.candidates == candidates


def test_a_pool_names_each_place_once_and_none_that_looked_in_vain() -> None:
    terms = ChannelTerms(pool=("L1", "L2", "L1", "L3"))

    found = decided(
        an_order(a_line(fulfil_from="L2", shorts={"L2": NINE, "L3": NINE})), known(channel=terms)
    )

    assert isinstance(found, Wish)
    assert found.candidates == ("L1",)


@pytest.mark.parametrize(
    ("before", "decision", "expected"),
    [
        pytest.param({}, a_wish(), [(100, "S1", 2, False)], id="first"),
        pytest.param(
            {"S1": Command(revision=5, wish=a_wish())}, a_wish(), [], id="nothing_changed"
        ),
        pytest.param(
            {"S1": Command(revision=200, wish=a_wish())}, a_wish(wanted=1),
            [(201, "S1", 1, False)], id="above_the_last_even_if_the_clock_is_behind",
        ),
        pytest.param(
            {"S1": Command(revision=5, wish=a_wish())}, Resting(reason=Rests.NOTHING_LEFT),
            [(100, "S1", 0, False)], id="brought_to_nothing",
        ),
        pytest.param({}, Resting(reason=Rests.NOT_OURS), [], id="nothing_was_ever_wanted"),
        pytest.param(
            {"S1": Command(revision=5, wish=a_wish())},
            Waiting(reason=Waits.UNKNOWN_LISTING), [], id="the_last_wish_stands",
        ),
        pytest.param(
            {"S1": Command(revision=5, wish=a_wish())}, a_wish(sku="S2"),
            [(100, "S1", 0, True), (101, "S2", 2, False)], id="another_sku",
        ),
        pytest.param(
            {
                "S1": Command(revision=5, wish=a_wish(wanted=0), closed=True),
                "S2": Command(revision=6, wish=a_wish(sku="S2")),
            },
            a_wish(), [(100, "S2", 0, True), (101, "S1", 2, False)], id="back_again",
        ),
        pytest.param(
            {"S1": Command(revision=5, wish=a_wish(wanted=0))}, a_wish(sku="S2"),
            [(100, "S2", 2, False)], id="what_wants_nothing_needs_no_close",
        ),
    ],
)  # fmt: skip
def test_commands_follow_decisions(
    before: dict[str, Command], decision: Decision, expected: list[tuple[int, str, int, bool]]
) -> None:
    commands = follow(before, decision, at_us=100)

    assert [(c.revision, c.wish.sku, c.wish.wanted, c.closed) for c in commands] == expected


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (None, Standing.UNANSWERED),
        (an_outcome(decided_for=4), Standing.UNANSWERED),
        (an_outcome(short=1), Standing.UNSOURCED),
        (replace(an_outcome(short=1), short_at="L1"), Standing.SHORT),
        (an_outcome(), Standing.ALLOCATED),
        (an_outcome(shipped=2), Standing.SHIPPED),
        (an_outcome(wanted=0), Standing.RELEASED),
    ],
)
def test_a_line_stands(outcome: Outcome | None, expected: Standing) -> None:
    assert standing(5, outcome) is expected


def a_record(name: str, since: int | None, until: int | None) -> Sold:
    """A record named by its SKU, from and until hours after nine."""
    hours = [None if at is None else NINE + timedelta(hours=at) for at in (since, until)]
    return Sold(sku=name, since=hours[0], until=hours[1])


@pytest.mark.parametrize(
    ("hour", "expected"),
    [
        pytest.param(-1, "always", id="before_the_dated_one"),
        pytest.param(1, "dated", id="in_force"),
        pytest.param(2, "always", id="from_until_on_it_holds_no_longer"),
    ],
)
def test_the_record_in_force_counts(hour: int, expected: str) -> None:
    records = [a_record("dated", 0, 2), a_record("always", None, None)]

    found = record_at(records, NINE + timedelta(hours=hour))

    assert found is not None
    assert found.sku == expected


@pytest.mark.parametrize(("hour", "expected"), [(-1, "first"), (1, "first"), (3, "second")])
def test_what_has_ended_stays_known_and_what_begins_later_is_known_already(
    hour: int, expected: str
) -> None:
    records = [a_record("second", 2, 3), a_record("first", 0, 1)]

    found = record_at(records, NINE + timedelta(hours=hour))

    assert found is not None
    assert found.sku == expected


def test_no_record_is_nothing() -> None:
    assert record_at([], NINE) is None


@pytest.mark.parametrize(
    ("method", "may_split"),
    [
        pytest.param(None, True, id="a_channel_that_names_no_method_sends"),
        pytest.param("home", True, id="two_parcels_may_come_home"),
        pytest.param("collect", False, id="nobody_collects_at_two_places"),
        pytest.param("locker", False, id="nor_from_two_lockers"),
    ],
)
def test_a_line_of_the_pool_is_split_unless_it_is_collected(
    method: str | None, may_split: bool
) -> None:
    wish = decided(an_order(a_line(method=method)), known())

    assert isinstance(wish, Wish)
    assert wish.may_split is may_split


SHORTS = {"L1": NINE}


@pytest.mark.parametrize(
    ("before", "decision", "expected"),
    [
        pytest.param(
            {"S1": Command(revision=5, wish=a_wish())}, a_wish(shorts=SHORTS),
            [("S1", 2, SHORTS)], id="looked_for_in_vain",
        ),
        pytest.param(
            {"S1": Command(revision=5, wish=a_wish())},
            Resting(reason=Rests.NOTHING_LEFT, shorts=SHORTS),
            [("S1", 0, SHORTS)], id="cancelled_because_of_it",
        ),
        pytest.param(
            {"S1": Command(revision=5, wish=a_wish(wanted=0))},
            Resting(reason=Rests.NOTHING_LEFT, shorts=SHORTS),
            [("S1", 0, SHORTS)], id="cancelled_before_it_was_told",
        ),
        pytest.param(
            {"S1": Command(revision=5, wish=a_wish(wanted=0, shorts=SHORTS))},
            Resting(reason=Rests.NOTHING_LEFT, shorts=SHORTS), [], id="told_already",
        ),
        pytest.param(
            {"S1": Command(revision=5, wish=a_wish(shorts=SHORTS))}, a_wish(sku="S2"),
            [("S1", 0, SHORTS), ("S2", 2, {})], id="of_the_sku_before",
        ),
    ],
)  # fmt: skip
def test_commands_tell_where_the_goods_were_looked_for_in_vain(
    before: dict[str, Command],
    decision: Decision,
    expected: list[tuple[str, int, dict[str, datetime]]],
) -> None:
    commands = follow(before, decision, at_us=100)

    assert [(c.wish.sku, c.wish.wanted, c.wish.shorts) for c in commands] == expected


def test_what_one_sku_of_a_line_was_short_of_is_not_told_of_the_one_that_replaces_it() -> None:
    sent = {"S1": Command(revision=5, wish=a_wish(shorts=SHORTS))}
    later = NINE + timedelta(hours=1)

    same = decided(an_order(a_line(sku="S2", shorts=SHORTS)), known(), sent)
    again = decided(an_order(a_line(sku="S2", shorts={"L1": later})), known(), sent)

    assert isinstance(same, Wish)
    assert isinstance(again, Wish)
    assert (same.shorts, again.shorts) == ({}, {"L1": later})
