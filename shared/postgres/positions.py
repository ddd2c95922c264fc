"""Consumer positions of record: an epoch fences a predecessor, an expected offset fences a twin."""

from dataclasses import dataclass

from shared.postgres.connecting import Pool

CLAIM = """
insert into {schema}.positions as p (topic, partition, epoch, owner, next_offset)
values ($1, $2, 1, $3, $4)
on conflict (topic, partition) do update set epoch = p.epoch + 1, owner = excluded.owner
returning epoch, next_offset
"""
READ = "select next_offset from {schema}.positions where topic = $1 and partition = $2"

# The head of every batch statement. Whatever follows selects from `gate`: a fence that matches
# nothing must stop its siblings too, and a CTE by itself doesn't.
FENCE = """
fence as (
    update {schema}.positions p set next_offset = f.next_offset
    from (select * from unnest({first}::text[], {second}::integer[], {third}::bigint[],
                               {fourth}::bigint[], {fifth}::bigint[])
              as f(topic, partition, epoch, expected, next_offset)) f
    where p.topic = f.topic and p.partition = f.partition
      and p.epoch = f.epoch and p.next_offset = f.expected
    returning 1),
gate as (
    select 1 as open from (select count(*) as held from fence) c
    where c.held = cardinality({first}::text[]))
"""


def fence_sql(schema: str, first_parameter: int) -> str:
    """The `fence` and `gate` CTEs; five array parameters from `$first_parameter` on.

    They are topics, partitions, epochs, expected offsets and next offsets, one per slice.
    """
    names = ("first", "second", "third", "fourth", "fifth")
    places = {name: f"${first_parameter + i}" for i, name in enumerate(names)}
    return FENCE.format(schema=schema, **places)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What an owner holds: the epoch its batches must carry, and where to read on."""

    epoch: int
    next_offset: int


class Positions:
    """The positions of one service (its Postgres schema)."""

    def __init__(self, pool: Pool, *, schema: str, owner: str) -> None:
        self._pool = pool
        self._owner = owner
        self._claim = CLAIM.format(schema=schema)
        self._read = READ.format(schema=schema)

    async def read(self, topic: str, partition: int) -> int | None:
        """The next offset to read, or None where nobody has claimed the partition yet."""
        async with self._pool.acquire(timeout=5) as connection:
            found: int | None = await connection.fetchval(self._read, topic, partition)
        return found

    async def claim(self, topic: str, partition: int, *, first_offset: int) -> Claim:
        """Take the partition over: waits for a predecessor's open batch, then fences it.

        `first_offset` is where a partition begins that nobody has ever claimed.
        """
        async with self._pool.acquire(timeout=5) as connection:
            row = await connection.fetchrow(
                self._claim, topic, partition, self._owner, first_offset
            )
        assert row is not None, "an upsert with RETURNING gives a row"
        return Claim(epoch=row["epoch"], next_offset=row["next_offset"])
