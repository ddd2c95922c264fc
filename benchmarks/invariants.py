"""What must hold when a run has ended, asked with SQL of our own; else its figures mean nothing."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TypeVar

from redis.asyncio import Redis

from shared.cache.versioned import HEADER, VersionedStrings
from shared.postgres.connecting import Connection

EXAMPLES_MAX = 3
Key = TypeVar("Key")

LEVELS_BY_MOVEMENTS = """
with sides as (
    select from_level as level_id, from_account as account_id, -quantity as delta
    from ledger.movements where from_level is not null
    union all
    select to_level, to_account, quantity from ledger.movements where to_level is not null),
told as (select level_id, account_id, sum(delta) as quantity from sides group by 1, 2),
held as (
    select level_id, 1::smallint as account_id, sellable as quantity from ledger.levels
    union all select level_id, account_id, quantity from ledger.balances)
select count(*) as checked,
       count(*) filter (where coalesce(t.quantity, 0) <> coalesce(h.quantity, 0)) as violations
from told t full join held h using (level_id, account_id)
"""
# Outside accounts have no level of their own: what they gave and took is told by the movements.
SUM_OVER_ACCOUNTS = """
with inside as (
    select sku_id, sum(quantity) as quantity from (
        select sku_id, sellable as quantity from ledger.levels
        union all
        select l.sku_id, b.quantity from ledger.balances b join ledger.levels l using (level_id)) i
    group by sku_id),
outside as (
    select l.sku_id, sum(case when m.from_level is null then -m.quantity
                              when m.to_level is null then m.quantity else 0 end) as quantity
    from ledger.movements m join ledger.levels l on l.level_id = coalesce(m.from_level, m.to_level)
    group by l.sku_id)
select count(*) as checked,
       count(*) filter (where coalesce(i.quantity, 0) + coalesce(o.quantity, 0) <> 0) as violations
from inside i full join outside o using (sku_id)
"""
SELLABLE = """
select s.sku, lo.location, l.sellable from ledger.levels l
join ledger.skus s using (sku_id) join ledger.locations lo using (location_id)
"""
VIEW = "select sku, version, view from availability.stock"
SCHEMAS = """
select schemaname from pg_tables where tablename = $1 and schemaname <> 'peer' order by 1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Invariant:
    """One statement about the books: how much was looked at, and how much of it was wrong."""

    name: str
    checked: int
    violations: int
    examples: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        return self.violations == 0

    def as_json(self) -> dict[str, object]:
        """For the report."""
        return {**asdict(self), "holds": self.holds}


def compared(name: str, wanted: Mapping[Key, object], found: Mapping[Key, object]) -> Invariant:
    """Equal key by key; a key that one side lacks is a violation."""
    wrong = [key for key in wanted.keys() | found.keys() if wanted.get(key) != found.get(key)]
    examples = (f"{key}: {wanted.get(key)} wanted, {found.get(key)} found" for key in wrong)
    return Invariant(
        name=name, checked=len(wanted.keys() | found.keys()), violations=len(wrong),
        examples=tuple(text for text, _ in zip(examples, range(EXAMPLES_MAX), strict=False)),
    )  # fmt: skip


async def levels_are_their_movements(connection: Connection) -> Invariant:
    """levels = Σ movements, per level and account."""
    return await _counted(connection, "levels = Σ movements", LEVELS_BY_MOVEMENTS)


async def accounts_sum_to_zero(connection: Connection) -> Invariant:
    """The sum over all accounts of a SKU is zero."""
    return await _counted(connection, "Σ over all accounts of a SKU = 0", SUM_OVER_ACCOUNTS)


async def posted_once(connection: Connection, distinct: int) -> Invariant:
    """As many movements as distinct ids were published."""
    posted = await connection.fetchval("select count(*) from ledger.movements")
    return compared(
        "posted = distinct ids published", {"movements": distinct}, {"movements": posted}
    )


async def nothing_left(connection: Connection, table: str) -> Invariant:
    """No row of `table` (`parked` or `unpublished`) in any service's schema."""
    schemas = [row[0] for row in await connection.fetch(SCHEMAS, table)]
    counts = {
        schema: await connection.fetchval(f'select count(*) from "{schema}".{table}')
        for schema in schemas
    }
    return compared(f"nothing {table}", dict.fromkeys(schemas, 0), dict(counts))


async def sellable_of(connection: Connection) -> dict[tuple[str, str], int]:
    """(sku, location) → own sellable units by the book; levels at zero count as none."""
    rows = await connection.fetch(SELLABLE)
    return {(sku, place): quantity for sku, place, quantity in rows if quantity}


async def view_of(connection: Connection) -> dict[str, tuple[int, bytes]]:
    """SKU → (version, packed view) of availability's Postgres."""
    return {sku: (version, view) for sku, version, view in await connection.fetch(VIEW)}


def shown_in(view: Mapping[str, tuple[int, bytes]], channel: str) -> dict[str, int]:
    """SKU → what the view shows a channel. The first line of a packed view is JSON by channel."""
    shown: dict[str, int] = {}
    for sku, (_, packed) in view.items():
        first = json.loads(packed.partition(b"\n")[0] or b"{}")
        shown[sku] = first.get(channel, {}).get("available_to_sell", 0)
    return shown


def offered(
    sellable: Mapping[tuple[str, str], int], *, location_buffer: int, channel_buffer: int
) -> dict[str, int]:
    """The formula written again: Σ max(0, free − location buffer) − channel buffer, at least 0.

    `free` is what is sellable, since a run holds nothing. Signed until the last step.
    """
    pools: dict[str, int] = {}
    for (sku, _), free in sellable.items():
        pools[sku] = pools.get(sku, 0) + max(0, free - location_buffer)
    return {sku: max(0, pool - channel_buffer) for sku, pool in pools.items()}


async def prefix_of(redis: Redis, sku: str) -> str | None:
    """What stands before `{sku}` in Redis' key of a SKU, or None where it has none."""
    async for key in redis.scan_iter(match=f"*{{{sku}}}", count=10_000):
        return str(key.decode()).removesuffix(f"{{{sku}}}")
    return None


async def in_redis(
    redis: Redis, prefix: str, skus: Sequence[str]
) -> dict[str, tuple[int, bytes] | None]:
    """SKU → (version, packed view) as Redis has it."""
    found = await VersionedStrings(redis, prefix=prefix, keys_per_call=500).get_many(skus)
    return {
        sku: None if one is None else (one.version, one.payload)
        for sku, one in zip(skus, found, strict=True)
    }


async def versions_in_redis(redis: Redis, prefix: str, skus: Sequence[str]) -> list[int | None]:
    """The version of each SKU's value: bytes 8 to 15 of its head; None where there is none."""
    async with redis.pipeline(transaction=False) as pipe:
        for sku in skus:
            pipe.getrange(f"{prefix}{{{sku}}}", 0, HEADER.size - 1)
        heads: list[bytes] = await pipe.execute()
    return [HEADER.unpack(head)[1] if len(head) == HEADER.size else None for head in heads]


async def _counted(connection: Connection, name: str, query: str) -> Invariant:
    row = await connection.fetchrow(query)
    assert row is not None, "an aggregate gives a row"
    return Invariant(name=name, checked=row["checked"], violations=row["violations"])
