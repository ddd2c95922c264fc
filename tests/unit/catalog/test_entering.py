"""What may enter the referential."""

from datetime import UTC, datetime

import pytest

from services.catalog.domain.entering import (
    Claim,
    Dated,
    Entering,
    Fate,
    Reason,
    Version,
    admit,
    contradictions,
    enter,
    in_force,
    is_news,
)
from shared.stock.policies import Policy, Scope, Term

MARCH, APRIL, MAY = (datetime(2026, month, 1, tzinfo=UTC) for month in (3, 4, 5))


def version(revision: int | None, content: bytes = b"a") -> Version:
    return Version(revision=revision, content=content)


@pytest.mark.parametrize(
    ("told", "kept", "found"),
    [
        pytest.param(version(None), None, Entering(fate=Fate.NEW, revision=0), id="new"),
        pytest.param(version(7), None, Entering(fate=Fate.NEW, revision=7), id="new_with_revision"),
        pytest.param(
            version(None), version(4), Entering(fate=Fate.UNCHANGED, revision=4), id="unchanged"
        ),
        pytest.param(
            version(1), version(4), Entering(fate=Fate.UNCHANGED, revision=4),
            id="the_same_content_is_no_news_whatever_its_revision",
        ),
        pytest.param(
            version(None, b"b"), version(4), Entering(fate=Fate.CHANGED, revision=5),
            id="a_file_without_revisions_takes_the_next",
        ),
        pytest.param(
            version(9, b"b"), version(4), Entering(fate=Fate.CHANGED, revision=9),
            id="a_higher_revision_changes",
        ),
        pytest.param(
            version(4, b"b"), version(4), Reason.REVISION_TOO_LOW,
            id="other_content_needs_a_higher_revision",
        ),
        pytest.param(
            version(3, b"b"), version(4), Reason.REVISION_TOO_LOW, id="a_lower_one_is_refused"
        ),
    ],
)  # fmt: skip
def test_a_files_record_is_news_or_not(
    told: Version, kept: Version | None, found: Entering | Reason
) -> None:
    assert enter(told, kept) == found


@pytest.mark.parametrize(
    ("told", "kept", "expected"),
    [
        (version(0), None, True),
        (version(0), version(0), False),
        (version(0, b"b"), version(0), True),
        (version(0, b"b"), version(1), False),
        (version(2), version(1), True),
    ],
)
def test_of_messages_the_highest_revision_counts(
    told: Version, kept: Version | None, *, expected: bool
) -> None:
    assert is_news(told, kept) is expected


def claim(
    record_id: str, sku: str = "S1", units: int = 1, begins: datetime | None = None,
    ends: datetime | None = None,
) -> Claim:  # fmt: skip
    return Claim(record_id=record_id, sku=sku, units=units, begins=begins, ends=ends)


@pytest.mark.parametrize(
    ("other", "is_contradiction"),
    [
        pytest.param(claim("b", "S2"), True, id="another_sku_at_the_same_time"),
        pytest.param(claim("b", units=6), True, id="other_units_at_the_same_time"),
        pytest.param(claim("b"), False, id="the_same_said_twice_does_no_harm"),
        pytest.param(claim("b", "S2", begins=MAY), False, id="from_when_ours_has_ended"),
        pytest.param(claim("b", "S2", ends=MARCH), False, id="until_ours_begins"),
        pytest.param(claim("b", "S2", begins=APRIL), True, id="from_the_middle_of_ours"),
        pytest.param(claim("a", "S2"), False, id="the_same_record_replaces_itself"),
    ],
)
def test_a_code_says_one_thing_at_a_time(other: Claim, *, is_contradiction: bool) -> None:
    ours = claim("a", begins=MARCH, ends=MAY)

    assert bool(contradictions(ours, [other])) is is_contradiction


def policy(policy_id: str, *, sku: str | None = None, **overrides: object) -> Policy:
    told: dict[str, object] = {"term": Term.CHANNEL_BUFFER, "value": 2, "scope": Scope(sku=sku)}
    return Policy(policy_id=policy_id, **(told | overrides))  # type: ignore[arg-type]  # a builder's overrides


def test_a_policy_that_ties_stays_out_and_names_its_rival() -> None:
    first, second, other = policy("p1"), policy("p2"), policy("p3", sku="S1")

    admitted, tied = admit([first, second, other], {})

    assert admitted == [first, other]
    assert tied == [(second, [first])]


def test_a_policy_that_moves_out_of_the_way_lets_its_rival_in() -> None:
    kept = {"p1": policy("p1")}

    admitted, tied = admit([policy("p1", ends=APRIL), policy("p2", begins=APRIL)], kept)

    assert [one.policy_id for one in admitted] == ["p1", "p2"]
    assert tied == []


def test_of_overlapping_records_of_a_thing_the_one_that_began_last_holds() -> None:
    always = Dated(record_id="a", begins=None, ends=None, is_deleted=False)
    since_march = Dated(record_id="b", begins=MARCH, ends=MAY, is_deleted=False)
    taken_back = Dated(record_id="c", begins=MARCH, ends=None, is_deleted=True)

    held = [in_force([since_march, always, taken_back], at) for at in (APRIL, MAY)]

    assert held == [since_march, always]


def test_nothing_holds_before_everything_begins() -> None:
    records = [Dated(record_id="b", begins=APRIL, ends=None, is_deleted=False)]

    assert in_force(records, MARCH) is None
