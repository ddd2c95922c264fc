"""Histories of holds: carts at once in two processes, ends, sales and crashes, against a model.

The model is arithmetic on what is free at each place. It is asked after every step: what was
accepted was there, what was refused alone was not, and the book says what the model says.
"""

import asyncio
import os
import random
from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from services.ledger.repository import explaining
from shared.contracts.holds import Confirm, Extend, Hold, HoldLine, HoldState
from shared.testing.messages import a_movement
from tests.integration.ledger.bench import LedgerBench, open_bench
from tests.integration.ledger.counter import Counter, a_channel, a_line, open_counter

SEEDS = int(os.environ.get("STOCKTIDE_TEST_HOLD_SEEDS", "12"))
STEPS = 40
SKUS, PLACES = ("S1", "S2"), ("L1", "L2")
Spot = tuple[str, str]  # SKU, place


@dataclass(slots=True)
class Model:
    """What is where, and who holds it until when."""

    sellable: dict[Spot, int] = field(
        default_factory=lambda: {(sku, place): 0 for sku in SKUS for place in PLACES}
    )
    allocated: dict[Spot, int] = field(default_factory=dict)
    held: dict[str, tuple[datetime, dict[Spot, int]]] = field(default_factory=dict)

    def reserved(self, spot: Spot) -> int:
        return sum(parts.get(spot, 0) for _, parts in self.held.values())

    def free(self, spot: Spot) -> int:
        return self.sellable[spot] - self.reserved(spot) - self.allocated.get(spot, 0)

    def possible(self, sku: str, places: tuple[str, ...]) -> int:
        """Units of one line alone: what its places have, as far as the pool owes nothing."""
        pool = 0
        for place in PLACES:
            free = self.free((sku, place))
            claimed = self.reserved((sku, place)) + self.allocated.get((sku, place), 0)
            pool += max(0, free) - min(claimed, max(0, -free))
        there = sum(max(0, self.free((sku, place))) for place in places or PLACES)
        return max(0, min(there, pool))

    def expire(self, now: datetime) -> None:
        self.held = {name: one for name, one in self.held.items() if one[0] > now}

    def take(self, hold: Hold) -> None:
        parts: dict[Spot, int] = {}
        for line in hold.lines:
            for held in line.held:
                spot = line.sku, held.location
                parts[spot] = parts.get(spot, 0) + held.quantity
        assert hold.until is not None, hold
        self.held[hold.hold_id] = hold.until, parts


@dataclass(slots=True)
class Asking:
    """One request, as it is sent again under the same id."""

    hold_id: str
    lines: tuple[HoldLine, ...]
    partial: bool
    ttl: int


