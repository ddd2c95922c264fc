"""Reference data that requests are decided under, as told, and the numbers of its versions."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from shared.postgres.connecting import Connection

HELD = """
select kind, id, sku from ledger.reference
join unnest($1::text[], $2::text[]) as i(kind, id) using (kind, id)
"""
# Of two records with one key the higher revision wins, of equals the later told, which is also
# the one that compaction leaves.
KEEP = """
insert into ledger.reference as r (kind, id, revision, sku, record)
select * from unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::bytea[]) order by 1, 2
on conflict (kind, id) do update
    set revision = excluded.revision, sku = excluded.sku, record = excluded.record
    where r.revision <= excluded.revision and r.record <> excluded.record
returning kind, id, sku
"""
RAISE = """
update ledger.terms
set version = greatest(version + 1, (extract(epoch from now()) * 1000000)::bigint)
"""
RAISE_SKUS = """
update ledger.skus s set terms = s.terms + 1
from (select sku_id from ledger.skus where sku = any($1::text[]) order by sku_id for update) i
where s.sku_id = i.sku_id
"""
VERSION = "select version from ledger.terms"
SHARED = "select record from ledger.reference where sku is null order by kind, id"
OF_SKUS = "select sku, record from ledger.reference where sku = any($1::text[]) order by kind, id"

RecordKey = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One record as it came; `sku` where it speaks of one SKU alone."""

    kind: str
    id: str
    revision: int
    sku: str | None
    record: bytes

    @property
    def key(self) -> RecordKey:
        return self.kind, self.id


async def keep(connection: Connection, records: Sequence[Kept]) -> None:
    """Keep what is news, and raise the versions of what it concerns; one record a key."""
    keys = [record.key for record in records]
    before = {
        (row["kind"], row["id"]): row["sku"]
        for row in await connection.fetch(HELD, [k for k, _ in keys], [i for _, i in keys])
    }
    news = await connection.fetch(
        KEEP, [r.kind for r in records], [r.id for r in records], [r.revision for r in records],
        [r.sku for r in records], [r.record for r in records],
    )  # fmt: skip
    concerned: set[str | None] = {row["sku"] for row in news}
    concerned |= {before.get((row["kind"], row["id"]), row["sku"]) for row in news}
    if None in concerned:
        await connection.execute(RAISE)
    if skus := sorted(sku for sku in concerned if sku is not None):
        await connection.execute(RAISE_SKUS, skus)


async def terms_version(connection: Connection) -> int:
    """The version of what concerns more than one SKU."""
    found: int = await connection.fetchval(VERSION)
    return found


async def shared_records(connection: Connection) -> tuple[int, list[bytes]]:
    """Every record that concerns more than one SKU, under a version not above theirs.

    Records that come in between are newer than the version: a decision on them is not recorded,
    and they are read again.
    """
    version = await terms_version(connection)
    return version, [row[0] for row in await connection.fetch(SHARED)]


async def records_of_skus(connection: Connection, skus: Collection[str]) -> dict[str, list[bytes]]:
    """Products' records, and policies that speak of one SKU alone."""
    found: dict[str, list[bytes]] = {}
    for row in await connection.fetch(OF_SKUS, list(skus)):
        found.setdefault(row["sku"], []).append(row["record"])
    return found
