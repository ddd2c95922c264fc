"""Reference data that concerns more than one SKU: locations and channels, dated, and policies."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from services.availability.domain.facts import ALWAYS
from shared.stock.policies import Place, Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """A location as far as availability cares. No capabilities told means able to do anything."""

    place: Place
    capabilities: frozenset[str] | None = None
    begins: datetime | None = None
    ends: datetime | None = None
    is_deleted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A channel: its pool of locations in order, and how its customers get their goods.

    `number` is availability's own short number. `own_till` is the location whose counter this
    channel is: nothing is held back from it.
    """

    channel: str
    number: int
    pool: tuple[str, ...]
    methods: tuple[str, ...] = ()
    priority: int = 0
    own_till: str | None = None
    shows_locations: bool = False
    begins: datetime | None = None
    ends: datetime | None = None
    is_deleted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Everything that concerns more than one SKU, as recorded under one policy version.

    `locations` and `channels` hold the dated records of each, in any order.
    """

    version: int
    locations: Mapping[str, Sequence[Location]]
    channels: Mapping[str, Sequence[Channel]]
    policies: Sequence[Policy]


def boundaries(reference: Reference) -> Iterable[datetime]:
    """Every moment at which the reference data says something else by time alone."""
    for policy in reference.policies:
        yield from (at for at in (policy.begins, policy.ends) if at is not None)
    records: list[Location | Channel] = []
    for locations in reference.locations.values():
        records += locations
    for channels in reference.channels.values():
        records += channels
    for record in records:
        yield from (at for at in (record.begins, record.ends) if at is not None)


D = TypeVar("D", Location, Channel)


def in_force(dated: Sequence[D], moment: datetime) -> D | None:
    """Of the records that hold at this moment, the one that began last."""
    holding = [
        record
        for record in dated
        if not record.is_deleted
        and (record.begins is None or record.begins <= moment)
        and (record.ends is None or moment < record.ends)
    ]
    return max(holding, key=lambda record: record.begins or ALWAYS, default=None)
