"""What an order line wants from stock, and the commands that tell it.

A line's commands share one identity, order and line, and one revision that rises with every change
of its wish. They stand in one row per SKU, because commands are partitioned by SKU: when a line
changes from SKU A to B, A's partition is told that the line wants nothing (`closed`), at revision
r, and B's what it wants, at r + 1. The ledger has one row per line and ignores a revision not above
its own: if the close comes first, A's units are free and B's are booked after; if B's command comes
first, taking it over moves the booking to B's levels, and the close is ignored. Either way the line
is booked once, and each partition's last word on the line is true for who reads it from nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from services.orders.domain.folding import OURS, Order, OrderLine
from services.orders.domain.outcomes import Outcome
from services.orders.domain.references import ChannelTerms, MadeOf, Sold, parts_at
from services.orders.domain.sourcing import Demand, Preference, Sourcing

WANTED_MAX = 10**9


class Waits(StrEnum):
    """Why a line can't be decided yet, in order of precedence."""

    UNKNOWN_CHANNEL = "unknown_channel"
    UNKNOWN_LISTING = "unknown_listing"
    UNKNOWN_SKU = "unknown_sku"
    QUANTITY_TOO_LARGE = "quantity_too_large"


class Rests(StrEnum):
    """Why a line wants nothing from our stock, in order of precedence."""

    NOT_OURS = "not_ours"
    NOTHING_LEFT = "nothing_left"
    NOT_YET_HELD = "not_yet_held"


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """The line stays as it was told to the ledger until `waits_for` becomes known."""

    reason: Waits
    waits_for: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Resting:
    """Nothing is wanted; a command that was sent is brought to nothing.

    Where the goods were looked for in vain is told all the same: it may be why.
    """

    reason: Rests
    shorts: Mapping[str, datetime] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the line wants: `wanted` base units of `sku` from `candidates`, best first.

    `kit` are the parts of one unit, (SKU, units), as they were when the line was accepted; `shorts`
    are places that have looked for this SKU in vain, and when.
    """

    sku: str
    wanted: int
    candidates: tuple[str, ...]
    may_split: bool
    channel: str
    method: str | None
    requested_for: datetime | None
    ordered_at: datetime
    kit: tuple[tuple[str, int], ...] = ()
    shorts: Mapping[str, datetime] = field(default_factory=dict)

    def __post_init__(self) -> None:
        assert 0 <= self.wanted <= WANTED_MAX, self


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A wish as it was sent; at most one per SKU of a line."""

    revision: int
    wish: Wish
    closed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the reference data says of one line."""

    channel: ChannelTerms | None
    sold: Sold | None
    skus: frozenset[str]
    kits: Mapping[str, Sequence[MadeOf]] = field(default_factory=dict)


Decision = Waiting | Resting | Wish


def decide(
    order: Order,
    line: OrderLine,
    known: Known,
    sourcing: Sourcing,
    *,
    ordered_at: datetime,
    commands: Mapping[str, Command],
    outcome: Outcome | None,
) -> Decision:
    """What the line wants now. `commands` are those sent before, by SKU.

    What a kit is made of is settled by the first command: a later change of the kit is none of the
    line's.
    """
    wanted = order.wanted(line)
    if rest := _rests(order, line, known, wanted):
        return Resting(reason=rest, shorts=line.shorts)
    if known.channel is None:
        return Waiting(reason=Waits.UNKNOWN_CHANNEL, waits_for=f"channel:{order.channel}")
    sku, units = line.sku, 1
    if sku is None:
        if known.sold is None:
            name = f"listing:{order.channel}|{line.listing}"
            return Waiting(reason=Waits.UNKNOWN_LISTING, waits_for=name)
        sku, units = known.sold.sku, known.sold.units
    if sku not in known.skus:
        return Waiting(reason=Waits.UNKNOWN_SKU, waits_for=f"sku:{sku}")
    sent = commands.get(sku)
    kit = sent.wish.kit if sent else parts_at(known.kits.get(sku, ()), ordered_at)
    if wanted * units * max((each for _, each in kit), default=1) > WANTED_MAX:
        return Waiting(reason=Waits.QUANTITY_TOO_LARGE)
    demand = _demand(order, line, known.channel, sku, wanted * units)
    preference = _prefer(demand, sourcing, sent, outcome)
    return Wish(
        sku=sku, wanted=demand.quantity, candidates=preference.candidates,
        may_split=preference.may_split, channel=order.channel, method=line.method,
        requested_for=line.requested_for, ordered_at=order.placed_at or ordered_at,
        kit=kit, shorts=_shorts_of(sku, line.shorts, commands),
    )  # fmt: skip


def follow(commands: Mapping[str, Command], decision: Decision, at_us: int) -> list[Command]:
    """The commands that the decision changes, by rising revision; none where nothing changes.

    `at_us` is the time in microseconds since 1970: revisions stay above those of before a restore.
    """
    if isinstance(decision, Waiting):
        return []
    stays = decision.sku if isinstance(decision, Wish) else None
    changed: list[tuple[Wish, bool]] = []
    for sku, sent in commands.items():
        if sku == stays:
            continue
        shorts = sent.wish.shorts
        if isinstance(decision, Resting):
            shorts = _shorts_of(sku, decision.shorts, commands)
        wish = replace(sent.wish, wanted=0, shorts=shorts)
        if wish != sent.wish:
            changed.append((wish, stays is not None))
    if isinstance(decision, Wish):
        last = commands.get(decision.sku)
        if changed or last is None or last.closed or last.wish != decision:
            changed.append((decision, False))
    first = max([at_us, *(sent.revision + 1 for sent in commands.values())])
    return [
        Command(revision=first + place, wish=wish, closed=closed)
        for place, (wish, closed) in enumerate(changed)
    ]


def last_revision(commands: Sequence[Command]) -> int | None:
    """The revision of the line's latest command."""
    return max((command.revision for command in commands), default=None)


