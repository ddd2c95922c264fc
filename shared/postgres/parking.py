"""Parked messages: the only record of what was refused, and how it comes back.

Every service has a table `parked` of the same shape in its own schema. Taking a row and applying
its message is one transaction of the service: a message is parked or applied, never both, and who
takes a row second finds it taken.
"""

import json
import logging
import traceback
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

import asyncpg

from shared.kafka.batches import Batch, Message, Slice
from shared.postgres.connecting import TRANSIENT, Connection, Pool
from shared.telemetry.metrics import PARKED_TOTAL

log = logging.getLogger(__name__)

PARK = """
insert into {schema}.parked (topic, partition, kafka_offset, reason, detail, waits_for, key,
                             headers, value, parked_at)
select topic, partition, kafka_offset, reason, detail, waits_for, key, headers::jsonb, value, now()
from unnest($1::text[], $2::integer[], $3::bigint[], $4::text[], $5::text[], $6::text[],
            $7::bytea[], $8::text[], $9::bytea[])
    as i(topic, partition, kafka_offset, reason, detail, waits_for, key, headers, value)
on conflict (topic, partition, kafka_offset) do update set
    status = 'parked', reason = excluded.reason, detail = excluded.detail,
    waits_for = excluded.waits_for, released_at = null
"""
TAKE = """
update {schema}.parked set status = 'released', released_at = now()
where parked_id in (select parked_id from {schema}.parked
                    where parked_id = any($1::bigint[]) and status = 'parked'
                    order by parked_id for update skip locked)
returning parked_id, topic, partition, kafka_offset, key, headers, value, parked_at
"""
OPEN = """
select parked_id, topic, partition, kafka_offset, reason, detail, parked_at, status
from {schema}.parked
where status = 'parked' and parked_id > $1 and ($2::text is null or reason = $2)
order by parked_id limit $3
"""
SHOW = "select * from {schema}.parked where parked_id = $1"
COUNTS = "select reason, count(*) from {schema}.parked where status = 'parked' group by reason"
BURY = """
update {schema}.parked set reason = 'internal_error', detail = $2
where parked_id = $1 and status = 'parked'
"""

DETAIL_LENGTH = 4_000
INTERNAL_ERROR = "internal_error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A message that isn't applied, with its reason; `waits_for` names what would release it."""

    message: Message
    reason: str
    detail: str
    waits_for: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ParkedMessage:
    """A parked row in the shape of a message, so that the same code decodes it."""

    parked_id: int
    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


Told = Callable[[], None]  # what is done once the transaction has committed
Apply = Callable[[Connection, list[ParkedMessage]], Awaitable[Told]]


class Parking:
    """The parked messages of one service, by its schema."""

    def __init__(self, schema: str) -> None:
        self._park = PARK.format(schema=schema)
        self._take = TAKE.format(schema=schema)
        self._open = OPEN.format(schema=schema)
        self._show = SHOW.format(schema=schema)
        self._counts = COUNTS.format(schema=schema)
        self._bury = BURY.format(schema=schema)

    async def park(self, connection: Connection, refusals: Collection[Refusal]) -> None:
        """Keep refused messages; a replayed one that is refused again takes the new reason."""
        if not refusals:
            return
        latest = {_place(refusal.message): refusal for refusal in refusals}.values()
        messages = [refusal.message for refusal in latest]
        await connection.execute(
            self._park,
            [m.topic for m in messages], [m.partition for m in messages],
            [m.offset for m in messages], [r.reason for r in latest],
            [r.detail[:DETAIL_LENGTH].replace("\0", "\\0") for r in latest],
            [r.waits_for for r in latest], [m.key for m in messages],
            [_headers_text(m.headers) for m in messages], [m.value for m in messages],
        )  # fmt: skip

    async def take(self, connection: Connection, ids: Collection[int]) -> list[ParkedMessage]:
        """Take open rows for a replay, in the order they were parked; someone else's are left."""
        rows = await connection.fetch(self._take, list(ids))
        return [_message(row) for row in sorted(rows, key=lambda row: row["parked_id"])]

    async def replay(self, pool: Pool, ids: Collection[int], apply: Apply) -> int:
        """Take open rows and apply their messages in one transaction; returns how many were taken.

        Where a message breaks it, each comes in a transaction of its own, and the one that breaks
        stays parked as `internal_error`. Raises what passes by itself; then nothing has changed.
        """
        try:
            return await self._replay(pool, ids, apply)
        except TRANSIENT:
            raise
        except Exception as error:
            if len(ids) != 1:
                return sum([await self.replay(pool, [one], apply) for one in ids])
            (parked_id,) = ids
            log.exception(
                "replay failed", extra={"action": "replay_failed", "parked_id": parked_id}
            )
            async with pool.acquire(timeout=5) as connection:
                await connection.execute(self._bury, parked_id, traceback_of(error))
            return 1

    async def _replay(self, pool: Pool, ids: Collection[int], apply: Apply) -> int:
        async with pool.acquire(timeout=5) as connection, connection.transaction():
            taken = await self.take(connection, ids)
            if not taken:
                return 0
            told = await apply(connection, taken)
        told()
        log.info("replayed", extra={"action": "replayed", "messages": len(taken)})
        return len(taken)

    async def open_rows(
        self, connection: Connection, *, after: int, reason: str | None, limit: int
    ) -> list[dict[str, object]]:
        """Open rows by id, for people."""
        return [dict(row) for row in await connection.fetch(self._open, after, reason, limit)]

    async def open_ids(
        self, connection: Connection, *, reason: str | None, limit: int
    ) -> list[int]:
        """Ids of open rows of a reason, or of all."""
        return [row["parked_id"] for row in await connection.fetch(self._open, 0, reason, limit)]

    async def show(self, connection: Connection, parked_id: int) -> dict[str, object] | None:
        """One row whole, bytes as text; None where there is none."""
        row = await connection.fetchrow(self._show, parked_id)
        return None if row is None else {name: _readable(value) for name, value in row.items()}

    async def counts(self, connection: Connection) -> dict[str, int]:
        """Open rows per reason."""
        return {row[0]: row[1] for row in await connection.fetch(self._counts)}

    async def count(self, connection: Connection) -> int:
        """Open rows in all."""
        return sum((await self.counts(connection)).values())


