"""Ring-fences in decisions: no unit of one goes to anybody else, and none of them goes twice."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.ledger.domain.fences import NOBODY, Fence, Whom
from services.ledger.domain.holds import decide_all
from services.ledger.domain.offers import Stand
from services.ledger.domain.refusals import RefusalReason
from services.ledger.domain.requests import Outcome, Reserve, SkuStock
from services.ledger.domain.terms import Channel, Location, Reference, SkuFacts, TermBook
from shared.stock.policies import Place, Policy, Term
from tests.unit.ledger.test_holds import NOW, a_policy, a_request, a_wish, refusals, taken

CHANNELS = ("web", "b2b", "press")


def a_book(*policies: Policy) -> TermBook:
    """Three channels over locations A and B."""
    return TermBook(
        Reference(
            version=1,
            locations={name: [Location(place=Place(location=name))] for name in "AB"},
            channels={name: [Channel(channel=name, pool=("A", "B"))] for name in CHANNELS},
            policies=policies,
        ),
        NOW,
    )


def a_fence(left: int, channel: str = "b2b", *, level: int = 1, number: int = 1) -> Fence:
    whom = Whom(channel=channel)
    return Fence(number, f"f{number}", 0, level, left, NOW + timedelta(hours=1), whom)


def a_stock(*fences: Fence, **free: int) -> SkuStock:
    """`free` units at each location, and besides those that fences hold there."""
    levels = {}
    for level_id, (name, units) in enumerate(free.items(), start=1):
        held = sum(fence.left for fence in fences if fence.level_id == level_id)
        levels[name] = Stand(level_id, 1, held + units, held, 0)
    return SkuStock(sku_id=1, facts=SkuFacts(sku="S"), levels=levels, fences=fences)


def decided(*requests: Reserve, stock: SkuStock, book: TermBook | None = None) -> list[Outcome]:
    requests = tuple(request._replace(whom=Whom(request.channel)) for request in requests)
    return decide_all(requests, {"S": stock}, book or a_book(), NOW)


def test_a_beneficiary_takes_its_fence_first_and_then_what_is_free() -> None:
    stock = a_stock(a_fence(2), A=3)

    (outcome,) = decided(a_request(a_wish(4), channel="b2b"), stock=stock)

    assert taken(outcome) == [{"A": 4}]
    assert [(used.fence.hold_id, used.quantity) for used in outcome.lines[0].uses] == [("f1", 2)]


def test_nobody_else_gets_a_unit_of_a_fence() -> None:
    (outcome,) = decided(a_request(a_wish(4)), stock=a_stock(a_fence(2), A=3))

    assert refusals(outcome) == [(RefusalReason.QUANTITY_EXCEEDS_OFFERED, 4, 3)]


def test_no_buffer_keeps_a_beneficiary_from_its_fence() -> None:
    book = a_book(a_policy(Term.LOCATION_BUFFER, 9), a_policy(Term.CHANNEL_BUFFER, 1))

    held, refused = decided(
        a_request(a_wish(2), channel="b2b"), a_request(a_wish(1), channel="b2b"),
        stock=a_stock(a_fence(3), A=3), book=book,
    )  # fmt: skip

    assert taken(held) == [{"A": 2}]
    assert refusals(refused) == [(RefusalReason.QUANTITY_EXCEEDS_POOL, 1, 0)]


def test_a_fence_whose_time_is_over_is_nobodys() -> None:
    over = a_fence(2)._replace(until=NOW)

    (outcome,) = decided(a_request(a_wish(1), channel="b2b"), stock=a_stock(over, A=0))

    assert refusals(outcome) == [(RefusalReason.QUANTITY_EXCEEDS_OFFERED, 1, 0)]


def test_a_fence_is_not_filled_from_another() -> None:
    request = a_request(a_wish(1), channel="b2b", purpose="ring_fence")

    (outcome,) = decided(request, stock=a_stock(a_fence(2), A=0))

    assert not outcome.is_held


def test_a_beneficiary_is_everything_that_it_names() -> None:
    fence = Whom("b2b", order_id="O1")

    assert fence.may_take_for(Whom("b2b", "c", "O1"))
    assert not fence.may_take_for(Whom("b2b", "c", "O2"))
    assert not fence.may_take_for(Whom("web", "c", "O1"))
    assert not NOBODY.may_take_for(Whom("web"))


REQUESTS = st.lists(
    st.builds(
        lambda channel, quantity, places, partial: a_request(
            a_wish(quantity, *places), channel=channel, takes_what_there_is=partial
        ),
        st.sampled_from(CHANNELS), st.integers(1, 5),
        st.sampled_from([(), ("A",), ("B", "A")]), st.booleans(),
    ),
    max_size=8,
)  # fmt: skip
LEFT = st.tuples(st.sampled_from(CHANNELS), st.integers(1, 4), st.sampled_from([1, 2]))


@given(requests=REQUESTS, left=st.lists(LEFT, max_size=4), a=st.integers(0, 5), b=st.integers(0, 5))
def test_whatever_is_asked_free_units_and_fences_are_each_taken_once(
    requests: list[Reserve], left: list[tuple[str, int, int]], a: int, b: int
) -> None:
    fences = [
        a_fence(units, channel, level=level, number=number)
        for number, (channel, units, level) in enumerate(left, start=1)
    ]

    outcomes = decided(*requests, stock=a_stock(*fences, A=a, B=b))

    free, remaining = {1: a, 2: b}, {fence.number: fence.left for fence in fences}
    for request, outcome in zip(requests, outcomes, strict=True):
        (line,) = outcome.lines
        for used in line.uses:
            assert used.fence.whom.channel == request.channel
            remaining[used.fence.number] -= used.quantity
        for one in line.taken:
            fenced = sum(u.quantity for u in line.uses if u.fence.level_id == one.level_id)
            free[one.level_id] -= one.quantity - fenced
        if line.refusal is not None and not request.wishes[0].locations:
            own = [f.number for f in fences if f.whom.channel == request.channel]
            there = sum(free.values()) + sum(remaining[number] for number in own)
            assert there < request.wishes[0].quantity  # nothing undersold either
    assert min(free.values()) >= 0
    assert min(remaining.values(), default=0) >= 0
