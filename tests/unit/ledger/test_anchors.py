"""Openings and counts: the pure rules."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from services.ledger.domain.anchors import Anchor, Standing, absorb_late, set_anchor

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def an_id(number: int) -> UUID:
    return UUID(int=number)


def an_anchor(
    number: int = 1, *, type_: str = "count", quantity: int = 8, minutes: int = 0
) -> Anchor:
    return Anchor(
        event_id=an_id(number), type=type_, moment=NOON + timedelta(minutes=minutes),
        quantity=quantity,
    )  # fmt: skip


def derive(anchor: UUID, cause: UUID, moment: datetime) -> UUID:
    return UUID(int=(anchor.int << 64) + cause.int)


def test_a_count_varies_against_the_book_just_before_it() -> None:
    setting = set_anchor(an_anchor(quantity=8), Standing(book=10, at=None, following=None), derive)

    assert [entry.delta for entry in setting.entries] == [-2]
    assert setting.level_delta == -2


def test_an_opening_brings_its_quantity_and_takes_the_book_before_it_out() -> None:
    opening = an_anchor(type_="opening", quantity=20)

    setting = set_anchor(opening, Standing(book=-3, at=None, following=None), derive)

    assert [entry.delta for entry in setting.entries] == [20, 3]
    assert setting.entries[1].restates == opening.event_id
    assert setting.level_delta == 23


@pytest.mark.parametrize(
    ("new", "standing", "variance", "stands"),
    [
        pytest.param(("opening", 4, 5), ("opening", 3, 6), 5, 11, id="two_openings_add_up"),
        pytest.param(("count", 1, 5), ("opening", 3, 6), -1, 5, id="a_count_beats_an_opening"),
        pytest.param(("opening", 9, 5), ("count", 3, 6), 0, 6, id="an_opening_yields_to_a_count"),
        pytest.param(("count", 9, 5), ("count", 3, 6), -1, 5, id="the_higher_id_of_two_counts"),
        pytest.param(("count", 2, 5), ("count", 3, 6), 0, 6, id="the_lower_id_changes_nothing"),
    ],
)
def test_two_anchors_of_one_moment_agree_whatever_their_order(
    new: tuple[str, int, int], standing: tuple[str, int, int], variance: int, stands: int
) -> None:
    arrived = an_anchor(new[1], type_=new[0], quantity=new[2])
    there = an_anchor(standing[1], type_=standing[0], quantity=standing[2])

    setting = set_anchor(arrived, Standing(book=1, at=there, following=None), derive)

    assert setting.level_delta == variance
    assert setting.stands.quantity == stands


def test_an_anchor_before_another_is_absorbed_by_it() -> None:
    later = an_anchor(7, minutes=10)

    setting = set_anchor(an_anchor(quantity=8), Standing(book=10, at=None, following=later), derive)

    assert [(entry.delta, entry.restates) for entry in setting.entries] == [
        (-2, None),
        (2, later.event_id),
    ]
    assert setting.entries[1].occurred_at == later.moment
    assert setting.level_delta == 0


@pytest.mark.parametrize(
    ("following", "delta", "restates", "level_delta"),
    [
        pytest.param(None, -3, None, -3, id="no_anchor_after_it"),
        pytest.param(an_anchor(7, minutes=10), -3, 3, 0, id="the_next_anchor_absorbs_it"),
        pytest.param(an_anchor(7, minutes=10), 0, None, 0, id="nothing_to_absorb"),
    ],
)
def test_a_late_movement_restates_or_moves(
    following: Anchor | None, delta: int, restates: int | None, level_delta: int
) -> None:
    entry, moved = absorb_late(an_id(99), delta, following, derive)

    assert (entry.delta if entry else None) == restates
    assert moved == level_delta
