"""How two tellings of one thing become one, in whatever order they are heard.

A fold here is a join: commutative, associative and idempotent, so that any order and duplication
of the same states gives the same result.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TypeVar

Told = TypeVar("Told", str, int, datetime)
Part = TypeVar("Part")


def larger(one: Told | None, other: Told | None) -> Told | None:
    """The larger of two values; something is larger than nothing."""
    if one is None or other is None:
        return other if one is None else one
    return max(one, other)


def earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    """The earlier of two moments; a moment is earlier than none."""
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)


def joined(
    one: Mapping[str, Part], other: Mapping[str, Part], join: Callable[[Part, Part], Part]
) -> dict[str, Part]:
    """Both mappings in one, by rising key; parts that stand in both are joined."""
    both = dict(one)
    for name, part in other.items():
        both[name] = join(both[name], part) if name in both else part
    return dict(sorted(both.items()))
