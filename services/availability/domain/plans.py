"""Plans: the reference data and policies that concern one kind of SKU, worked out for one moment.

SKUs of one category and segment without policies of their own share a plan, so that a batch asks
the precedence once and not for each of its levels.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from services.availability.domain.levels import Level
from services.availability.domain.reference import Channel, Location, Reference, in_force
from shared.stock.policies import (
    Contest,
    Place,
    Policy,
    Product,
    Term,
    contest,
    speaks_of_product,
)

# What a location must be able to do for a method.
NEEDS: Mapping[str, str] = {
    "home": "ship",
    "relay": "ship",
    "locker": "ship",
    "collect": "collect",
    "in_store_hold": "reserve",
}
SWITCHES = (Term.CLOSED, Term.EXCLUDED, Term.SUSPENDED)
BUFFERS = (Term.LOCATION_BUFFER, Term.KEPT_FOR_STORE, Term.SILENCE_BUFFER)
CHANNEL_TERMS = (Term.CHANNEL_BUFFER, Term.SHARE_PERMILLE, Term.MAX_LISTED, Term.END_WHEN)


class Hindrance(StrEnum):
    """Why a location offers nothing, in order of precedence."""

    CLOSED = "closed"
    EXCLUDED = "excluded"
    SUSPENDED = "suspended"
    NOT_ABLE = "not_able"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacePlan:
    """What one location offers one channel: nothing, or what is free above the buffer."""

    buffer: int
    hindrance: Hindrance | None = None
    is_own_till: bool = False
    methods: frozenset[str] = frozenset()
    contests: Mapping[Term, Contest] = field(default_factory=dict)


def offered(place: PlacePlan, level: Level) -> int:
    """Units that a location offers a channel, at least 0: the design's `offered`."""
    if place.hindrance is not None or (level.suspended and not place.is_own_till):
        return 0
    return max(0, level.free - place.buffer)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelPlan:
    """One channel's terms and places, the places in the order of its pool.

    `offering` is what the formula asks of each place that offers anything: location, buffer, and
    whether it is the channel's own till. `serves_all_methods`: each of them is able to.
    """

    channel: Channel
    places: Mapping[str, PlacePlan]
    channel_buffer: int = 0
    share_permille: int | None = None
    max_listed: int | None = None
    end_when: int = 0
    is_closed: bool = False
    contests: Mapping[Term, Contest] = field(default_factory=dict)
    offering: tuple[tuple[str, int, bool], ...] = field(init=False)
    serves_all_methods: bool = field(init=False)

    def __post_init__(self) -> None:
        open_places = [(n, p) for n, p in self.places.items() if p.hindrance is None]
        offering = tuple((name, place.buffer, place.is_own_till) for name, place in open_places)
        methods = frozenset(self.channel.methods)
        object.__setattr__(self, "offering", offering)
        object.__setattr__(
            self, "serves_all_methods", all(place.methods == methods for _, place in open_places)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Every channel's plan, in the order in which shares are named: by priority, then by name.

    `groups` numbers the channels' offerings: those with one number are offered the same.
    """

    channels: tuple[ChannelPlan, ...]
    is_closed: bool = False
    groups: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        numbers: dict[object, int] = {}
        groups = [numbers.setdefault(part.offering, len(numbers)) for part in self.channels]
        object.__setattr__(self, "groups", tuple(groups))


def plan_for(
    reference: Reference,
    product: Product,
    own: Sequence[Policy],
    moment: datetime,
    *,
    is_closed: bool = False,
) -> Plan:
    """Work the precedence out for every channel and location; `own` are the SKU's policies."""
    by_term: dict[Term, list[Policy]] = {}
    for policy in (*reference.policies, *own):
        if policy.is_in_force(moment) and speaks_of_product(policy.scope, product):
            by_term.setdefault(policy.term, []).append(policy)
    chosen = [in_force(dated, moment) or dated[-1] for dated in reference.channels.values()]
    chosen.sort(key=lambda known: (known.priority, known.channel))
    return Plan(
        channels=tuple(
            _channel_plan(reference, channel, by_term, product, moment) for channel in chosen
        ),
        is_closed=is_closed,
    )


def _channel_plan(
    reference: Reference,
    channel: Channel,
    by_term: Mapping[Term, Sequence[Policy]],
    product: Product,
    moment: datetime,
) -> ChannelPlan:
    contests = {
        term: contest(by_term.get(term, ()), product, None, channel.channel)
        for term in CHANNEL_TERMS
    }
    share, most = contests[Term.SHARE_PERMILLE].winner, contests[Term.MAX_LISTED].winner
    return ChannelPlan(
        channel=channel,
        places={
            name: _place_plan(_location(reference, name, moment), channel, by_term, product)
            for name in channel.pool
        },
        channel_buffer=contests[Term.CHANNEL_BUFFER].value_or(0),
        share_permille=share.value if share else None,
        max_listed=most.value if most else None,
        end_when=contests[Term.END_WHEN].value_or(0),
        is_closed=in_force([channel], moment) is None,
        contests=contests,
    )


def _location(reference: Reference, name: str, moment: datetime) -> Location | str:
    """The location's record in force, or its bare name where it has records and none holds."""
    dated = reference.locations.get(name)
    if not dated:
        return Location(place=Place(location=name))
    return in_force(dated, moment) or name


def _place_plan(
    location: Location | str,
    channel: Channel,
    by_term: Mapping[Term, Sequence[Policy]],
    product: Product,
) -> PlacePlan:
    if isinstance(location, str):
        return PlacePlan(buffer=0, hindrance=Hindrance.CLOSED)
    contests = {
        term: contest(by_term.get(term, ()), product, location.place, channel.channel)
        for term in (*SWITCHES, *BUFFERS, Term.SHORT_DATED)
    }
    is_own_till = channel.own_till == location.place.location
    kept = max(contests[term].value_or(0) for term in BUFFERS)
    kept += contests[Term.SHORT_DATED].value_or(0)
    methods = _methods(location, channel)
    return PlacePlan(
        buffer=0 if is_own_till else kept,
        hindrance=_hindrance(channel, contests, methods, is_own_till=is_own_till),
        is_own_till=is_own_till,
        methods=methods,
        contests=contests,
    )


def _methods(location: Location, channel: Channel) -> frozenset[str]:
    able = location.capabilities
    return frozenset(
        method
        for method in channel.methods
        if able is None or method not in NEEDS or NEEDS[method] in able
    )


def _hindrance(
    channel: Channel,
    contests: Mapping[Term, Contest],
    methods: frozenset[str],
    *,
    is_own_till: bool,
) -> Hindrance | None:
    if contests[Term.CLOSED].value_or(0):
        return Hindrance.CLOSED
    if contests[Term.EXCLUDED].value_or(0):
        return Hindrance.EXCLUDED
    if contests[Term.SUSPENDED].value_or(0) and not is_own_till:
        return Hindrance.SUSPENDED
    if channel.methods and not methods and not is_own_till:
        return Hindrance.NOT_ABLE
    return None
