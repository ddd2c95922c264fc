"""SKUs that were looked for at a place in vain: suspended there until they are counted."""

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from services.ledger.domain.lines import LevelId
from shared.postgres.connecting import Connection

# Of a level `l`. What is sold from was neither counted nor opened since: whether the count or the
# short pick is told first makes no difference.
IS_SUSPENDED = """(l.suspended_at is not null and not exists (
    select from ledger.anchors c where c.level_id = l.level_id and c.account_id = 1
      and c.moment >= l.suspended_at))"""
SUSPEND = """
with told as (
    insert into ledger.suspensions (level_id, at, order_id, line_id)
    select distinct * from unnest($1::integer[], $2::timestamptz[], $3::text[], $4::text[])
    on conflict do nothing returning level_id, at),
moved as (
    update ledger.levels l set
        suspended_at = t.at,
        version = greatest(l.version + 1, (extract(epoch from now()) * 1000000)::bigint)
    from (select level_id, max(at) as at from told group by level_id) t
    where l.level_id = t.level_id and (l.suspended_at is null or l.suspended_at < t.at)
    returning l.level_id, l.sku_id)
insert into ledger.unpublished (kind, partition, keys)
select 'level', s.partition, array_agg(m.level_id)
from moved m join ledger.skus s using (sku_id) group by s.partition
"""
OPEN = f"""
from ledger.levels l join ledger.skus s using (sku_id) join ledger.locations lo using (location_id)
where {IS_SUSPENDED}
"""
COUNT = f"select count(*) {OPEN}"
# The longest waiting first. A level has one row however often it was looked through.
LIST = f"""
select l.level_id, s.sku, lo.location, l.suspended_at as at, l.sellable,
       (select array_agg(distinct p.order_id) from ledger.suspensions p
        where p.level_id = l.level_id and p.at = l.suspended_at) as orders
{OPEN} and l.level_id > $1 and ($2::text is null or lo.location = $2)
order by l.level_id limit $3
"""  # noqa: S608  (only this module's own constants are put into the text)


class InVain(NamedTuple):
    """Somebody looked for an order line's goods at a level and found none."""

    level: LevelId
    at: datetime
    order_id: str
    line_id: str


async def suspend(connection: Connection, told: Collection[InVain]) -> None:
    """Suspend levels, which are locked; what is known already changes nothing."""
    await connection.execute(
        SUSPEND, [one.level for one in told], [one.at for one in told],
        [one.order_id for one in told], [one.line_id for one in told],
    )  # fmt: skip


async def count_suspended(connection: Connection) -> int:
    """Levels that wait to be counted."""
    found: int = await connection.fetchval(COUNT)
    return found


async def list_suspended(
    connection: Connection, *, location: str | None, after: int, limit: int
) -> list[dict[str, object]]:
    """What waits to be counted, from level number `after` on."""
    return [dict(row) for row in await connection.fetch(LIST, after, location, limit)]
