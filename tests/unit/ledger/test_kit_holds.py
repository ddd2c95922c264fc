"""What a request may have of a kit is what the channel is shown of it."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from services.availability.domain.figures import figures_of
from services.availability.domain.kits import Component, made_up
from services.availability.domain.levels import Level
from services.availability.domain.plans import Plan, plan_for
from services.availability.handlers.translating import policy_of
from services.availability.handlers.translating import reference_of as shown_reference_of
from services.ledger.domain.holds import decide_all
from services.ledger.domain.offers import Stand
from services.ledger.domain.requests import Outcome, Reserve, SkuStock, Wish
from services.ledger.domain.terms import TermBook
from services.ledger.handlers.terming import facts_of, reference_of
from shared.contracts.reference import Channel, Location, Policy, Product
from shared.stock.policies import Product as Asked

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
PER_KIT = {"P": 2, "Q": 1}
PLACES = ("L1", "L2")
SWITCHES = ("closed", "excluded")
BUFFERS = ("location_buffer", "kept_for_store", "short_dated", "channel_buffer")

PLACE_RECORDS = [
    Location.model_validate_json(
        f'{{"kind":"location","location_id":"{name}","location_kind":"store"}}'
    )
    for name in PLACES
]
WEB = Channel.model_validate_json('{"kind":"channel","channel":"web","pool":["L1","L2"]}')
# A kit and its parts at both places: (sellable, held) each.
LEVELS = st.fixed_dictionaries(
    {
        sku: st.dictionaries(
            st.sampled_from(PLACES), st.tuples(st.integers(-2, 9), st.integers(0, 4))
        )
        for sku in ("KIT", "P", "Q")
    }
)
POLICIES = st.lists(
    st.builds(
        lambda number, term, value, sku, location: Policy.model_validate(
            {
                "kind": "policy",
                "policy_id": f"p{number}",
                "term": term,
                "scope": {}
                if term == "channel_buffer"
                else {"location": location} | ({"sku": sku} if sku else {}),
                "value": value % 2 if term in SWITCHES else value,
            }
        ),
        st.integers(0, 50),
        st.sampled_from([*BUFFERS, *SWITCHES]),
        st.integers(0, 3),
        st.sampled_from([None, "KIT", "P", "Q"]),
        st.sampled_from(PLACES),
    ),
    max_size=4,
    unique_by=lambda policy: policy.policy_id,
)
UNSOURCED = st.fixed_dictionaries({sku: st.integers(0, 2) for sku in ("KIT", "P", "Q")})


def a_product(sku: str) -> Product:
    parts = [{"sku": part, "quantity": each} for part, each in PER_KIT.items()]
    kit = tuple(parts) if sku == "KIT" else ()
    return Product.model_validate({"kind": "product", "sku": sku, "kit": kit})


def shown(
    levels: dict[str, dict[str, tuple[int, int]]], unsourced: dict[str, int], found: list[Policy]
) -> int:
    """The kit's figure, as availability computes it."""
    shared = [policy.encode() for policy in found if policy.scope.sku is None]
    told = [record.encode() for record in (*PLACE_RECORDS, WEB)] + shared
    reference = shown_reference_of(told, {"web": 1}, 1)

    def plan(sku: str) -> Plan:
        own = tuple(policy_of(policy) for policy in found if policy.scope.sku == sku)
        return plan_for(reference, Asked(sku=sku), own, NOW)

    def of(sku: str) -> dict[str, Level]:
        return {name: Level(1, *units) for name, units in levels[sku].items()}

    parts = [
        Component(sku, each, of(sku), unsourced[sku], plan(sku)) for sku, each in PER_KIT.items()
    ]
    (figure,) = figures_of(
        of("KIT"), unsourced["KIT"], plan("KIT"), made_up(parts, plan("KIT"))
    )  # fmt: skip
    return figure.available_to_sell


