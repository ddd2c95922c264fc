"""Facts told again with other contents, moments and places, cancelled, in any order, doubled."""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest

from shared.testing.messages import NOON, a_movement
from tests.integration.ledger.bench import LedgerBench, open_bench
from tests.simulation.ledger.model import Told, level_of
from tests.simulation.ledger.test_histories import SIGNS, disturbed, tell_in_batches

SEEDS = 40
FACTS = 6
REVISIONS_MAX = 4
PLACES = [(sku, location) for sku in ("S1", "S2") for location in ("L1", "L2")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What one revision says."""

    kind: str
    sku: str
    location: str
    quantity: int
    moment: datetime


def a_content(rng: random.Random, before: Content | None) -> Content:
    """Another content: often only another quantity, or another moment, or all of it."""
    fresh = Content(
        kind=rng.choice([*SIGNS, "receipt", "count", "opening"]),
        sku=rng.choice(["S1", "S2"]), location=rng.choice(["L1", "L2"]),
        quantity=rng.randint(1, 9), moment=NOON + timedelta(minutes=rng.randint(-6, 6)),
    )  # fmt: skip
    if before is None or rng.random() < 0.3:
        return fresh
    moment = fresh.moment if rng.random() < 0.3 else before.moment
    return Content(
        kind=before.kind, sku=before.sku, location=before.location, quantity=fresh.quantity,
        moment=moment,
    )  # fmt: skip


def a_fact(rng: random.Random, number: int) -> tuple[list[dict[str, object]], Content | None]:
    """Every message about one fact, and what holds in the end; None: it was cancelled."""
    messages: list[dict[str, object]] = []
    content: Content | None = None
    document = {"kind": "note", "number": str(number)}
    moments: list[datetime] = []
    for revision in range(rng.randint(1, REVISIONS_MAX)):
        content = a_content(rng, content)
        moved = bool(moments) and moments[-1] != content.moment
        more: dict[str, object] = {}
        if content.kind == "disposal":
            more["reason"] = {"code": "broken"}
        if moved:
            more["corrects"] = {"occurred_at": moments[-1].isoformat()}
        paper = document | {"revision": revision}
        messages.append(
            a_movement(
                type=content.kind,
                sku=content.sku,
                location=content.location,
                quantity=content.quantity,
                occurred_at=content.moment,
                document=paper,
                ce_id=f"{number}/{revision}",
                **more,
            )
        )
        moments.append(content.moment)
    if rng.random() < 0.2:
        named = {"occurred_at": rng.choice(moments).isoformat(), "document": document}
        messages.append(
            a_movement(
                type="return",
                sku=rng.choice(["S1", "S2"]),
                reverses=named,
                document={"kind": "void", "number": str(number)},
                ce_id=f"{number}/void",
                occurred_at=NOON + timedelta(minutes=20),
            )
        )
        content = None
    return messages, content


def heard(contents: list[Content]) -> dict[tuple[str, str], list[Told]]:
    """The facts that hold, as the model hears them, by SKU and place."""
    found: dict[tuple[str, str], list[Told]] = {place: [] for place in PLACES}
    for number, one in enumerate(contents):
        id_ = str(number)
        if one.kind == "count":
            told = Told(id=id_, moment=one.moment, counted=one.quantity)
        elif one.kind == "opening":
            told = Told(id=id_, moment=one.moment, opened=one.quantity)
        else:
            told = Told(id=id_, moment=one.moment, change=SIGNS[one.kind] * one.quantity)
        found[one.sku, one.location].append(told)
    return found


def is_clear(contents: list[Content]) -> bool:
    """No two counts of one account at one moment: the model doesn't say which of them stands."""
    counts = [(c.sku, c.location, c.moment) for c in contents if c.kind == "count"]
    return len(counts) == len(set(counts))


def a_history(rng: random.Random) -> tuple[list[dict[str, object]], list[Content]]:
    while True:
        facts = [a_fact(rng, number) for number in range(FACTS)]
        contents = [content for _, content in facts if content is not None]
        if is_clear(contents):
            return [message for messages, _ in facts for message in messages], contents


async def levels(ledger: LedgerBench) -> dict[tuple[str, str], int]:
    rows = await ledger.ask(
        "select sku, location, sellable from ledger.levels join ledger.skus using (sku_id)"
        " join ledger.locations using (location_id)"
    )
    return {(str(r["sku"]), str(r["location"])): int(str(r["sellable"])) for r in rows}


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_the_level_is_that_of_what_holds_in_any_order(database: str, seed: int) -> None:
    rng = random.Random(seed)
    movements, contents = a_history(rng)
    async with open_bench(database) as ledger:
        await ledger.know(skus=["S1", "S2"], locations=["L1", "L2"])

        await tell_in_batches(ledger, rng, disturbed(rng, movements))

        found = await levels(ledger)
        assert await ledger.parked() == {}
        assert await ledger.unbalanced() == []
    expected = {place: level_of(told) for place, told in heard(contents).items()}
    assert {place: found.get(place, 0) for place in PLACES} == expected
