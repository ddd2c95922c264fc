"""Reference data as told, what it makes due, and the channels' short numbers."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.availability.repository.stock import Opened
from shared.postgres.connecting import Connection

HELD = """
select kind, id, version, sku, record from availability.reference r
join unnest($1::text[], $2::text[]) as i(kind, id) using (kind, id)
"""
KEEP = """
with kept as (
    insert into availability.reference as r (kind, id, version, sku, record)
    select * from unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::bytea[])
    order by 1, 2
    on conflict (kind, id) do update
        set version = excluded.version, sku = excluded.sku, record = excluded.record
        where r.version <= excluded.version
    returning kind, id, version, sku, record)
insert into availability.reference_history (kind, id, version, sku, record)
select kind, id, version, sku, record from kept
"""
# As it was told by a moment; a policy that speaks of one SKU now may have spoken of many then.
SHARED_AT = """
select record from (
    select distinct on (kind, id) kind, id, sku, record from availability.reference_history
    where recorded_at <= $1 order by kind, id, recorded_at desc, version desc) latest
where sku is null order by kind, id
"""
SHARED = "select record from availability.reference where sku is null order by kind, id"
NUMBER_CHANNELS = """
insert into availability.channels (channel) select distinct unnest($1::text[]) order by 1
on conflict do nothing
"""
CHANNELS = "select channel, number from availability.channels"
RAISE_VERSION = """
update availability.policy_version set version = greatest(version + 1, $1) returning version
"""
SWEEP = """
insert into availability.sweeps (reason, is_forced)
select $1, $2 where not exists (
    select from availability.sweeps where next_sku_id = 0 and is_forced >= $2)
"""
ADD_DUE = """
insert into availability.due (at, key)
select at, key from unnest($1::timestamptz[], $2::text[]) as i(at, key) where at > $3
on conflict do nothing
"""
TAKE_DUE = """
delete from availability.due where (at, key) in (
    select at, key from availability.due where at <= now()
    order by at, key limit $1 for update skip locked)
returning key
"""
QUEUE = """
insert into availability.recompute (sku_id) select sku_id from availability.stock
where sku = any($1::text[]) on conflict do nothing
"""
TAKE_QUEUED = """
delete from availability.recompute where sku_id in (
    select sku_id from availability.recompute order by sku_id limit $1 for update skip locked)
returning sku_id
"""
TAKE_SWEEP = """
select sweep_id, next_sku_id, is_forced from availability.sweeps order by sweep_id limit 1
for update skip locked
"""
MOVE_SWEEP = "update availability.sweeps set next_sku_id = $2 where sweep_id = $1"
END_SWEEP = "delete from availability.sweeps where sweep_id = $1"
OPEN_WORK = """
select (select count(*) from availability.recompute)
     + (select count(*) from availability.sweeps)
     + (select count(*) from availability.stale_kits)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One record as it came: `sku` where it is a policy of one SKU, else None."""

    kind: str
    id: str
    version: int
    sku: str | None
    record: bytes


async def held(
    connection: Connection, keys: Sequence[tuple[str, str]]
) -> Mapping[tuple[str, str], Told]:
    """The records kept under these (kind, id)."""
    rows = await connection.fetch(HELD, [kind for kind, _ in keys], [id_ for _, id_ in keys])
    return {
        (row["kind"], row["id"]): Told(
            kind=row["kind"], id=row["id"], version=row["version"], sku=row["sku"],
            record=row["record"],
        )
        for row in rows
    }  # fmt: skip


async def keep(connection: Connection, told: Sequence[Told]) -> None:
    """Keep the records, none of which may stand behind what is held."""
    await connection.execute(
        KEEP, [t.kind for t in told], [t.id for t in told], [t.version for t in told],
        [t.sku for t in told], [t.record for t in told],
    )  # fmt: skip


async def shared_records(connection: Connection) -> list[bytes]:
    """Every record that concerns more than one SKU."""
    return [row[0] for row in await connection.fetch(SHARED)]


async def shared_records_at(connection: Connection, moment: datetime) -> list[bytes]:
    """The same as it had been told by a moment."""
    return [row[0] for row in await connection.fetch(SHARED_AT, moment)]


async def number_channels(connection: Connection, channels: Sequence[str]) -> None:
    """Give each channel its short number, once and for good."""
    await connection.execute(NUMBER_CHANNELS, list(channels))


async def channel_numbers(connection: Connection) -> dict[str, int]:
    """Channel → short number."""
    return {row[0]: row[1] for row in await connection.fetch(CHANNELS)}


async def raise_policy_version(connection: Connection, opened: Opened) -> Opened:
    """The version after a change of what concerns more than one SKU, which asks for a sweep."""
    version = await connection.fetchval(RAISE_VERSION, opened.at_us)
    await ask_sweep(connection, "reference data changed")
    return Opened(at=opened.at, policy_version=version)


async def ask_sweep(connection: Connection, reason: str, *, forced: bool = False) -> None:
    """Have every SKU computed again; one sweep that has not begun is enough for all askers.

    A forced one raises every version and tells everything, also what comes out as it was.
    """
    await connection.execute(SWEEP, reason, forced)


async def add_due(
    connection: Connection, moments: Iterable[tuple[datetime, str]], after: datetime
) -> None:
    """Keep the moments that are still to come."""
    found = list(moments)
    if found:
        await connection.execute(ADD_DUE, [at for at, _ in found], [k for _, k in found], after)


async def take_due(connection: Connection, limit: int) -> set[str]:
    """Take the keys that are due, the longest overdue first."""
    return {row[0] for row in await connection.fetch(TAKE_DUE, limit)}


async def queue(connection: Connection, skus: Sequence[str]) -> None:
    """Have these SKUs computed again."""
    await connection.execute(QUEUE, list(skus))


async def take_queued(connection: Connection, limit: int) -> list[int]:
    """Take SKUs to compute again; other workers take others."""
    return [row[0] for row in await connection.fetch(TAKE_QUEUED, limit)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """A pass over every SKU; `next_sku_id` is the last one done."""

    sweep_id: int
    next_sku_id: int
    is_forced: bool


async def take_sweep(connection: Connection) -> Sweep | None:
    """The first sweep that nobody else is working on, locked."""
    row = await connection.fetchrow(TAKE_SWEEP)
    return None if row is None else Sweep(**row)


async def move_sweep(connection: Connection, sweep_id: int, sku_id: int | None) -> None:
    """The sweep has come as far as `sku_id`; None: it is done."""
    if sku_id is None:
        await connection.execute(END_SWEEP, sweep_id)
    else:
        await connection.execute(MOVE_SWEEP, sweep_id, sku_id)


async def open_work(connection: Connection) -> int:
    """SKUs and sweeps that wait to be computed again."""
    found: int = await connection.fetchval(OPEN_WORK)
    return found
