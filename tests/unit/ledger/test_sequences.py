"""Numbers of a source, in any order: which are missing."""

import random
from datetime import UTC, datetime, timedelta

from services.ledger.domain.sequences import (
    BEFORE_FIRST_MAX,
    RANGES_MAX,
    Gap,
    Progress,
    hear,
)

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def gaps(progress: Progress) -> list[tuple[int, int]]:
    return [(gap.first, gap.last) for gap in progress.gaps]


def test_numbers_that_follow_each_other_leave_no_gap() -> None:
    progress = hear(hear(None, [5, 6], NOON), [7], NOON)

    assert (progress.lowest, progress.highest, gaps(progress)) == (5, 7, [])


def test_a_number_too_far_leaves_a_gap_with_its_moment() -> None:
    progress = hear(hear(None, [1], NOON), [4], NOON + timedelta(minutes=1))

    assert progress.gaps == (Gap(first=2, last=3, since=NOON + timedelta(minutes=1)),)


def test_a_number_out_of_order_heals_its_gap_and_the_rest_keeps_its_age() -> None:
    holed = hear(None, [1, 9], NOON)

    progress = hear(holed, [5], NOON + timedelta(hours=1))

    assert progress.gaps == (Gap(first=2, last=4, since=NOON), Gap(first=6, last=8, since=NOON))
    assert gaps(hear(progress, [2, 3, 4, 6, 7, 8], NOON)) == []


def test_a_number_told_again_makes_no_gap() -> None:
    progress = hear(None, [1, 2, 3, 7], NOON)

    assert hear(progress, [2, 3, 3, 7], NOON + timedelta(hours=1)) == progress


def test_numbers_just_before_the_first_one_heard_count_too_but_a_new_count_does_not() -> None:
    progress = hear(None, [20_000], NOON)

    assert gaps(hear(progress, [19_997], NOON)) == [(19_998, 19_999)]
    assert hear(progress, [20_000 - BEFORE_FIRST_MAX - 1], NOON) == progress


def test_the_oldest_numbers_are_given_up_when_there_are_too_many_gaps() -> None:
    progress = hear(None, range(0, 2 * (RANGES_MAX + 3), 2), NOON)

    assert len(progress.gaps) == RANGES_MAX
    assert progress.given_up == 2
    assert gaps(progress)[0] == (5, 5)


def test_any_order_in_any_portions_misses_what_was_never_told() -> None:
    for seed in range(200):
        rng = random.Random(seed)
        told = rng.sample(range(60), rng.randint(1, 60))
        progress: Progress | None = None
        rest = told + rng.choices(told, k=10)
        rng.shuffle(rest)
        while rest:
            size = rng.randint(1, len(rest))
            progress, rest = hear(progress, rest[:size], NOON), rest[size:]

        assert progress is not None
        missing = {n for one, last in gaps(progress) for n in range(one, last + 1)}
        assert missing == set(range(min(told), max(told))) - set(told)
