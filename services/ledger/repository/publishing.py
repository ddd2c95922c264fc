"""What the relay reads and forgets: dirty rows, and the latest state of the keys they name."""

from collections.abc import Collection, Mapping, Sequence

from services.ledger.repository.messages import (
    LevelState,
    LineRow,
    level_message,
    line_message,
)
from services.ledger.repository.suspensions import IS_SUSPENDED
from shared.kafka.producing import Outgoing
from shared.kafka.relaying import Flight
from shared.postgres.connecting import Connection, Pool
from shared.postgres.unpublished import UnpublishedRows

# Balances and fences are gathered once for all levels, not level by level: most have none.
LEVELS = f"""
select s.sku, lo.location, s.partition, l.version, l.sellable, l.reserved, l.allocated,
       l.anchored_at, l.last_partition, l.last_offset, b.balances, f.fences,
       {IS_SUSPENDED} as is_suspended
from ledger.levels l join ledger.skus s using (sku_id) join ledger.locations lo using (location_id)
left join (
    select b.level_id, array_agg(row(a.bucket, a.owner, a.counts_as, b.quantity)
                                 order by a.account_id) as balances
    from ledger.balances b join ledger.accounts a using (account_id)
    where b.level_id = any($1::integer[]) and b.quantity <> 0 group by b.level_id
) b on b.level_id = l.level_id
left join (
    select h.level_id, array_agg(row(h.hold_id, h.beneficiary::json ->> 'channel',
                                     h.quantity - h.used, h.held_until)
                                 order by h.held_until, h.hold_id, h.part) as fences
    from ledger.holds h
    where h.level_id = any($1::integer[]) and h.purpose = 'ring_fence' and h.settled_at is null
      and h.beneficiary is not null and h.used < h.quantity group by h.level_id
) f on f.level_id = l.level_id
where l.level_id = any($1::integer[])
"""  # noqa: S608  (only another module's constant is put into the text)
# A part of a kit's line is told in that line's message, and has none of its own.
BOOKED = """o.wanted, o.shipped, o.picked, o.short, o.unsourced, o.dated, o.in_parts, o.per_kit,
       (select array_agg(row(lo.location, a.quantity) order by a.level_id)
        from ledger.allocations a join ledger.levels l using (level_id)
        join ledger.locations lo using (location_id)
        where a.order_line_id = o.order_line_id) as booked,
       (select lo.location from ledger.levels l join ledger.locations lo using (location_id)
        where l.level_id = o.candidates[1]) as first_candidate"""
LINES = f"""
select o.order_line_id, o.order_id, o.line_id, o.partition, s.sku, o.revision, o.version,
       o.requested_for, o.is_kit, {BOOKED}
from ledger.order_lines o join ledger.skus s using (sku_id)
where o.order_line_id = any($1::bigint[]) and o.part_of is null
"""  # noqa: S608  (only this module's own constants are put into the text)
PARTS = f"""
select o.part_of, s.sku, {BOOKED}
from ledger.order_lines o join ledger.skus s using (sku_id)
where o.part_of = any($1::bigint[]) order by o.per_kit = 0, s.sku
"""  # noqa: S608  (as above)
REPUBLISH = """
insert into ledger.unpublished (kind, partition, keys)
select 'level', partition, array_agg(level_id) from (
    select level_id, partition, (row_number() over (order by level_id)) / 2000 as chunk
    from ledger.levels join ledger.skus using (sku_id)
    where level_id > $1 order by level_id limit $2) x
group by partition, chunk
"""
LAST_LEVEL = "select coalesce(max(level_id), 0) from ledger.levels"
REPUBLISH_SLICE = 20_000

# States remembered for the way out; what is beyond is read from its row.
REMEMBERED_MAX = 20_000


class Remembered:
    """Levels that this process has just committed, with the rows of `unpublished` that name them.

    Only what one statement has posted by itself is remembered: where more statements follow in the
    transaction, a level's state is known at its end only.
    """

    def __init__(self) -> None:
        self._rows: list[int] = []
        self._levels: dict[int, LevelState] = {}

    def remember(self, rows: Sequence[int], levels: Mapping[int, LevelState]) -> bool:
        """The rows of one commit, and all levels that they name, by level_id; bounded: without room
        all is forgotten and to be read, so that nothing older goes out after it; says so by False.
        """
        if len(self._levels) + len(levels) > REMEMBERED_MAX:
            self._rows, self._levels = [], {}
            return False
        self._rows += rows
        for level_id, state in levels.items():
            held = self._levels.get(level_id)
            if held is None or held.version < state.version:
                self._levels[level_id] = state
        return True

    @property
    def rows(self) -> Sequence[int]:
        """The rows that are remembered now."""
        return self._rows

    async def take(self) -> Flight:
        """What was remembered since the last time, as messages."""
        rows, levels = self._rows, self._levels
        self._rows, self._levels = [], {}
        return Flight(rows=rows, messages=[level_message(state) for state in levels.values()])


class LedgerStates(UnpublishedRows):
    """The relay's port to the ledger. One connection of the pool per call, short statements."""

    def __init__(self, pool: Pool) -> None:
        super().__init__(pool, schema="ledger")

    async def latest(self, keys: Collection[tuple[str, int]]) -> Sequence[Outgoing]:
        """The present state of each key as a message."""
        levels = [key for kind, key in keys if kind == "level"]
        lines = [key for kind, key in keys if kind == "line"]
        messages: list[Outgoing] = []
        async with self._pool.acquire(timeout=5) as connection:
            if levels:
                found = await connection.fetch(LEVELS, levels)
                messages += [level_message(LevelState(*row)) for row in found]
            if lines:
                messages += await _line_messages(connection, lines)
        return messages

    async def republish_all(self) -> int:
        """Mark every level dirty, in slices; returns how many. For a reader that starts empty."""
        async with self._pool.acquire(timeout=5) as connection:
            last: int = await connection.fetchval(LAST_LEVEL)
            for start in range(0, last, REPUBLISH_SLICE):
                await connection.execute(REPUBLISH, start, REPUBLISH_SLICE)
        return last


async def _line_messages(connection: Connection, keys: Collection[int]) -> list[Outgoing]:
    rows: Sequence[LineRow] = await connection.fetch(LINES, keys)
    parts: dict[int, list[LineRow]] = {}
    if kits := [row["order_line_id"] for row in rows if row["is_kit"]]:
        for part in await connection.fetch(PARTS, kits):
            parts.setdefault(part["part_of"], []).append(part)
    return [line_message(row, parts.get(row["order_line_id"], ())) for row in rows]
