"""What is to come in, beside what has."""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace
from datetime import datetime, timedelta

import asyncpg

from services.ledger.domain.goods_in import Came, GoodsIn, state_of
from shared.postgres.connecting import Connection
from shared.postgres.supply import SupplyRows, line_of
from shared.stock.supply import SupplyLine

SUPPLY = SupplyRows(schema="ledger")
SLICE = 1_000

# Receipts by the supply line that they name, less what corrections have taken back; what goes from
# quality control to the damaged, or back to its supplier, under the same line.
CAME = """
coalesce(sum(case when m.type not in ('receipt', 'transfer_receipt') then 0
                  when t.counts_as <> 'outside' then m.quantity else -m.quantity end), 0)::bigint
    as came,
coalesce(sum(case when m.type <> 'inspection' then 0 when t.bucket = 'damaged' then m.quantity
                  when f.bucket = 'damaged' then -m.quantity else 0 end), 0)::bigint as damaged,
coalesce(sum(case when m.type <> 'supplier_return' then 0 when t.bucket = 'supplier' then m.quantity
                  else -m.quantity end), 0)::bigint as sent_back,
max(m.occurred_at) as last_at
"""
SIDES = """
join ledger.accounts f on f.account_id = m.from_account
join ledger.accounts t on t.account_id = m.to_account
"""
OF_LINE = f"""
cross join lateral (
    select {CAME} from ledger.movements m {SIDES}
    where m.details ? 'supply_line' and m.details #>> '{{supply_line,supply_id}}' = l.supply_id
      and m.details #>> '{{supply_line,line_id}}' = l.line_id) c
"""  # noqa: S608  (only this module's own constants are put into the text)
LINES = f"""
select l.*, o.state, o.type, o.supplier_id, o.is_open, c.*
from ledger.supply_lines l join ledger.supply_orders o using (supply_id) {OF_LINE}
where o.state <> 'draft' and (o.is_open or o.changed_at >= $1)
  and (l.supply_id, l.line_id) > ($2, $3) and ($4::text is null or l.location = $4)
  and ($5::text is null or l.supply_id = $5)
order by l.supply_id, l.line_id limit $6
"""  # noqa: S608  (only this module's own constants are put into the text)
OPEN = f"""
select l.*, c.came from ledger.supply_lines l join ledger.supply_orders o using (supply_id)
{OF_LINE} where l.sku = any($1::text[]) and o.is_open
"""  # noqa: S608  (as above)
# What came in under a line that nobody has told of.
UNANNOUNCED = f"""
select m.supply_id, m.line_id, s.sku, lo.location, {CAME}
from (select *, details #>> '{{supply_line,supply_id}}' as supply_id,
             details #>> '{{supply_line,line_id}}' as line_id
      from ledger.movements where details ? 'supply_line' and recorded_at >= $1) m {SIDES}
join ledger.levels l on l.level_id = case when t.counts_as <> 'outside' then m.to_level
                                          else m.from_level end
join ledger.skus s using (sku_id) join ledger.locations lo using (location_id)
where (m.supply_id, m.line_id) > ($2, $3)
  and ($4::text is null or lo.location = $4) and ($5::text is null or m.supply_id = $5)
  and not exists (select from ledger.supply_lines k
                  where k.supply_id = m.supply_id and k.line_id = m.line_id)
group by m.supply_id, m.line_id, s.sku, lo.location
order by m.supply_id, m.line_id limit $6
"""  # noqa: S608  (as above)


async def open_lines(connection: Connection, skus: Collection[str]) -> list[SupplyLine]:
    """Lines of open supply orders of these SKUs: what has come in is received, told or not."""
    found = []
    for row in await connection.fetch(OPEN, list(skus)):
        line = line_of(row)
        found.append(replace(line, received=max(line.received, row["came"])))
    return found


async def goods_in(
    connection: Connection,
    now: datetime,
    *,
    since: datetime,
    after: tuple[str, str] = ("", ""),
    location: str | None = None,
    supply_id: str | None = None,
    limit: int,
) -> list[GoodsIn]:
    """Lines of supply orders that are open, or that changed since a moment, with what came in;
    and what came in since then under lines that nobody has told of. In the order of their names.
    """
    asked = (since, *after, location, supply_id, limit)
    found = [
        GoodsIn(
            line=line_of(row), came=_came(row), order_state=row["state"], type=row["type"],
            supplier_id=row["supplier_id"],
            state=state_of(line_of(row), _came(row), now, is_open=row["is_open"]),
        )
        for row in await connection.fetch(LINES, *asked)
    ]  # fmt: skip
    found += [
        GoodsIn.unannounced(
            row["supply_id"], row["line_id"], row["sku"], row["location"], _came(row)
        )
        for row in await connection.fetch(UNANNOUNCED, *asked)
    ]
    return sorted(found, key=lambda one: (one.line.supply_id, one.line.line_id))[:limit]


def counter_of(
    now: Callable[[], datetime], looking_back: timedelta
) -> Callable[[Connection], Awaitable[int]]:
    """Counts the lines that somebody must look at."""

    async def counted(connection: Connection) -> int:
        total, after, since = 0, ("", ""), now() - looking_back
        while found := await goods_in(connection, now(), since=since, after=after, limit=SLICE):
            total += sum(one.is_deviating for one in found)
            after = (found[-1].line.supply_id, found[-1].line.line_id)
        return total

    return counted


def _came(row: asyncpg.Record) -> Came:
    return Came(row["came"], row["damaged"], row["sent_back"], row["last_at"])
