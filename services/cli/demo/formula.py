"""The formula of availability, worked out a second time: the demo's own, from the design's text.

Only what the demo's world uses: buffers of a location and of a channel, holds and allocations,
lines that wait for a place.
"""

from collections.abc import Iterable
from typing import NamedTuple

from services.cli.demo.world import CHANNEL_BUFFER, LOCATION_BUFFER


class Level(NamedTuple):
    """What one location has of a SKU, signed."""

    sellable: int
    reserved: int = 0
    allocated: int = 0


def available_to_sell(
    levels: Iterable[Level],
    unsourced: int = 0,
    *,
    location_buffer: int = LOCATION_BUFFER,
    channel_buffer: int = CHANNEL_BUFFER,
) -> int:
    """What a channel that sells from all these locations may show.

    Σ max(0, free − location buffer) − Σ short − unsourced − channel buffer, at least 0; a location
    is short by what is claimed there and cannot be served there.
    """
    pool = -unsourced
    for level in levels:
        claimed = level.reserved + level.allocated
        free = level.sellable - claimed
        pool += max(0, free - location_buffer)
        pool -= min(claimed, max(0, -free))
    return max(0, pool - channel_buffer)
