"""Which of a source's rules decides whether its word posts."""

from datetime import UTC, datetime

import pytest

from services.ledger.handlers.roles import record_at, role_of
from shared.contracts.accounts import MovementType
from shared.contracts.partners import Source, SourceKind, SourceRole, SourceRule

POSTS, OBSERVES = SourceRole.POSTS, SourceRole.OBSERVES
SALE, RETURN = MovementType.SALE, MovementType.RETURN


def _source(*rules: SourceRule, role: SourceRole = POSTS) -> Source:
    return Source.model_construct(
        kind="source", source_id="shop", source_kind=SourceKind.SHOP, role=role, rules=rules
    )


@pytest.mark.parametrize("role", [POSTS, OBSERVES])
def test_without_rules_the_source_has_its_own_role(role: SourceRole) -> None:
    source = _source(role=role)

    assert role_of(source, "store-1", SALE) is role


def test_a_rule_for_location_and_type_wins_over_one_for_the_location() -> None:
    both = SourceRule(location="store-1", movement_type=SALE, role=OBSERVES)
    source = _source(both, SourceRule(location="store-1", role=POSTS))

    assert role_of(source, "store-1", SALE) is OBSERVES
    assert role_of(source, "store-1", RETURN) is POSTS


def test_a_rule_for_the_location_wins_over_one_for_the_type() -> None:
    of_type = SourceRule(movement_type=SALE, role=POSTS)
    source = _source(of_type, SourceRule(location="store-1", role=OBSERVES))

    assert role_of(source, "store-1", SALE) is OBSERVES


def test_a_rule_for_the_type_wins_over_the_role_of_the_source() -> None:
    source = _source(SourceRule(movement_type=SALE, role=OBSERVES))

    assert role_of(source, "store-2", SALE) is OBSERVES
    assert role_of(source, "store-2", RETURN) is POSTS


def _told(month: int | None, revision: int = 0, *, deleted: bool = False) -> Source:
    begun = None if month is None else datetime(2026, month, 1, tzinfo=UTC)
    return _source().model_copy(update={"from_": begun, "revision": revision, "deleted": deleted})


def test_the_record_that_began_last_holds() -> None:
    always, june, august = _told(None), _told(6), _told(8)

    found = record_at([august, always, june], datetime(2026, 7, 1, tzinfo=UTC))

    assert found is june


def test_a_record_taken_back_does_not_come_back_by_a_lower_revision() -> None:
    told = [_told(6, 1, deleted=True), _told(6, 0)]

    assert record_at(told, datetime(2026, 7, 1, tzinfo=UTC)) is None
