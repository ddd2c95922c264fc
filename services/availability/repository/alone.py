"""A batch of levels recorded in one statement, on rows as this worker last saw them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from services.availability.repository.stock import FENCE, Changes, Note, note_of
from shared.kafka.batches import Batch, Fenced
from shared.postgres.connecting import Connection

# What was decided holds only if nothing has changed since the rows were seen: the policy version,
# a row's version, and no moment has passed at which something comes to hold by time alone. If it
# doesn't hold the statement divides by zero, and the positions have not moved either. Locks in the
# order of all writers: positions, the policy version, SKUs by sku_id.
RECORD_ALONE = f"""
with {FENCE},
policy as (
    select p.version from gate, availability.policy_version p where p.version = $6 for share of p),
locked as materialized (
    select s.sku_id from policy, availability.stock s
    where s.sku_id = any($7::bigint[]) order by s.sku_id for update of s),
written as (
    update availability.stock s set version = i.version, unsourced = i.unsourced,
        levels = i.levels, view = i.view
    from policy, (select count(*) from locked) as after_locking,
         unnest($7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bytea[], $12::bytea[])
             as i(sku_id, held, version, unsourced, levels, view)
    where s.sku_id = i.sku_id and s.version = i.held
    returning 1),
noted as (
    insert into availability.unpublished (kind, partition, keys)
    select case when is_topic then 'topic' else 'view' end, partition, array_agg(key)
    from policy,
         unnest($13::boolean[], $14::integer[], $15::bigint[]) as k(is_topic, partition, key)
    group by is_topic, partition
    returning row_id, kind, keys)
select (select count(*) from gate) as is_open, now() as at,
       1 / (case when exists (select from gate)
                  and (not exists (select from policy)
                       or (select count(*) from written) <> cardinality($7::bigint[])
                       or now() >= $16::timestamptz)
                 then 0 else 1 end) as holds,
       (select array_agg(row(row_id, kind, keys)) from noted) as notes
"""  # noqa: S608  (our own text, no value in it)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alone:
    """What the statement left to be told, and the database's time."""

    at: datetime
    notes: Sequence[Note]


async def record_alone(
    connection: Connection,
    batch: Batch,
    changes: Changes,
    held: Sequence[int],
    *,
    policy_version: int,
    until: datetime | None,
) -> Alone | None:
    """Record the batch's changes of rows that still have the versions `held`, and commit.

    `until` is the first moment at which what was decided upon says something else. None when
    something has changed: then nothing is recorded. Raises Fenced.
    """
    slices, c = batch.slices, changes
    try:
        row = await connection.fetchrow(
            RECORD_ALONE,
            [part.topic for part in slices], [part.partition for part in slices],
            [part.epoch for part in slices], [part.expected for part in slices],
            [part.next_offset for part in slices],
            policy_version, c.ids, held, c.versions, c.unsourced, c.levels, c.views,
            c.is_topic, c.partitions, c.keys, until,
        )  # fmt: skip
    except asyncpg.DivisionByZeroError:
        return None
    assert row is not None, "a select without a table gives a row"
    if not row["is_open"]:
        raise Fenced
    told = row["notes"] or ()
    notes = [note_of(row_id, kind, keys, c.states) for row_id, kind, keys in told]
    return Alone(at=row["at"], notes=notes)