def batch_of(messages: Iterable[ParkedMessage]) -> Batch:
    """The messages as a batch that can be read; it has no place in a log, so no fence."""
    ordered = sorted(messages, key=_place)
    slices: list[Slice] = []
    for (topic, partition), part in groupby(ordered, key=lambda m: (m.topic, m.partition)):
        found = tuple(part)
        slices.append(
            Slice(
                topic=topic, partition=partition, epoch=0, expected=found[0].offset,
                next_offset=found[-1].offset + 1, messages=found,
            )
        )  # fmt: skip
    return Batch(slices=tuple(slices))


def note_parked(service: str, refusals: Iterable[Refusal]) -> None:
    """Count and log what a committed transaction of `service` has parked."""
    for refusal in refusals:
        PARKED_TOTAL.labels(service, refusal.reason).inc()
        message = refusal.message
        log.info(
            "message parked",
            extra={"action": "parked", "reason": refusal.reason, "topic": message.topic,
                   "partition": message.partition, "offset": message.offset},
        )  # fmt: skip


def internal_error(message: Message, error: BaseException) -> Refusal:
    """The refusal of a message on which a bug was hit."""
    return Refusal(message=message, reason=INTERNAL_ERROR, detail=traceback_of(error))


def traceback_of(error: BaseException) -> str:
    """The end of an error's traceback, as text that a database takes."""
    text = "".join(traceback.format_exception(error))[-DETAIL_LENGTH:]
    return text.replace("\0", "\\0")


UNFENCED = Batch(slices=())
"""A fence of no partitions: it holds always, and moves no position."""


def _place(message: Message) -> tuple[str, int, int]:
    return message.topic, message.partition, message.offset


def _headers_text(headers: Sequence[tuple[str, bytes]]) -> str:
    """Headers as JSON; bytes that are no UTF-8 are kept readable, not exact."""
    pairs = [(name, value.decode("utf-8", "backslashreplace")) for name, value in headers]
    return json.dumps(pairs).replace("\\u0000", "\\\\0")


def _message(row: asyncpg.Record) -> ParkedMessage:
    parked_at: datetime = row["parked_at"]
    return ParkedMessage(
        parked_id=row["parked_id"], topic=row["topic"], partition=row["partition"],
        offset=row["kafka_offset"], timestamp=int(parked_at.timestamp() * 1000), key=row["key"],
        value=row["value"], headers=_headers(row["headers"]),
    )  # fmt: skip


def _headers(text: str) -> list[tuple[str, bytes]]:
    told = json.loads(text)
    pairs = told.items() if isinstance(told, dict) else told  # a mapping in rows of before
    return [(name, value.encode()) for name, value in pairs]


def _readable(value: object) -> object:
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else value
