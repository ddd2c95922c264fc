"""What a channel's protocol can do, as its connector declares it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

FRESH_SECONDS: Final = 5.0


class Write(StrEnum):
    """How a quantity is told: as it is, or as a change."""

    ABSOLUTE = "absolute"
    DELTA = "delta"


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """One protocol's capabilities, as configured for one shop.

    `batch_max` counts listings in a call; `calls_per_second` is None where the channel names no
    limit; `calls_at_once` calls may be out together, never two for one listing;
    `listing_calls_per_day` is a budget per listing; `quantity_max` the largest value it can show.
    `call_seconds_max` is the call's timeout: after it the outcome is unknown. Where a call is only
    accepted and worked off later (`is_synchronous` False), its result is asked for every
    `result_seconds`, and is unknown after `result_seconds_max`.
    """

    kind: str
    write: Write = Write.ABSOLUTE
    can_compare_and_set: bool = False
    can_read_back: bool = True
    is_synchronous: bool = True
    fails_per_item: bool = True
    is_per_location: bool = False
    batch_max: int = 100
    read_back_max: int = 100
    calls_per_second: float | None = None
    burst: float = 1.0
    calls_at_once: int = 1
    listing_calls_per_day: int | None = None
    quantity_max: int | None = None
    call_seconds_max: float = 5.0
    result_seconds: float = 5.0
    result_seconds_max: float = 900.0

    def __post_init__(self) -> None:
        assert self.batch_max >= 1, self
        assert self.read_back_max >= 1, self
        assert self.calls_at_once >= 1, self
        assert self.call_seconds_max > 0, self
        assert 0 < self.result_seconds <= self.result_seconds_max, self
        assert self.listing_calls_per_day is None or self.listing_calls_per_day >= 1, self

    @property
    def fresh_seconds(self) -> float:
        """Within how long a figure's call should start: where the channel sets a pace, a call may
        have gone the moment before.
        """
        return FRESH_SECONDS + (0.0 if self.calls_per_second is None else 1 / self.calls_per_second)


class NotBuilt(ValueError):  # noqa: N818  (it names what is the matter, like Fenced)
    """A descriptor asks for what the engine does not do; says which and what to do instead."""


def require_built(channel: str, descriptor: Descriptor) -> None:
    """Refuse a channel at start rather than tell it something wrong. Raises NotBuilt."""
    if descriptor.write is Write.DELTA:
        raise NotBuilt(
            f"channel {channel!r} ({descriptor.kind}) wants changes (write=delta), and the engine "
            "tells absolute quantities only: a change whose answer is lost cannot be sent again. "
            "Give its connector an absolute write"
        )
    if descriptor.is_per_location:
        raise NotBuilt(
            f"channel {channel!r} ({descriptor.kind}) wants a figure per location, and the engine "
            "tells one figure per listing. Configure it to be fed at one location"
        )
