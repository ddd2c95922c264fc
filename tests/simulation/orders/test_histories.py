"""Random histories of orders, told late, twice and among late reference data, against a model."""

import random
from collections.abc import Sequence

from tests.integration.orders.bench import Json, OrdersBench, open_bench

SEEDS = 12
ORDERS_PER_SEED = 6
SKUS = ("S1", "S2", "S3")
LISTINGS = {"A1": ("S1", 1), "A2": ("S2", 6), "A3": ("S3", 2)}
STATES = ("pending_payment", "confirmed", "confirmed", "confirmed", "closed", "cancelled")


def references() -> list[Json]:
    """The channel, its listings, and the SKUs that they are."""
    channel: Json = {"kind": "channel", "channel": "web", "pool": ["L1", "L2"]}
    products: list[Json] = [{"kind": "product", "sku": sku} for sku in SKUS]
    listings: list[Json] = [
        {"kind": "listing", "channel": "web", "listing_id": name, "sku": sku,
         "units_per_listing": units}
        for name, (sku, units) in LISTINGS.items()
    ]  # fmt: skip
    return [channel, *products, *listings]


def history(rng: random.Random, order_id: str) -> list[Json]:
    """States of one order with revisions of their own; a line may change, go and come back."""
    return [
        {
            "order_id": order_id, "channel": "web", "version": version,
            "state": rng.choice(STATES), "placed_at": "2026-06-01T09:00:00Z",
            "lines": [
                {"line_id": line_id, "quantity": rng.randint(1, 6), "cancelled": rng.randint(0, 2),
                 **({"sku": rng.choice(SKUS)} if rng.random() < 0.5
                    else {"listing": rng.choice(list(LISTINGS))})}
                for line_id in ("1", "2", "3") if rng.random() < 0.8
            ],
        }
        for version in range(rng.randint(1, 6))
    ]  # fmt: skip


def model(states: Sequence[Json]) -> dict[tuple[str, str, str], int]:
    """(order, line, SKU) → units wanted, of every line that wants any: the last state, less all
    that was ever cancelled.
    """
    last = max(states, key=lambda state: int(str(state["version"])))
    if last["state"] not in ("confirmed", "closed"):
        return {}
    wanted: dict[tuple[str, str, str], int] = {}
    for line in lines_of(last):
        line_id = str(line["line_id"])
        cancelled = max(
            int(str(other["cancelled"]))
            for state in states
            for other in lines_of(state)
            if other["line_id"] == line_id
        )
        sku, units = LISTINGS.get(str(line.get("listing")), (str(line.get("sku")), 1))
        if (left := int(str(line["quantity"])) - cancelled) > 0:
            wanted[str(last["order_id"]), line_id, sku] = left * units
    return wanted


def lines_of(state: Json) -> list[Json]:
    lines = state["lines"]
    assert isinstance(lines, list)
    return lines


async def tell_in_batches(bench: OrdersBench, rng: random.Random, told: list[Json]) -> None:
    """Everything in batches of every size, reference data and orders on their own topics."""
    rest = told
    while rest:
        size = rng.choice([1, 2, 5, 20])
        batch, rest = rest[:size], rest[size:]
        records = [one for one in batch if "kind" in one]
        states = [one for one in batch if "kind" not in one]
        if records:
            await bench.refer(*records)
        if states:
            await bench.order(*states)


async def test_any_order_and_duplication_gives_the_wishes_of_the_last_states(
    database: str,
) -> None:
    expected: dict[tuple[str, str, str], int] = {}
    sent: dict[tuple[object, object], Json] = {}
    async with open_bench(database) as bench:
        for seed in range(SEEDS):
            rng = random.Random(seed)
            told = references()
            for number in range(ORDERS_PER_SEED):
                states = history(rng, f"{seed}-{number}")
                expected |= model(states)
                told += [state for state in states for _ in range(rng.choice([1, 1, 2, 3]))]
            rng.shuffle(told)

            await tell_in_batches(bench, rng, told)

        for command in await bench.sent_values():
            key = (command["order_id"], command["line_id"])
            sent[key] = max(sent.get(key, command), command, key=lambda c: int(str(c["revision"])))
        waiting = await bench.states.waiting()
        parked = await bench.ask("select reason from orders.parked")

    found = {
        (str(c["order_id"]), str(c["line_id"]), str(c["sku"])): c["wanted"]
        for c in sent.values()
        if c["wanted"]
    }
    assert parked == []
    assert waiting == {}
    assert found == expected
