"""The formula: what each channel may sell of one SKU, with every term that led to it.

Signed inside; clamped only where the formula says so: an offer, the pool above the buffer.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from services.availability.domain.levels import Level, Levels
from services.availability.domain.plans import ChannelPlan, Plan
from services.availability.domain.shares import shares_of


class Terms(NamedTuple):
    """What a channel's figure is made of, up to where shares are cut; base units, signed.

    A tuple, like `Figure`, since a batch makes tens of thousands of them.
    """

    offered: int
    short: int
    unsourced: int
    channel_buffer: int = 0
    ring_fenced: int = 0

    @property
    def pool(self) -> int:
        """Offered and ring-fenced, less what is owed already; negative when more is owed."""
        return self.offered + self.ring_fenced - self.short - self.unsourced

    @property
    def shareable(self) -> int:
        """What is there to be shared out: the pool above the channel's buffer."""
        return max(0, self.pool - self.channel_buffer)


class Figure(NamedTuple):
    """What one channel may sell of one SKU. `by_location` never adds up to more than the figure,
    and no entry of `by_method` exceeds it.
    """

    channel: str
    number: int
    terms: Terms
    share: int
    available_to_sell: int
    by_location: Mapping[str, int] = {}
    by_method: Mapping[str, int] = {}
    is_closed: bool = False


Offers = Mapping[str, int]  # location → units


def figures_of(
    levels: Levels, unsourced: int, plan: Plan, made: Sequence[Offers] | None = None
) -> list[Figure]:
    """Every channel's figure. `unsourced` are accepted units that still wait for a place; `made`
    is, for a kit, what can be made up of its parts for each channel of the plan.
    """
    assert unsourced >= 0, unsourced
    free, short, suspended, fences = stands(levels)
    found: dict[int, dict[str, int]] = {}
    for group, part in zip(plan.groups, plan.channels, strict=True):
        if group not in found:
            found[group] = offers_of(free, suspended, part)
    offers = [found[group] for group in plan.groups]
    if made is not None:
        offers = [
            _together(part, own, more)
            for part, own, more in zip(plan.channels, offers, made, strict=True)
        ]
    terms = [
        Terms(sum(offered.values()), owed_by(short, part), unsourced, part.channel_buffer)
        for part, offered in zip(plan.channels, offers, strict=True)
    ]
    if fences:
        fenced = [_fenced_for(fences, suspended, part) for part in plan.channels]
        terms = [
            term._replace(ring_fenced=sum(own.values()))
            for term, own in zip(terms, fenced, strict=True)
        ]
        offers = [
            _together(part, offered, own)
            for part, offered, own in zip(plan.channels, offers, fenced, strict=True)
        ]
    shares = _shares(plan.channels, terms)
    return [
        _figure(part, term, share, offered, is_closed=plan.is_closed)
        for part, term, share, offered in zip(plan.channels, terms, shares, offers, strict=True)
    ]


Fences = Mapping[str, Mapping[str, int]]  # location → channel → units left
Stands = tuple[dict[str, int], dict[str, int], frozenset[str], Fences]
NO_FENCES: Fences = {}


def stands(levels: Levels) -> Stands:
    """By location: what is free above 0, what is short above 0; which are suspended; ring-fences.

    The same as `Level.free` and `Level.short`, in one pass, because batches ask for it of
    hundreds of thousands of levels. A level with fences is longer, and stops that pass.
    """
    try:
        return (*_plain_stands(levels), NO_FENCES)
    except ValueError:
        plain = {name: Level(*level[:5]) for name, level in levels.items()}
        fences = {name: level.fences for name, level in levels.items() if level.fences}
        return (*_plain_stands(plain), fences)