def _shorts_of(
    sku: str, shorts: Mapping[str, datetime], commands: Mapping[str, Command]
) -> dict[str, datetime]:
    """The places that looked for this SKU: what was told of another SKU of the line isn't its."""
    others = [sent.wish.shorts for other, sent in commands.items() if other != sku]
    return {
        place: at
        for place, at in shorts.items()
        if not any(told.get(place) == at for told in others)
    }


def _rests(order: Order, line: OrderLine, known: Known, wanted: int) -> Rests | None:
    sold_by = known.sold.fulfilled_by if known.sold is not None else OURS
    if line.fulfilled_by != OURS or sold_by != OURS:
        return Rests.NOT_OURS
    if wanted == 0:
        return Rests.NOTHING_LEFT
    if known.channel is not None and order.state.rank < known.channel.holds_from.rank:
        return Rests.NOT_YET_HELD
    return None


def _demand(
    order: Order, line: OrderLine, channel: ChannelTerms, sku: str, quantity: int
) -> Demand:
    return Demand(
        sku=sku, quantity=quantity, channel=order.channel, pool=channel.pool, zone=order.zone,
        fulfil_from=line.fulfil_from, short_at=line.shorts, method=line.method,
    )  # fmt: skip


def _prefer(
    demand: Demand, sourcing: Sourcing, sent: Command | None, outcome: Outcome | None
) -> Preference:
    """A line that is served keeps its places, whatever becomes of the pool: someone may be picking
    it. A new choice from outside, a place that came out short, and a larger quantity rank anew.
    """
    ranked = sourcing.rank(demand)
    if sent is None or not sent.wish.wanted or outcome is None:
        return ranked
    held = sent.wish
    is_chosen = demand.fulfil_from is not None and demand.fulfil_from not in demand.short_at
    is_served = outcome.serves(sent.revision) and demand.quantity <= held.wanted
    if is_chosen or not is_served or set(held.candidates) & set(demand.short_at):
        return ranked
    return Preference(candidates=held.candidates, may_split=held.may_split)
