"""What is at a location, as last told, and what follows from it for anybody who asks."""

from collections.abc import Mapping
from typing import NamedTuple, cast

NO_FENCES: Mapping[str, int] = {}


class Level(NamedTuple):
    """One location's figures of one SKU; signed. A tuple, since there are many of them.

    A level with ring-fences has their units by channel as one place more (`fenced_level`): those
    units are in `reserved`. Nearly no level has any, and the others don't pay for the place.
    """

    version: int
    sellable: int
    reserved: int = 0
    allocated: int = 0
    suspended: bool = False

    @property
    def fences(self) -> Mapping[str, int]:
        """Units left of ring-fences, by the channel that they are for."""
        places: tuple[object, ...] = self
        return cast("Mapping[str, int]", places[5]) if len(places) > 5 else NO_FENCES

    @property
    def free(self) -> int:
        """What is left of the book when every hold is served; negative when it can't be."""
        return self.sellable - self.reserved - self.allocated

    @property
    def short(self) -> int:
        """Holds that the location can't serve itself. A book made negative by sales owes none."""
        return min(self.reserved + self.allocated, max(0, -self.free))


Levels = Mapping[str, Level]
NO_LEVEL = Level(version=0, sellable=0)


def fenced_level(level: Level, fences: Mapping[str, int]) -> Level:
    """The level with units left of ring-fences by channel."""
    return tuple.__new__(Level, (*level[:5], fences))


def raised(level: Level, units: int) -> Level:
    """The level with so many units more that may be sold."""
    return tuple.__new__(Level, (level[0], level[1] + units, *level[2:]))


def fold_level(levels: dict[str, Level], location: str, told: Level) -> bool:
    """Keep the highest version per location; says whether `told` was news."""
    held = levels.get(location)
    if held is not None and held.version >= told.version:
        return False
    levels[location] = told
    return True


def next_version(version: int, now_us: int) -> int:
    """The version after `version`, in a transaction that began at `now_us` (µs since 1970).

    It rises, and is above anything that was given out before a backup was restored.
    """
    return max(version + 1, now_us)
