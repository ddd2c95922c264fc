"""What a record claims, names and is kept as, for every example of the contracts."""

from pathlib import Path

import pytest

import shared.contracts
from services.catalog.handlers.translating import MODELS, references_of, row_of, thing_of
from shared.contracts.dated import Dated
from shared.contracts.topics import REFERENCE_DATA

EXAMPLES = sorted(
    (Path(shared.contracts.__file__).parent / "examples" / REFERENCE_DATA.name).glob("*.json")
)


def a_record(kind: str, content: str) -> Dated:
    """A record of a kind from some of its fields."""
    return MODELS[kind].decode('{"kind": "' + kind + '", ' + content + "}")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_is_kept_as_it_is_told(path: Path) -> None:
    record = REFERENCE_DATA.decode(path.read_bytes())
    assert isinstance(record, Dated), record

    row = row_of(record)

    assert row.record_id.startswith(row.thing)
    assert REFERENCE_DATA.decode(row.record.encode()) == record
    assert {kind for _, kind, _ in references_of(record)} <= set(MODELS)


def test_a_revision_is_no_content() -> None:
    first, second, third = (
        row_of(a_record("product", told))
        for told in ('"sku": "S1"', '"sku": "S1", "revision": 4', '"sku": "S1", "name": "x"')
    )

    assert first.content == second.content != third.content


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        pytest.param(
            ("identifier", '"scheme": "gtin", "code": "1", "sku": "S1"'),
            ("identifier", '"scheme": "gtin", "code": "1", "sku": "S2", '
             '"from": "2026-03-01T00:00:00Z"'), True, id="one_code_at_two_dates",
        ),
        pytest.param(
            ("identifier", '"scheme": "supplier", "code": "1", "sku": "S1", "issuer": "a"'),
            ("identifier", '"scheme": "supplier", "code": "1", "sku": "S1", "issuer": "b"'),
            False, id="a_code_of_two_issuers",
        ),
        pytest.param(
            ("policy", '"policy_id": "a", "term": "closed", "value": 1'),
            ("policy", '"policy_id": "b", "term": "closed", "value": 0'), True,
            id="two_policies_of_one_term_and_scope",
        ),
        pytest.param(
            ("policy", '"policy_id": "a", "term": "closed", "value": 1'),
            ("policy", '"policy_id": "b", "term": "closed", "value": 1, "scope": {"sku": "S1"}'),
            False, id="two_scopes",
        ),
    ],
)  # fmt: skip
def test_a_claim_is_what_one_record_may_say(
    one: tuple[str, str], other: tuple[str, str], *, is_same: bool
) -> None:
    assert (row_of(a_record(*one)).claim == row_of(a_record(*other)).claim) is is_same


@pytest.mark.parametrize(
    ("kind", "content", "references"),
    [
        ("product", '"sku": "S1", "variant_parent": "P", "life_cycle": {"successor": "N"}, '
         '"kit": [{"sku": "K", "quantity": 1}]',
         {("variant_parent", "product", "P"), ("life_cycle.successor", "product", "N"),
          ("kit.sku", "product", "K")}),
        ("identifier", '"sku": "S1", "scheme": "gtin", "code": "1"', {("sku", "product", "S1")}),
        ("listing", '"sku": "S1", "channel": "web", "listing_id": "L"',
         {("sku", "product", "S1"), ("channel", "channel", "web")}),
        ("assortment", '"sku": "S1", "location": "L1"',
         {("sku", "product", "S1"), ("location", "location", "L1")}),
        ("promotion", '"promotion_id": "p", "skus": ["S1"], "channels": ["web"], '
         '"locations": ["L1"]',
         {("skus", "product", "S1"), ("channels", "channel", "web"),
          ("locations", "location", "L1")}),
        ("policy", '"policy_id": "p", "term": "closed", "value": 1, '
         '"scope": {"sku": "S1", "location": "L1", "channel": "web"}',
         {("scope.sku", "product", "S1"), ("scope.location", "location", "L1"),
          ("scope.channel", "channel", "web")}),
        ("location", '"location_id": "L1", "location_kind": "store", "calendar": "c"',
         {("calendar", "calendar", "c")}),
        ("supplier", '"supplier_id": "a"', set()),
        ("channel", '"channel": "web", "pool": ["L1"], '
         '"location_modes": [{"location": "L2", "mode": "off"}]',
         {("pool", "location", "L1"), ("location_modes.location", "location", "L2")}),
        ("source", '"source_id": "s", "source_kind": "pos", '
         '"rules": [{"location": "L1", "role": "posts"}, {"role": "observes"}]',
         {("rules.location", "location", "L1")}),
        ("calendar", '"calendar_id": "c"', set()),
    ],
)  # fmt: skip
def test_a_record_names_what_somebody_has_to_tell_of(
    kind: str, content: str, references: set[tuple[str, str, str]]
) -> None:
    assert set(references_of(a_record(kind, content))) == references


def test_a_thing_is_named_without_its_date() -> None:
    record = a_record(
        "identifier", '"scheme": "gtin", "code": "1", "sku": "S", "from": "2026-03-01T00:00:00Z"'
    )

    assert (thing_of(record), record.record_id) == ("gtin||1", "gtin||1|2026-03-01T00:00:00+00:00")
