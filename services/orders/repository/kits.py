"""What kits are made of, by dated record."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from pydantic import TypeAdapter

from services.orders.domain.references import MadeOf
from shared.postgres.connecting import Connection

PARTS = TypeAdapter(tuple[tuple[str, int], ...])

# Most products are no kits and leave no row. One that is none by a dated record has its row, since
# another record of the SKU may make it a kit before or after.
KEEP = """
insert into orders.kits as k (record_id, sku, revision, deleted, since, until, parts)
select record_id, sku, revision, deleted, since, until, parts::jsonb
from unnest($1::text[], $2::text[], $3::bigint[], $4::boolean[], $5::timestamptz[],
            $6::timestamptz[], $7::text[])
    as i(record_id, sku, revision, deleted, since, until, parts)
where parts <> '[]' or since is not null
   or exists (select from orders.kits h where h.record_id = i.record_id)
order by record_id
on conflict (record_id) do update set
    revision = excluded.revision, deleted = excluded.deleted, since = excluded.since,
    until = excluded.until, parts = excluded.parts
where k.revision <= excluded.revision
"""
OF_SKUS = """
select sku, since, until, parts from orders.kits where sku = any($1::text[]) and not deleted
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class KitRecord:
    """One dated record of a product, as far as it speaks of parts."""

    record_id: str
    sku: str
    revision: int
    deleted: bool
    made_of: MadeOf


async def keep(connection: Connection, records: Sequence[KitRecord]) -> None:
    """Keep the records, one each; of equal revisions the later told wins."""
    if records:
        await connection.execute(
            KEEP, [r.record_id for r in records], [r.sku for r in records],
            [r.revision for r in records], [r.deleted for r in records],
            [r.made_of.since for r in records], [r.made_of.until for r in records],
            [PARTS.dump_json(r.made_of.parts).decode() for r in records],
        )  # fmt: skip


async def kits_of(connection: Connection, skus: Collection[str]) -> Mapping[str, Sequence[MadeOf]]:
    """Every record that says what one of these SKUs was, is or will be made of."""
    found: dict[str, list[MadeOf]] = {}
    for row in await connection.fetch(OF_SKUS, list(skus)):
        made_of = MadeOf(
            since=row["since"], until=row["until"], parts=PARTS.validate_json(row["parts"])
        )
        found.setdefault(row["sku"], []).append(made_of)
    return found
