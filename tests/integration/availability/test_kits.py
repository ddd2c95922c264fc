"""Kits on a real database: their figures follow their parts, whoever changes them and when."""

import asyncio
from collections.abc import AsyncIterator

import pytest_asyncio

from services.availability.domain.levels import Level
from services.availability.handlers.explaining import PartTold, Told, explain, explain_at
from services.availability.repository import kits
from services.availability.repository.lines import dated_demand
from shared.contracts.topics import AVAILABILITY, REFERENCE_DATA
from shared.kafka.producing import Outgoing
from shared.postgres.connecting import Connection
from tests.integration.availability.bench import (
    MIGRATIONS,
    AvailabilityBench,
    a_level,
    a_policy,
    open_bench,
    payload,
)


@pytest_asyncio.fixture(loop_scope="session")
async def other(
    availability: AvailabilityBench, database: str, redis_url: str
) -> AsyncIterator[AvailabilityBench]:
    """A second worker on the same database: it holds other partitions."""
    async with open_bench(database, redis_url, partition=1) as bench:
        yield bench


def a_kit(sku: str = "KIT", /, *, revision: int = 0, **parts: int) -> dict[str, object]:
    kit = [{"sku": part, "quantity": each} for part, each in parts.items()]
    return {"kind": "product", "sku": sku, "kit": kit, "revision": revision}


async def test_a_kit_declared_after_its_parts_has_its_figure_at_once(
    availability: AvailabilityBench,
) -> None:
    await availability.levels(a_level("P", "L1", 5), a_level("Q", "L1", 7), a_level("Q", "L2", 7))

    await availability.refer(a_kit(P=2, Q=1))

    assert await availability.figure("KIT") == 2


async def test_parts_told_after_the_kit_make_it_up(availability: AvailabilityBench) -> None:
    await availability.refer(a_kit(P=1, Q=1))
    assert await availability.figure("KIT") == 0

    await availability.levels(a_level("P", "L1", 5), a_level("Q", "L1", 3))
    await availability.settle()

    assert await availability.figure("KIT") == 3


async def test_a_change_of_a_part_reaches_its_kits_from_a_worker_that_remembers_it_as_none(
    availability: AvailabilityBench, other: AvailabilityBench
) -> None:
    """The other worker remembers the part from before the kit was declared."""
    await other.levels(a_level("P", "L1", 5))
    await availability.refer(a_kit(P=1))
    assert await availability.figure("KIT") == 5

    await other.levels(a_level("P", "L1", 2, version=2))
    await other.settle()

    assert await availability.figure("KIT") == 2


