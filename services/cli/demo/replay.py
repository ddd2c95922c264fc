"""The replay: basket lines in order of time, each when its moment comes, and waves of supply."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from services.cli.demo.sales import Line
from services.cli.demo.sending import Sender
from services.cli.demo.shelves import Replenishment, Shelves
from shared.runtime.clock import Clock
from shared.runtime.waiting import wait_for_event

SPEED = 40_000
TICK_SECONDS = 0.02
WAVE_SECONDS = 5.0
# Supply follows later: the first wave comes after this part of a minute's run.
FIRST_WAVE_SECONDS = 10.0


@dataclass(slots=True)
class Tally:
    """What the replay has done so far; `next_line` is where `--keep` goes on."""

    next_line: int = 0
    sales: int = 0
    units: int = 0
    baskets: int = 0
    by_type: Counter[str] = field(default_factory=Counter)


class Replay:
    """Sells lines of `lines` from `tally.next_line` on, `speed` times as fast as they came."""

    def __init__(
        self,
        lines: Sequence[Line],
        shelves: Shelves,
        sender: Sender,
        clock: Clock,
        *,
        began_at: str,
        speed: float = SPEED,
    ) -> None:
        assert speed > 0, speed
        self._lines = lines
        self._shelves = shelves
        self._sender = sender
        self._clock = clock
        self._began_at = began_at
        self._speed = speed
        self._supply = Replenishment()
        self._last_basket: int | None = None
        self.tally = Tally()

    async def run(self, closing: asyncio.Event, seconds: float | None) -> float:
        """Replay until `seconds` after the first sale, the end of the data, or the order to close;
        returns the seconds it took.
        """
        lines, tally = self._lines, self.tally
        if tally.next_line >= len(lines):
            return 0.0
        first_second = lines[tally.next_line].second
        began = self._clock.monotonic()
        next_wave = FIRST_WAVE_SECONDS
        elapsed = 0.0
        while not closing.is_set() and tally.next_line < len(lines):
            elapsed = self._clock.monotonic() - began
            if seconds is not None and elapsed >= seconds:
                break
            await self._sell_until(first_second + elapsed * self._speed)
            if elapsed >= next_wave:
                next_wave += WAVE_SECONDS
                await self._supply_wave()
            await wait_for_event(closing, TICK_SECONDS)
        return elapsed

    async def _sell_until(self, second: float) -> None:
        sold: list[tuple[Line, int]] = []
        tally = self.tally
        while tally.next_line < len(self._lines):
            line = self._lines[tally.next_line]
            if line.second > second:
                break
            tally.next_line += 1
            tally.baskets += line.basket != self._last_basket
            self._last_basket = line.basket
            if units := self._shelves.sell(line):
                sold.append((line, units))
        if sold:
            await self._sender.sales(sold, self._began_at, self._clock.now())
            tally.sales += len(sold)
            tally.units += sum(units for _, units in sold)
            tally.by_type["sale"] += len(sold)

    async def _supply_wave(self) -> None:
        moves = self._supply.next_wave(self._shelves)
        await self._sender.moves(moves, self._clock.now())
        self.tally.by_type.update(move.type.value for move in moves)
