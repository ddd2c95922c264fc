"""The numbers that a source gives its messages: which are missing, whatever order they come in."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise

RANGES_MAX = 100
# Partitions are read side by side, so a source's first numbers may come after later ones.
BEFORE_FIRST_MAX = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Numbers from `first` to `last`, both never heard; `since` is when that was noticed."""

    first: int
    last: int
    since: datetime

    def __post_init__(self) -> None:
        assert self.first <= self.last, self


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What was heard of a source: everything from `lowest` to `highest` but the gaps, ascending.

    `given_up` counts numbers of gaps that are no longer kept.
    """

    lowest: int
    highest: int
    gaps: tuple[Gap, ...] = field(default=())
    given_up: int = 0

    def __post_init__(self) -> None:
        assert self.lowest <= self.highest, self
        assert all(one.last < other.first for one, other in pairwise(self.gaps)), self


def hear(progress: Progress | None, numbers: Iterable[int], at: datetime) -> Progress:
    """What is known after `numbers`, in any order; a number heard before changes nothing.

    A number beyond the highest leaves a gap, a missing one closes or splits its gap. The first
    number ever heard begins the count; up to 10,000 lower ones may follow, and still lower ones
    change nothing. Past 100 gaps the oldest numbers are given up.
    """
    for number in sorted(set(numbers)):
        if progress is None:
            progress = Progress(lowest=number, highest=number)
        elif number > progress.highest:
            progress = _above(progress, number, at)
        elif number < progress.lowest:
            progress = _below(progress, number, at)
        else:
            progress = _within(progress, number)
    assert progress is not None, "somebody told a number"
    return _bounded(progress)


def _above(old: Progress, number: int, at: datetime) -> Progress:
    gaps = old.gaps
    if number > old.highest + 1:
        gaps = (*gaps, Gap(first=old.highest + 1, last=number - 1, since=at))
    return Progress(lowest=old.lowest, highest=number, gaps=gaps, given_up=old.given_up)


def _below(old: Progress, number: int, at: datetime) -> Progress:
    if number < old.lowest - BEFORE_FIRST_MAX:
        return old
    gaps = old.gaps
    if number < old.lowest - 1:
        gaps = (Gap(first=number + 1, last=old.lowest - 1, since=at), *gaps)
    return Progress(lowest=number, highest=old.highest, gaps=gaps, given_up=old.given_up)


def _within(old: Progress, number: int) -> Progress:
    gaps: list[Gap] = []
    for gap in old.gaps:
        if not gap.first <= number <= gap.last:
            gaps.append(gap)
            continue
        if gap.first < number:
            gaps.append(Gap(first=gap.first, last=number - 1, since=gap.since))
        if number < gap.last:
            gaps.append(Gap(first=number + 1, last=gap.last, since=gap.since))
    return Progress(lowest=old.lowest, highest=old.highest, gaps=tuple(gaps), given_up=old.given_up)


def _bounded(progress: Progress) -> Progress:
    over = progress.gaps[: max(0, len(progress.gaps) - RANGES_MAX)]
    if not over:
        return progress
    return Progress(
        lowest=progress.lowest, highest=progress.highest, gaps=progress.gaps[len(over) :],
        given_up=progress.given_up + sum(gap.last - gap.first + 1 for gap in over),
    )  # fmt: skip