class HeldKit:
    """Stops a kit's computation after it has read the parts, before it writes."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.go_on = asyncio.Event()
        self.read = kits.parts

    async def __call__(self, connection: Connection, skus: list[str]) -> object:
        found = await self.read(connection, skus)
        self.reached.set()
        await self.go_on.wait()
        return found


async def test_a_kit_computed_on_an_older_part_does_not_have_the_last_word(
    availability: AvailabilityBench, other: AvailabilityBench, monkeypatch: object
) -> None:
    """C10 (a): A reads the part at 5, B commits the part at 3, A commits the kit at 5."""
    await availability.levels(a_level("P", "L1", 5))
    await availability.refer(a_kit(P=1))
    held = HeldKit()
    monkeypatch.setattr(kits, "parts", held)  # type: ignore[attr-defined]  # pytest's own fixture
    slow = asyncio.create_task(availability.levels(a_level("KIT", "L2", 1)))
    async with asyncio.timeout(10):
        await held.reached.wait()

    await other.levels(a_level("P", "L1", 3, version=2))
    held.go_on.set()
    await slow
    assert await availability.figure("KIT") == 6
    await availability.settle()

    assert await availability.figure("KIT") == 4


async def test_two_workers_changing_two_parts_of_a_kit_leave_it_right(
    availability: AvailabilityBench, other: AvailabilityBench
) -> None:
    await availability.refer(a_kit(P=1, Q=2))

    async def tell(bench: AvailabilityBench, sku: str) -> None:
        for version in range(1, 21):
            await bench.levels(a_level(sku, "L1", 3 * version, version=version))
            await bench.recomputing.turn()

    await asyncio.gather(tell(availability, "P"), tell(other, "Q"))
    await availability.settle()

    assert await availability.figure("KIT") == 30
    assert await availability.pool.fetchval("select count(*) from availability.stale_kits") == 0


async def test_a_kit_of_other_parts_follows_those_and_not_the_old_ones(
    availability: AvailabilityBench,
) -> None:
    await availability.levels(a_level("P", "L1", 5), a_level("Q", "L1", 9))
    await availability.refer(a_kit(P=1))

    await availability.refer(a_kit(Q=3, revision=1))
    assert await availability.figure("KIT") == 3
    await availability.refer(a_kit(revision=2))

    assert await availability.figure("KIT") == 0
    assert await availability.pool.fetchval("select count(*) from availability.kits") == 0


async def test_a_composition_that_is_dated_holds_from_its_time_on(
    availability: AvailabilityBench,
) -> None:
    await availability.levels(a_level("P", "L1", 5), a_level("Q", "L1", 9))
    await availability.refer(
        a_kit(P=1), a_kit(Q=1) | {"from": "2090-01-01T00:00:00Z"},
        a_kit("ONCE", P=1) | {"from": "2020-01-01T00:00:00Z", "until": "2021-01-01T00:00:00Z"},
    )  # fmt: skip

    due = await availability.pool.fetch("select key from availability.due")

    assert [row["key"] for row in due] == ["sku:KIT"]
    assert await availability.figure("KIT") == 5
    assert await availability.figure("ONCE") == 0


async def test_a_moment_that_is_due_for_a_part_reaches_its_kits(
    availability: AvailabilityBench,
) -> None:
    await availability.levels(a_level("P", "L1", 5))
    await availability.refer(a_kit(P=1))
    await availability.refer(
        a_policy("b", "location_buffer", 2, scope={"sku": "P"}, **{"from": "2090-01-01T00:00:00Z"})
    )
    packed = "replace(convert_from(facts, 'utf8'), '3786912000000000', '1000000')"
    await availability.pool.execute(
        f"update availability.stock set facts = convert_to({packed}, 'utf8')"
    )
    await availability.pool.execute("update availability.due set at = now() - interval '1 day'")

    await availability.settle()

    assert await availability.figure("KIT") == 3


async def test_a_policy_and_a_recall_of_a_part_reach_its_kits(
    availability: AvailabilityBench,
) -> None:
    await availability.levels(a_level("P", "L1", 5))
    await availability.refer(a_kit(P=1))

    await availability.refer(a_policy("b", "location_buffer", 2, scope={"sku": "P"}))
    assert await availability.figure("KIT") == 3
    await availability.refer(
        {"kind": "product", "sku": "P", "revision": 1, "life_cycle": {"recalled": True}}
    )

    assert await availability.figure("KIT") == 0


async def test_a_part_that_is_a_kit_counts_as_it_stands_and_a_circle_ends(
    availability: AvailabilityBench,
) -> None:
    await availability.refer(a_kit("K1", K2=1), a_kit("K2", K1=1))

    await availability.levels(a_level("K1", "L1", 4))
    await availability.settle()

    assert (await availability.figure("K1"), await availability.figure("K2")) == (4, 4)


async def messages(availability: AvailabilityBench, sku: str) -> list[Outgoing]:
    return [m for m in await availability.published() if payload(m)["sku"] == sku]


async def test_a_place_where_only_parts_lie_is_told_with_the_kit(
    availability: AvailabilityBench,
) -> None:
    await availability.refer(
        {"kind": "channel", "channel": "shop", "pool": ["L1"], "methods": ["collect"]}, a_kit(P=1)
    )
    await availability.published()

    await availability.levels(a_level("P", "L1", 5))
    await availability.settle()

    told = [AVAILABILITY.decode(message.value) for message in await messages(availability, "KIT")]
    offers = [told.by_location for told in told if getattr(told, "channel", "") == "shop"]  # type: ignore[union-attr]  # it was decoded
    assert [(o.location, o.offered, o.free, o.level_version) for o in offers[0]] == [
        ("L1", 5, 0, 0)
    ]


async def test_a_kit_whose_parts_change_without_changing_it_is_not_told_again(
    availability: AvailabilityBench,
) -> None:
    await availability.levels(a_level("P", "L1", 5), a_level("Q", "L1", 3))
    await availability.refer(a_kit(P=1, Q=1))
    await availability.published()

    await availability.levels(a_level("P", "L1", 4, version=2))
    await availability.settle()

    assert await messages(availability, "KIT") == []


async def test_explain_says_which_part_binds_where_now_and_then(
    availability: AvailabilityBench,
) -> None:
    await availability.levels(a_level("P", "L1", 5), a_level("Q", "L1", 9), a_level("Q", "L2", 9))
    await availability.refer(a_kit(P=1, Q=2), a_policy("b", "location_buffer", 2))

    now = await explain(availability.pool, "KIT", "web", None)
    at = await availability.pool.fetchval("select clock_timestamp()")
    parts = {
        "P": PartTold(levels={"L1": Level(1, 5)}),
        "Q": PartTold(levels={"L1": Level(1, 9), "L2": Level(1, 9)}),
    }
    then = await explain_at(
        availability.pool, "KIT", Told(at=at, levels={}, parts=parts), "web", None
    )

    assert now is not None
    assert now["kit"] == [{"sku": "P", "quantity": 1}, {"sku": "Q", "quantity": 2}]
    web = now["channels"]["web"]  # type: ignore[index]  # JSON values
    assert web["available_to_sell"] == 3
    enough = {
        part["sku"]: {name: place["enough_for"] for name, place in part["locations"].items()}
        for part in web["parts"]
    }
    assert enough == {"P": {"L1": 3, "L2": 0, "L3": 0}, "Q": {"L1": 3, "L2": 3, "L3": 0}}
    assert then["channels"] == now["channels"]


async def test_the_upgrade_reads_products_again_that_were_told_before_kits_were_kept(
    availability: AvailabilityBench,
) -> None:
    (migration,) = (path for path in MIGRATIONS.iterdir() if "_read_kits_again" in path.name)
    topics = "select topic from availability.positions order by 1"
    await availability.levels(a_level("P", "L1", 5))

    async with availability.pool.acquire() as connection:
        before = [row["topic"] for row in await connection.fetch(topics)]
        await connection.execute(migration.read_text())
        after = [row["topic"] for row in await connection.fetch(topics)]

    assert set(before) - set(after) == {REFERENCE_DATA.name}
    again = await availability.positions.claim(REFERENCE_DATA.name, 0, first_offset=0)
    assert again.next_offset == 0


async def test_a_kits_line_without_a_place_is_owed_in_parts_and_once(
    availability: AvailabilityBench,
) -> None:
    await availability.refer(a_kit(P=2, Q=1), a_kit("SINGLE", P=1))
    await availability.levels(a_level("P", "L1", 8), a_level("Q", "L1", 8))
    await availability.settle()
    line = {
        "order_id": "O1", "line_id": "1", "version": 2, "decided_for": 1, "sku": "KIT",
        "wanted": 1, "short": 1, "recorded_at": "2026-06-01T12:00:00Z",
        "parts": [{"sku": "P", "wanted": 2, "short": 2}, {"sku": "Q", "wanted": 1, "short": 1}],
    }  # fmt: skip

    await availability.allocate(line)
    await availability.settle()
    owed = [await availability.figure(sku) for sku in ("KIT", "P", "Q", "SINGLE")]
    served = {"sku": "P", "wanted": 2, "allocated": [{"location": "L1", "quantity": 2}]}
    await availability.allocate(
        line | {"version": 3, "short": 0, "parts": [served, {"sku": "Q", "wanted": 1}]}
    )
    await availability.settle()

    assert owed == [3, 6, 7, 6]
    assert await availability.figure("KIT") == 4


async def test_a_kits_line_for_later_counts_against_its_promise_and_its_parts(
    availability: AvailabilityBench,
) -> None:
    await availability.allocate(
        {"order_id": "O1", "line_id": "1", "version": 2, "decided_for": 1, "sku": "KIT",
         "wanted": 1, "dated": 1, "requested_for": "2026-09-01T00:00:00Z",
         "recorded_at": "2026-06-01T12:00:00Z",
         "parts": [{"sku": "P", "wanted": 2, "dated": 2}]},
    )  # fmt: skip

    async with availability.pool.acquire() as connection:
        dated = {sku: await dated_demand(connection, sku) for sku in ("KIT", "P")}

    assert {sku: [units for _, units in found] for sku, found in dated.items()} == {
        "KIT": [1], "P": [2],
    }  # fmt: skip
