"""What a channel's protocol can do, as its connector declares it."""

from dataclasses import dataclass
from enum import StrEnum


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
    `call_seconds_max` is the call's timeout: after it the outcome is unknown.
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

    def __post_init__(self) -> None:
        assert self.batch_max >= 1, self
        assert self.read_back_max >= 1, self
        assert self.calls_at_once >= 1, self
        assert self.call_seconds_max > 0, self