@dataclass(slots=True)
class History:
    """One seed's run."""

    ledger: LedgerBench
    counters: list[Counter]
    rng: random.Random
    model: Model = field(default_factory=Model)
    orders: int = 0
    accepted: int = 0

    async def step(self, number: int) -> None:
        rng, model = self.rng, self.model
        model.expire(self.ledger.clock.now())
        match rng.choice(["ask"] * 6 + ["move"] * 3 + ["end"] * 3 + ["wait"]):
            case "ask":
                await self._volley(number)
            case "move":
                spot, quantity = (rng.choice(SKUS), rng.choice(PLACES)), rng.randint(1, 6)
                kind = rng.choice(["receipt", "receipt", "sale"])
                await self.ledger.move(
                    a_movement(type=kind, sku=spot[0], location=spot[1], quantity=quantity)
                )
                model.sellable[spot] += quantity if kind == "receipt" else -quantity
            case "end" if model.held:
                await self._end(rng.choice(sorted(model.held)))
            case _:
                self.ledger.clock.advance(seconds=rng.randint(1, 90))
                model.expire(self.ledger.clock.now())

    async def _volley(self, number: int) -> None:
        """Several at once, some of them twice, in two processes."""
        asked = [self._asking(f"h{number}-{n}") for n in range(self.rng.randint(1, 5))]
        sent = [*asked, *self.rng.sample(asked, self.rng.randint(0, len(asked) // 2))]
        before = {spot: self.model.free(spot) for spot in self.model.sellable}
        owed = {sku: self.model.possible(sku, ()) for sku in SKUS}
        answers = await asyncio.gather(
            *(self._ask(self.rng.choice(self.counters), one) for one in sent)
        )
        told: dict[str, Hold] = {}
        for one, answer in zip(sent, answers, strict=True):
            assert told.setdefault(one.hold_id, answer) == answer, "the same id, another answer"
        if len(asked) == 1 and len(asked[0].lines) == 1:
            self._check_alone(asked[0], told[asked[0].hold_id])
        for one in asked:
            self._check_shape(one, told[one.hold_id])
        _check_together(told.values(), before, owed)
        for hold in told.values():
            if hold.state is HoldState.HELD:
                self.model.take(hold)
        self.accepted += sum(hold.state is HoldState.HELD for hold in told.values())

    def _asking(self, hold_id: str) -> Asking:
        rng = self.rng
        lines = tuple(
            a_line(rng.randint(1, 4), rng.choice(SKUS), *rng.choice([(), (), PLACES, ("L1",)]))
            for _ in range(rng.choice([1, 1, 1, 2, 3]))
        )
        return Asking(hold_id, lines, partial=rng.random() < 0.3, ttl=rng.randint(20, 200))

    async def _ask(self, counter: Counter, one: Asking) -> Hold:
        return await counter.hold(
            *one.lines, hold_id=one.hold_id, partial=one.partial, ttl_seconds=one.ttl
        )

    def _check_alone(self, one: Asking, answer: Hold) -> None:
        """Nobody else asked: nothing may be refused that there was, and nothing held beyond it."""
        [line], [wish] = answer.lines, one.lines
        possible = self.model.possible(wish.sku, wish.locations)
        held = sum(part.quantity for part in line.held)
        if possible >= wish.quantity:
            assert held == wish.quantity, (wish, possible, answer)
        elif one.partial:
            assert held == possible, (wish, possible, answer)
        else:
            assert held == 0, (wish, possible, answer)
            assert line.refused is not None
            assert line.refused.possible == possible, (wish, possible, answer)

    def _check_shape(self, one: Asking, answer: Hold) -> None:
        for wish, line in zip(one.lines, answer.lines, strict=True):
            held = sum(part.quantity for part in line.held)
            assert {part.location for part in line.held} <= set(wish.locations or PLACES)
            assert held + (line.refused.quantity if line.refused else 0) == wish.quantity
            if not one.partial:
                whole = answer.state is HoldState.HELD
                assert held == (wish.quantity if whole else 0), (wish, answer)

    async def _end(self, hold_id: str) -> None:
        rng, model, counter = self.rng, self.model, self.rng.choice(self.counters)
        until, parts = model.held[hold_id]
        match rng.choice(["release", "confirm", "extend"]):
            case "release":
                await counter.holding.release(hold_id)
                del model.held[hold_id]
            case "confirm":
                self.orders += 1
                held = await counter.holding.read(hold_id)
                assert held is not None
                lines = tuple(str(n) for n in range(len(held.lines)))
                told = Confirm(order_id=f"O{self.orders}", line_ids=lines)
                done = await counter.holding.confirm(hold_id, told)
                assert isinstance(done, Hold), done
                del model.held[hold_id]
                for spot, units in parts.items():
                    model.allocated[spot] = model.allocated.get(spot, 0) + units
            case _:
                later = until + timedelta(seconds=rng.randint(1, 60))
                await counter.holding.extend(hold_id, Extend(until=later))
                model.held[hold_id] = later, parts

    async def check(self, number: int) -> None:
        async with self.ledger.pool.acquire() as connection:
            rows = await explaining.read_levels(connection, list(SKUS), self.ledger.clock.now())
        book = {(str(row["sku"]), str(row["location"])): row for row in rows}
        for spot, sellable in self.model.sellable.items():
            row: Mapping[str, object] = book.get(spot, {})
            assert (
                row.get("sellable", 0), row.get("reserved", 0), row.get("allocated", 0)
            ) == (
                sellable, self.model.reserved(spot), self.model.allocated.get(spot, 0)
            ), (number, spot)  # fmt: skip
        assert await self.counters[0].miscounted() == [], number


def _check_together(
    answers: Iterable[Hold], before: Mapping[Spot, int], owed: Mapping[str, int]
) -> None:
    """However many asked at once: no more was accepted than there was."""
    taken: dict[Spot, int] = {}
    for line in (line for hold in answers for line in hold.lines):
        for held in line.held:
            spot = line.sku, held.location
            taken[spot] = taken.get(spot, 0) + held.quantity
    for spot, units in taken.items():
        assert units <= max(0, before[spot]), (spot, units, before)
    for sku in SKUS:
        of_sku = sum(units for (name, _), units in taken.items() if name == sku)
        assert of_sku <= owed[sku], (sku, of_sku, owed)


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_a_history_of_holds_is_what_the_model_says(database: str, seed: int) -> None:
    rng = random.Random(seed)
    async with open_bench(database) as ledger, AsyncExitStack() as stack:
        await ledger.know(skus=SKUS, locations=PLACES)
        counters = [await stack.enter_async_context(open_counter(ledger)) for _ in range(2)]
        await counters[0].refer(a_channel("web", *PLACES))
        history = History(ledger=ledger, counters=counters, rng=rng)

        for number in range(STEPS):
            if rng.random() < 0.1:  # a process dies with what it remembers; another takes its place
                counters[0] = await stack.enter_async_context(open_counter(ledger))
            await history.step(number)
            await history.check(number)

        assert history.accepted, "a history without a hold proves nothing"
