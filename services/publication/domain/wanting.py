"""What a listing should show, how urgent that is, and whether it may be told at all."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum, StrEnum
from typing import Self

from services.publication.domain import unheard
from services.publication.domain.holding_back import NO_DEMAND, Demand
from services.publication.domain.unheard import Basis, Heard

LAST_UNITS_MAX = 3


class Mode(StrEnum):
    """How far publishing goes: nothing, everything but the sending, everything."""

    OFF = "off"
    SHADOW = "shadow"
    LIVE = "live"


class Urgency(IntEnum):
    """The order in which listings are told: a zero oversells by the minute, a catalogue waits."""

    ZERO = 0
    LAST_UNITS = 1
    CHANGE = 2
    RESYNC = 3


class Withheld(StrEnum):
    """Why a listing is told nothing, in order of precedence."""

    FULFILLED_BY_CHANNEL = "fulfilled_by_channel"
    CLOSED = "listing_closed"
    OFF = "mode_off"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """One of a channel's own entries for a SKU.

    `listing_id` is our number for it, `code` and `ids` are the channel's, read by its connector.
    `shown_in_shadow` is what shadow mode would have sent last, `refused_version` the version that
    the channel refused last.
    """

    listing_id: int
    channel: str
    code: str
    sku: str
    ids: Mapping[str, str] = field(default_factory=dict)
    is_fulfilled_by_channel: bool = False
    is_open: bool = True
    units: int = 1
    mode: Mode = Mode.LIVE
    shown_in_shadow: int | None = None
    refused_version: int | None = None

    def __post_init__(self) -> None:
        assert self.units > 0, self


@dataclass(frozen=True, slots=True, kw_only=True)
class Desired:
    """The value that one listing should show, from one version of the channel's figure.

    `shown` is what the channel last acknowledged, None where nobody knows. `caused_at` is when the
    cause happened, in seconds since 1970; `failures` counts the attempts that failed since the
    last one that did not. `is_resync` asks for a call even where nothing changed.

    Where the channel compares and sets, `basis` is what was last known of its own sales, `heard`
    the units of them that the figure includes, and `target` the figure's own value, of which
    `value` is what is left after the unheard. `has_waited` says that orders had their time.

    Where it does not, `held` units are held back for sales on their way, by the listing's own
    `demand` and beyond the `channel_buffer` (base units) that the figure lacks already; None
    until that is decided.
    """

    listing: Listing
    version: int
    value: int
    shown: int | None
    caused_at: float | None = None
    failures: int = 0
    is_resync: bool = False
    target: int | None = None
    basis: Basis = unheard.UNKNOWN
    heard: Heard = unheard.NOTHING_HEARD
    has_waited: bool = False
    held: int | None = None
    demand: Demand = NO_DEMAND
    channel_buffer: int = 0

    def __post_init__(self) -> None:
        assert self.value >= 0, self

    @property
    def listing_id(self) -> int:
        return self.listing.listing_id

    @property
    def is_satisfied(self) -> bool:
        """The channel shows this value already, so no call is needed."""
        return self.shown == self.value and not self.is_resync and self.is_certain

    @property
    def is_certain(self) -> bool:
        """Nothing has been heard since that should have changed what is shown.

        A channel that cannot compare may have counted down or not: only a call makes sure.
        """
        if self.basis.is_blind:
            return self.basis.heard == self.heard
        return self.basis.shown is None or self.expected == self.basis.shown

    @property
    def expected(self) -> int | None:
        """What the channel shows now by all that was heard: what a compare must name."""
        if self.basis.shown is None:
            return self.shown
        return unheard.expected(self.basis, self.heard, self.listing.units)

    @property
    def age(self) -> tuple[int, int, float]:
        """Of two wanted values of a listing, the one with the greater is newer."""
        return self.version, sum(self.heard), self.demand.at

    @property
    def may_stand(self) -> bool:
        """What is shown is not above the figure, and lower only by what is unheard.

        Most of that is an order on its way to us, and its figure was the faster.
        """
        return (
            not self.has_waited
            and not self.basis.is_blind
            and self.basis.shown is not None
            and self.shown is not None
            and self.value < self.shown <= self.full
        )

    @property
    def full(self) -> int:
        """The figure's own value, before anything is taken off."""
        return self.value if self.target is None else self.target

    def upon(self, shown: int | None, basis: Basis) -> Self:
        """The same wish where the channel shows something else than it was thought to."""
        if basis.shown is None and self.target is None:
            return replace(self, shown=shown, basis=basis)
        off = -(-unheard.still_unheard(basis, self.heard) // self.listing.units)
        value = max(0, self.full - off - (self.held or 0))
        if self.held is not None:
            basis = replace(basis, held=self.held)
        return replace(self, shown=shown, basis=basis, target=self.full, value=value)

    def holding(self, held: int) -> Self:
        """The same wish with so many units held back."""
        return replace(self, held=held, target=self.full).upon(self.shown, self.basis)

    @property
    def is_refused(self) -> bool:
        """The channel has refused this very version: asking again needs a reason."""
        refused = self.listing.refused_version
        return refused is not None and refused >= self.version and not self.is_resync

    @property
    def urgency(self) -> Urgency:
        """Repeating what is known goes last, whatever its value."""
        if self.shown == self.value and self.is_certain:
            return Urgency.RESYNC
        if self.value == 0:
            return Urgency.ZERO
        return Urgency.LAST_UNITS if self.value <= LAST_UNITS_MAX else Urgency.CHANGE


@dataclass(frozen=True, slots=True, kw_only=True)
class Sorted:
    """What a batch of figures asks for, apart by what must be done about it."""

    wanted: list[Desired] = field(default_factory=list)
    satisfied: list[Desired] = field(default_factory=list)
    shadowed: list[Desired] = field(default_factory=list)


def value_for(available: int, units: int, quantity_max: int | None) -> int:
    """Whole sellable units of a listing: floored, never below zero, never above its maximum.

    `available` is signed, in base units; `units` are base units per listing.
    """
    value = max(0, available) // units
    return value if quantity_max is None else min(value, quantity_max)


def mode_of(channel: Mode, listing: Mode) -> Mode:
    """The more careful of the two."""
    order = (Mode.OFF, Mode.SHADOW, Mode.LIVE)
    return order[min(order.index(channel), order.index(listing))]


def withheld(listing: Listing, channel: Mode) -> Withheld | None:
    """Why nothing is told, or None. A quantity would flip a listing the channel fulfils."""
    if listing.is_fulfilled_by_channel:
        return Withheld.FULFILLED_BY_CHANNEL
    if not listing.is_open:
        return Withheld.CLOSED
    return Withheld.OFF if mode_of(channel, listing.mode) is Mode.OFF else None


def sort_out(desired: Desired, channel: Mode, into: Sorted) -> None:
    """Put one wanted value where it belongs; what is withheld goes nowhere."""
    listing = desired.listing
    if withheld(listing, channel) is not None:
        return
    if mode_of(channel, listing.mode) is Mode.SHADOW:
        if listing.shown_in_shadow != desired.value:
            into.shadowed.append(desired)
        return
    if desired.is_satisfied:
        into.satisfied.append(desired)
    elif not desired.is_refused:
        into.wanted.append(desired)