def _plain_stands(levels: Levels) -> tuple[dict[str, int], dict[str, int], frozenset[str]]:
    free: dict[str, int] = {}
    short: dict[str, int] = {}
    suspended: list[str] = []
    for location, (_, sellable, reserved, allocated, is_suspended) in levels.items():
        held = reserved + allocated
        left = sellable - held
        if left > 0:
            free[location] = left
        elif left < 0 and held:
            short[location] = min(held, -left)
        if is_suspended:
            suspended.append(location)
    return free, short, frozenset(suspended)


def owed_by(short: Mapping[str, int], part: ChannelPlan) -> int:
    return sum([owed for name, owed in short.items() if name in part.places]) if short else 0


def offers_of(
    free: Mapping[str, int], suspended: frozenset[str], part: ChannelPlan
) -> dict[str, int]:
    """What each place offers, in the order of the pool; places that offer nothing left out."""
    offers: dict[str, int] = {}
    for location, buffer, is_own_till in part.offering:
        left = free.get(location, 0) - buffer
        if left > 0 and (is_own_till or location not in suspended):
            offers[location] = left
    return offers


def _fenced_for(
    fences: Mapping[str, Mapping[str, int]], suspended: frozenset[str], part: ChannelPlan
) -> dict[str, int]:
    """What is left of the channel's own ring-fences at each place that offers anything."""
    name = part.channel.channel
    return {
        location: fences[location][name]
        for location, _, is_own_till in part.offering
        if name in fences.get(location, ()) and (is_own_till or location not in suspended)
    }


def _together(part: ChannelPlan, own: Offers, more: Offers) -> dict[str, int]:
    """What is offered by itself, and besides, in the order of the pool."""
    together = {name: own.get(name, 0) + more.get(name, 0) for name, _, _ in part.offering}
    return {name: units for name, units in together.items() if units}


def _shares(channels: Sequence[ChannelPlan], terms: Sequence[Terms]) -> list[int]:
    """Each channel's share of what it can reach: channels over the same places round together."""
    shares = [term.shareable for term in terms]
    together: dict[frozenset[str], list[int]] = {}
    for i, part in enumerate(channels):
        if part.share_permille is not None:
            together.setdefault(frozenset(part.places), []).append(i)
    for members in together.values():
        claims = [(shares[i], channels[i].share_permille or 0) for i in members]
        for i, share in zip(members, shares_of(claims), strict=True):
            shares[i] = share
    return shares


def _figure(
    part: ChannelPlan, terms: Terms, share: int, offers: Mapping[str, int], *, is_closed: bool
) -> Figure:
    shown = share if part.max_listed is None else min(part.max_listed, share)
    is_closed = is_closed or part.is_closed
    available = 0 if is_closed or shown <= part.end_when else shown
    assert 0 <= available <= share, (part.channel.channel, terms, share, available)
    by_location = _by_location(offers, available) if part.channel.shows_locations else {}
    assert sum(by_location.values()) <= available, (by_location, available)
    by_method = _by_method(part, offers, terms, available)
    channel = part.channel
    return Figure(
        channel.channel, channel.number, terms, share, available, by_location, by_method, is_closed
    )


def _by_location(offers: Mapping[str, int], available: int) -> dict[str, int]:
    """The channel's figure laid over its places in their order: never more than it together."""
    shown: dict[str, int] = {}
    for location, offered in offers.items():
        taken = min(offered, available)
        if taken == 0:
            break
        shown[location] = taken
        available -= taken
    return shown


def _by_method(
    part: ChannelPlan, offers: Mapping[str, int], terms: Terms, available: int
) -> dict[str, int]:
    """What each method can serve: the same formula over the places that are able to."""
    if len(part.channel.methods) < 2:
        return {}
    if part.serves_all_methods:
        return dict.fromkeys(part.channel.methods, min(available, terms.shareable))
    held_back = terms.short + terms.unsourced + terms.channel_buffer
    figures: dict[str, int] = {}
    for method in part.channel.methods:
        able = sum(n for location, n in offers.items() if method in part.places[location].methods)
        figures[method] = min(available, max(0, able - held_back))
    return figures
