"""The port to what a run replays: which shops, which world, who buys, and what happens when."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from services.cli.demo.picking import Bench
from services.cli.demo.replay import Tally
from services.cli.demo.sending import Sender
from services.cli.demo.shelves import Shelves
from services.cli.demo.shops import Shop
from services.cli.demo.telling import Teller
from services.cli.demo.world import World
from shared.runtime.clock import Clock


class Replaying(Protocol):
    """What makes things happen, from its next line on."""

    tally: Tally

    async def run(self, closing: asyncio.Event, seconds: float | None) -> float:
        """Until `seconds` are over, the data ends or closing is ordered; the seconds it took."""
        ...


class Customers(Protocol):
    """Who buys in the shops."""

    def start(self) -> None:
        """Open the doors."""
        ...

    async def stop(self) -> None:
        """Nobody else comes."""
        ...

    def bought(self) -> Mapping[str, int]:
        """Orders by channel that a shop has accepted."""
        ...

    @property
    def refused(self) -> int:
        """Orders that a shop refused: sold out there."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What a scenario plays with."""

    clock: Clock
    world: World
    shops: Mapping[str, Shop]
    shelves: Shelves
    bench: Bench
    sender: Sender
    teller: Teller
    speed: float
    next_line: int


class Scenario(Protocol):
    """One source of a run. `notes` are what its reading has to say, `returned_share` is that of
    the parcels that come back by chance.
    """

    @property
    def channels(self) -> Sequence[str]: ...
    @property
    def notes(self) -> Sequence[str]: ...
    @property
    def returned_share(self) -> float: ...

    def world(self, span_seconds: float) -> World:
        """What exists before anything moves, for so many seconds of the data's own time."""
        ...

    async def open(self, stage: Stage) -> None:
        """What happens before the first sale of a new run, beside the opening movements."""
        ...

    def play(self, stage: Stage) -> tuple[Replaying, Customers]:
        """What happens then, and who buys meanwhile."""
        ...
