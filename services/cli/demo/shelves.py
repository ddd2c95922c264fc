"""The demo's own bookkeeping: what lies where, what was asked for in vain, and what is refilled.

It shares nothing with the ledger, so that the two can be compared at the end.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from services.cli.demo.sales import Line
from services.cli.demo.world import CENTRAL, Place, share_out
from shared.contracts.accounts import MovementType

# SKUs whose lost demand is made good in one wave; the longest waiting come first.
RECEIPTS_MAX = 150


@dataclass(frozen=True, slots=True)
class Move:
    """A movement that the demo decides on: `to_location` is given for a dispatch."""

    type: MovementType
    sku: str
    location: str
    units: int
    to_location: str | None = None
    number: str = ""


@dataclass(slots=True)
class Shelves:
    """Units on hand by place; `set_aside` are those of them that web orders have claimed."""

    on_hand: Counter[Place] = field(default_factory=Counter)
    set_aside: Counter[Place] = field(default_factory=Counter)
    lost: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    lost_units: int = 0
    lost_lines: int = 0

    def sell(self, line: Line) -> int:
        """The units of a basket line that leave the shelf: what lies there and isn't set aside.
        The rest is lost demand.
        """
        place = line.sku, line.store
        sold = max(0, min(line.units, self.on_hand[place] - self.set_aside[place]))
        self.on_hand[place] -= sold
        if missing := line.units - sold:
            self.lost[line.sku][line.store] += missing
            self.lost_units += missing
            self.lost_lines += sold == 0
        return sold


@dataclass(slots=True)
class Replenishment:
    """Waves of supply: what was dispatched arrives, what is central is dispatched to where demand
    was lost, and half of what was lost is received anew. Decides by its inputs alone.
    """

    wave: int = 0
    under_way: list[Move] = field(default_factory=list)

    def next_wave(self, shelves: Shelves) -> list[Move]:
        """The movements of the next wave, applied to the shelves."""
        self.wave += 1
        arrivals = [_arrival(move) for move in self.under_way]
        self.under_way = list(self._dispatches(shelves))
        receipts = list(self._receipts(shelves))
        for move in arrivals:
            shelves.on_hand[move.sku, move.location] += move.units
        for move in self.under_way:
            shelves.on_hand[move.sku, CENTRAL] -= move.units
        for move in receipts:
            shelves.on_hand[move.sku, CENTRAL] += move.units
        return [*arrivals, *self.under_way, *receipts]

    def _dispatches(self, shelves: Shelves) -> Iterator[Move]:
        """What is free in the centre goes where most was asked for in vain; served is forgotten."""
        for sku, asked in shelves.lost.items():
            free = shelves.on_hand[sku, CENTRAL] - shelves.set_aside[sku, CENTRAL]
            units = min(free, asked.total())
            if units <= 0:
                continue
            for store, part in share_out(units, asked).items():
                if part:
                    asked[store] -= part
                    yield Move(
                        MovementType.TRANSFER_DISPATCH, sku, CENTRAL, part, store,
                        f"T{self.wave}/{sku}/{store}",
                    )  # fmt: skip
            shelves.lost[sku] = +asked

    def _receipts(self, shelves: Shelves) -> Iterator[Move]:
        by_loss: Mapping[str, int] = {sku: asked.total() for sku, asked in shelves.lost.items()}
        most = sorted(by_loss, key=lambda sku: (-by_loss[sku], sku))[:RECEIPTS_MAX]
        for sku in most:
            if units := (by_loss[sku] + 1) // 2:
                yield Move(MovementType.RECEIPT, sku, CENTRAL, units, None, f"R{self.wave}/{sku}")


def _arrival(dispatch: Move) -> Move:
    assert dispatch.to_location is not None, dispatch
    return Move(
        MovementType.TRANSFER_RECEIPT, dispatch.sku, dispatch.to_location, dispatch.units, None,
        f"{dispatch.number}/in",
    )  # fmt: skip