def asked(
    quantity: int,
    levels: dict[str, dict[str, tuple[int, int]]],
    unsourced: dict[str, int],
    found: list[Policy],
    sku: str = "KIT",
) -> Outcome:
    """What a request of the channel gets of what there is."""
    told = [record.encode() for record in (*PLACE_RECORDS, WEB)]
    told += [policy.encode() for policy in found if policy.scope.sku is None]
    stocks = {}
    for number, (name, at) in enumerate(levels.items()):
        own = [policy.encode() for policy in found if policy.scope.sku == name]
        stocks[name] = SkuStock(
            sku_id=number, facts=facts_of(name, 1, [a_product(name).encode(), *own]),
            unsourced=unsourced[name],
            levels={
                place: Stand(number * 10 + int(place[1]), 1, sellable, held, 0)
                for place, (sellable, held) in at.items()
            },
        )  # fmt: skip
    request = Reserve(
        "h", b"", "cart", (Wish(sku, quantity),), channel="web", takes_what_there_is=True
    )
    (outcome,) = decide_all([request], stocks, TermBook(reference_of(1, told), NOW), NOW)
    return outcome


@given(levels=LEVELS, unsourced=UNSOURCED, found=POLICIES)
def test_a_request_may_have_as_many_kits_as_the_channel_is_shown(
    levels: dict[str, dict[str, tuple[int, int]]], unsourced: dict[str, int], found: list[Policy]
) -> None:
    outcome = asked(1000, levels, unsourced, found)

    got = sum(outcome.lines[0].in_kits().values())
    assert got == shown(levels, unsourced, found)


@given(levels=LEVELS, quantity=st.integers(1, 6))
def test_what_is_taken_for_a_kit_was_free_and_is_whole_at_each_place(
    levels: dict[str, dict[str, tuple[int, int]]], quantity: int
) -> None:
    (line,) = asked(quantity, levels, dict.fromkeys(levels, 0), []).lines

    free = {
        (sku, place): max(0, sellable - held)
        for sku, at in levels.items()
        for place, (sellable, held) in at.items()
    }
    taken = {
        (sku, one.location): one.quantity for one, sku in zip(line.taken, line.skus, strict=True)
    }
    assert all(units <= free[key] for key, units in taken.items())
    for place in PLACES:
        kits = {taken.get((sku, place), 0) / each for sku, each in PER_KIT.items()}
        assert len(kits) == 1
        in_all = int(kits.pop()) + taken.get(("KIT", place), 0)
        assert in_all == line.in_kits().get(place, 0)


def test_a_recalled_part_is_in_no_kit() -> None:
    stock = {
        name: SkuStock(
            sku_id=number, levels={"L1": Stand(number, 1, 9, 0, 0)},
            facts=facts_of(name, 1, [
                a_product(name).model_copy(
                    update={"life_cycle": Product.model_validate(
                        {"kind": "product", "sku": "X", "life_cycle": {"recalled": name == "Q"}}
                    ).life_cycle}
                ).encode()
            ]),
        )
        for number, name in enumerate(("P", "Q", "KIT"))
    }  # fmt: skip
    book = TermBook(reference_of(1, [r.encode() for r in (*PLACE_RECORDS, WEB)]), NOW)
    request = Reserve("h", b"", "cart", (Wish("KIT", 10),), "web", takes_what_there_is=True)

    (outcome,) = decide_all([request], stock, book, NOW)

    assert outcome.lines[0].in_kits() == {"L1": 9}
    assert outcome.lines[0].skus == ("KIT",)


def test_a_recall_takes_kits_that_stand_made_up_and_none_of_parts() -> None:
    levels = {"KIT": {"L1": (1, 0)}, "P": {"L1": (9, 0)}, "Q": {"L1": (9, 0)}}
    facts = facts_of("KIT", 1, [a_product("KIT").encode()])
    stocks = {
        name: SkuStock(
            sku_id=number, facts=facts if name == "KIT" else facts_of(name, 1, []),
            levels={"L1": Stand(number, 1, *at["L1"], 0)},
        )
        for number, (name, at) in enumerate(levels.items())
    }  # fmt: skip
    request = Reserve("h", b"", "recall", (Wish("KIT", 3, ("L1",)),), takes_what_there_is=True)

    (outcome,) = decide_all([request], stocks, TermBook(reference_of(1, []), NOW), NOW)

    assert outcome.lines[0].in_kits() == {"L1": 1}
