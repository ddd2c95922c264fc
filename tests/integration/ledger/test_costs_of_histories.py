"""Seeded histories, told in any order and worked out in between, against a model of the average."""

import random
from dataclasses import dataclass, field
from fractions import Fraction

import pytest

from tests.integration.ledger.bench import LedgerBench, at
from tests.integration.ledger.test_costs import a_paper, cost, own, receipt, sale, work

ENTITIES = {"L1": "fr", "L2": "be"}
Told = dict[str, object]


@dataclass(slots=True)
class Account:
    """What the model thinks that an entity has."""

    quantity: int = 0
    average: Fraction | None = None


@dataclass(slots=True)
class Model:
    """Facts as they hold, one a minute, in their order: entity by entity, in fractions."""

    held: dict[str, Account] = field(
        default_factory=lambda: {entity: Account() for entity in ENTITIES.values()}
    )
    on_shelf: dict[str, int] = field(default_factory=lambda: dict.fromkeys(ENTITIES, 0))

    def tell(self, told: Told) -> None:
        place, units, kind = str(told["location"]), int(str(told["quantity"])), told["type"]
        giver, cost = self.held[ENTITIES[place]], told.get("unit_cost")
        worth = None if cost is None else Fraction(str(cost))
        if kind == "count":
            units -= self.on_shelf[place]
        if kind in ("receipt", "count"):
            self.on_shelf[place] += units
            enter(giver, units, worth)
            return
        self.on_shelf[place] -= units
        before = giver.average
        leave(giver, units, worth if kind == "supplier_return" else None)
        if kind == "transfer_dispatch":
            enter(self.held[ENTITIES[str(told["to_location"])]], units, before)


def enter(account: Account, units: int, worth: Fraction | None) -> None:
    had, account.quantity = account.quantity, account.quantity + units
    if worth is None:
        return
    if had <= 0 or account.average is None:
        account.average = worth
        return
    account.average = (account.average * had + worth * units) / account.quantity


def leave(account: Account, units: int, worth: Fraction | None) -> None:
    had, account.quantity = account.quantity, account.quantity - units
    if worth is None or account.average is None or account.quantity <= 0:
        return
    left = account.average * had - worth * units
    if left >= 0:
        account.average = left / account.quantity


def a_history(rng: random.Random) -> tuple[list[Told], list[Told]]:
    """What there is to tell, in any order; and the facts that come of it, in their own."""
    told, facts = [], []
    for minute in range(14):
        fact = a_fact(rng, minute)
        facts.append(fact)
        told.append(fact)
        if fact["type"] == "receipt" and rng.random() < 0.4:
            corrected = receipt(
                rng.randint(1, 30), a_cost(rng), minute, location=str(fact["location"]),
                **a_paper(minute, revision=1),
            )  # fmt: skip
            facts[-1] = corrected
            told.append(corrected)
    rng.shuffle(told)
    return told, facts


def a_cost(rng: random.Random) -> str:
    return f"{rng.randint(100, 2000) / 100:.2f}"


def a_fact(rng: random.Random, minute: int) -> Told:
    place, units = rng.choice(["L1", "L2"]), rng.randint(1, 20)
    more: Told = {"location": place, **a_paper(minute)}
    match rng.choice(["receipt", "receipt", "sale", "supplier_return", "dispatch", "count"]):
        case "receipt":
            return receipt(units, rng.choice([None, a_cost(rng), a_cost(rng)]), minute, **more)
        case "sale":
            return sale(units, minute, **more)
        case "supplier_return":
            taken = rng.choice([{}, {"unit_cost": a_cost(rng), "currency": "EUR"}])
            more |= {"type": "supplier_return", "from": {"location": place, "bucket": "sellable"}}
            return sale(units, minute, **more, **taken)
        case "dispatch":
            other = "L2" if place == "L1" else "L1"
            return sale(units, minute, type="transfer_dispatch", to_location=other, **more)
        case _:
            return sale(units, minute, type="count", **more)


@pytest.mark.parametrize("seed", range(24))
async def test_any_order_of_arrival_ends_at_the_models_averages(
    ledger: LedgerBench, seed: int
) -> None:
    rng = random.Random(seed)
    await own(ledger, ENTITIES)
    told, facts = a_history(rng)

    for one in told:
        await ledger.move(one)
        if rng.random() < 0.3:
            await work(ledger)
    while await work(ledger):
        pass

    model = Model()
    assert await ledger.parked() == {}
    for minute, fact in enumerate(facts):
        model.tell(fact)
        states = (await cost(ledger, minute + 0.5)).states
        for entity, account in model.held.items():
            found = states[entity].unit_cost if entity in states else None
            expected = account.average
            assert (found is None) == (expected is None), (minute, entity, found, expected)
            if found is not None and expected is not None:
                assert abs(Fraction(found) - expected) < Fraction(1, 10_000), (minute, entity)


AGAIN = """
with gone as (delete from ledger.cost_points)
insert into ledger.cost_dirty (sku_id, since, until)
select sku_id, '2020-01-01Z', max(costed_at) from ledger.levels where costed_at is not null
group by sku_id
"""
MOMENTS = 3
POINTS = "select at, states from ledger.cost_points order by at"


@pytest.mark.parametrize("seed", range(8))
async def test_what_was_worked_out_by_and_by_is_what_is_worked_out_at_once(
    ledger: LedgerBench, seed: int
) -> None:
    rng = random.Random(seed)
    await own(ledger, ENTITIES)
    history: list[Told] = [
        one | {"occurred_at": at(int(str(line)) % MOMENTS).isoformat()}
        for one in a_history(rng)[0]
        for line in [one["document"]["line"]]  # type: ignore[index]  # a message's plain values
    ]

    history += [an_opening(rng, line) for line in range(20, 23)]
    rng.shuffle(history)

    for one in history:
        await ledger.move(one)
        await work(ledger)
        by_and_by = await ledger.ask(POINTS)
        await ledger.ask(AGAIN)
        await work(ledger)

        assert await ledger.ask(POINTS) == by_and_by, one
    assert len(by_and_by) > 1


def an_opening(rng: random.Random, line: int) -> Told:
    told = receipt(rng.randint(1, 30), a_cost(rng), rng.randrange(MOMENTS), **a_paper(line))
    return told | {"type": "opening"}
