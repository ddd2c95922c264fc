"""The terms that requests are decided under are the ones that the view is computed under."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from services.availability.domain.levels import Level
from services.availability.domain.plans import offered, plan_for
from services.availability.handlers.translating import reference_of as shown_reference_of
from services.ledger.domain.terms import SkuFacts, TermBook
from services.ledger.handlers.terming import facts_of, reference_of
from shared.contracts.reference import Channel, ChannelKind, Location, Policy, Product
from shared.stock.policies import Product as Asked
from shared.stock.policies import Term

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
TERMS = [
    "location_buffer", "kept_for_store", "silence_buffer", "short_dated", "closed", "excluded",
    "suspended",
]  # fmt: skip

POLICIES = st.lists(
    st.builds(
        lambda number, term, value, scope: Policy.model_validate(
            {"kind": "policy", "policy_id": f"p{number}", "term": term, "scope": scope,
             "value": value % 2 if Term(term) in ("closed", "excluded", "suspended") else value}
        ),
        st.integers(0, 50),
        st.sampled_from(TERMS),
        st.integers(0, 5),
        st.sampled_from(
            [{}, {"category": ("a",)}, {"category": ("a", "b")}, {"segment": "x"},
             {"location": "L1"}, {"country": "FR"}, {"location_group": "g"}, {"channel": "web"},
             {"location": "L2", "channel": "web"}, {"category": ("a",), "location": "L1"}]
        ),
    ),
    max_size=6, unique_by=lambda policy: policy.policy_id,
)  # fmt: skip
CAPABILITIES = st.sampled_from([(), ("ship",), ("collect", "ship"), ("returns",)])


@given(
    found=POLICIES, able=CAPABILITIES, methods=st.sampled_from([(), ("home",), ("collect",)]),
    kind=st.sampled_from(list(ChannelKind)),
)  # fmt: skip
def test_what_a_place_offers_is_what_a_request_may_take(
    found: list[Policy], able: tuple[str, ...], methods: tuple[str, ...], kind: ChannelKind
) -> None:
    records = [
        Location.model_validate_json(
            f'{{"kind":"location","location_id":"{name}","location_kind":"store","country":'
            f'"{country}","group":"g","capabilities":{list(able)}}}'.replace("'", '"')
        )
        for name, country in (("L1", "FR"), ("L2", "DE"))
    ]
    channel = Channel.model_validate_json(
        f'{{"kind":"channel","channel":"web","channel_kind":"{kind.value}",'
        f'"pool":["L1","L2"],"methods":{list(methods)}}}'.replace("'", '"')
    )
    product = Product(kind="product", sku="S1", category=("a", "b"), segment="x")
    told = [record.encode() for record in (*records, channel, *found)]

    plan = plan_for(
        shown_reference_of(told, {"web": 1}, 1), Asked(sku="S1", category=("a", "b"), segment="x"),
        (), NOW,
    )  # fmt: skip
    facts = facts_of("S1", 1, [product.encode()])
    terms = TermBook(reference_of(1, told), NOW).of_channel(
        facts, facts.life_at(NOW), "web", None, NOW
    )

    level = Level(1, 7)
    for name, place in plan.channels[0].places.items():
        mine = terms.places[name]
        takes = 0 if mine.hindrance else max(0, level.free - mine.buffer)
        assert takes == offered(place, level), (name, place, mine)
        assert mine.is_own_till == place.is_own_till


def test_a_skus_own_policies_are_its_own() -> None:
    policy = Policy.model_validate(
        {"kind": "policy", "policy_id": "p", "term": "location_buffer", "value": 4,
         "scope": {"sku": "S1"}}
    )  # fmt: skip
    location = Location.model_validate_json(
        '{"kind":"location","location_id":"L1","location_kind":"store"}'
    )
    book = TermBook(reference_of(1, [location.encode()]), NOW)
    own = facts_of("S1", 1, [policy.encode()])
    other = SkuFacts(sku="S2")

    buffers = [
        book.of_location(facts, facts.life_at(NOW), "L1", NOW).buffer for facts in (own, other, own)
    ]

    assert buffers == [4, 0, 4]
