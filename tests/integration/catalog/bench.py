"""The catalog without a broker: the real handler and imports on a real database, fed by hand."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import services.catalog
from services.catalog.domain.codes import Question
from services.catalog.handlers.answering import CodeAnswer, answer_code, answer_import
from services.catalog.handlers.arriving import Arrival
from services.catalog.handlers.batch import CatalogHandler
from services.catalog.handlers.importing import Importing, Job
from services.catalog.handlers.releasing import Releasing
from services.catalog.repository.publishing import CatalogStates
from shared.contracts.topics import REFERENCE_DATA
from shared.kafka.batches import Batch, Message
from shared.postgres.connecting import Connection, Pool, connect, open_pool
from shared.postgres.migrations import migrate
from shared.postgres.positions import Claim, Positions
from shared.runtime.clock import SystemClock
from shared.testing.messages import NOON, a_batch, a_message

MIGRATIONS = Path(services.catalog.__file__).parent / "migrations"
UNPACKED_MAX = 200_000_000

Json = dict[str, Any]  # what came over HTTP or out of a jsonb column


async def migrate_catalog(dsn: str) -> None:
    """The set-up of the template database."""
    connection = await connect(dsn, application="test")
    try:
        await migrate(connection, "catalog", MIGRATIONS)
    finally:
        await connection.close()


def a_policy(policy_id: str = "p1", **overrides: object) -> Json:
    """Two units held back on every channel."""
    return {"kind": "policy", "policy_id": policy_id, "term": "channel_buffer", "value": 2} | (
        overrides
    )


def a_code(code: str = "400", **overrides: object) -> Json:
    """GTIN 400 is one S1."""
    return {"kind": "identifier", "scheme": "gtin", "code": code, "sku": "S1"} | overrides


@dataclass(slots=True)
class CatalogBench:
    """Tells the catalog things and asks what it made of them."""

    handler: CatalogHandler
    importing: Importing
    releasing: Releasing
    pool: Pool
    states: CatalogStates
    positions: Positions
    changed: asyncio.Event
    claims: list[Claim] = field(default_factory=list)
    next_offset: int = 0

    async def batch(self, payloads: Sequence[Mapping[str, object] | bytes]) -> Batch:
        """A batch at the next offsets of partition 0."""
        if not self.claims:
            self.claims.append(await self.positions.claim(REFERENCE_DATA.name, 0, first_offset=0))
        expected = self.next_offset
        messages: list[Message] = [
            a_message(payload, offset=expected + place, topic=REFERENCE_DATA.name)
            for place, payload in enumerate(payloads)
        ]
        self.next_offset += len(messages)
        return a_batch(messages, epoch=self.claims[-1].epoch, expected=expected)

    async def tell(self, *payloads: Mapping[str, object] | bytes) -> None:
        """Apply one batch, and try ties again where policies changed."""
        batch = await self.batch(payloads)
        await self.handler.apply(batch, await self.handler.decode(batch))
        if self.changed.is_set():
            self.changed.clear()
            await self.releasing.release()

    async def bring(self, kind: str, content: str | bytes, **options: Any) -> Json:
        """Import a file; returns its report once it is settled."""
        import_id, task = await self.importing.begin(a_job(kind, content, **options))
        await task
        return await self.report(import_id)

    async def report(self, import_id: int) -> Json:
        """An import as the interface tells it."""
        async with self.pool.acquire() as connection:
            found = await answer_import(connection, import_id)
        assert found is not None
        return found

    async def sent(self) -> list[Json]:
        """What the relay would send now; it is forgotten as if acknowledged."""
        dirty = await self.states.unpublished((0,), 1000)
        messages = await self.states.latest(dirty.keys)
        await self.states.forget(dirty.rows)
        return [json.loads(message.value) for message in messages]

    async def code(self, code: str = "400", *, at: datetime = NOON, **more: Any) -> CodeAnswer:
        """The answer to a question about a GTIN."""
        question = Question(code=code, at=at, **({"scheme": "gtin"} | more))
        async with self.pool.acquire() as connection:
            return await answer_code(connection, question)

    async def parked(self) -> list[tuple[str, str]]:
        """Reason and detail of what is parked."""
        rows = await self.ask(
            "select reason, detail from catalog.parked where status = 'parked' order by parked_id"
        )
        return [(str(row["reason"]), str(row["detail"])) for row in rows]

    async def ids(self, kind: str) -> list[str]:
        """The records of a kind that are kept and not taken back."""
        rows = await self.ask(
            "select record_id from catalog.records where kind = $1 and not is_deleted"
            " order by record_id", kind,
        )  # fmt: skip
        return [str(row["record_id"]) for row in rows]

    async def ask(self, statement: str, *arguments: object) -> list[Json]:
        """Rows of a test's own SQL."""
        async with self.pool.acquire() as connection:
            return [dict(row) for row in await connection.fetch(statement, *arguments)]


def a_job(kind: str, content: str | bytes, **options: Any) -> Job:
    """A file that has arrived."""
    body = content.encode() if isinstance(content, str) else content
    arrival = Arrival(UNPACKED_MAX)
    arrival.add(body)
    return Job(kind=kind, sha256=arrival.finish(), file=arrival.file, **options)


def summary(report: Json) -> tuple[str, Json]:
    """Status, and how many rows had which fate."""
    return report["status"], {fate: rows for fate, rows in report["counts"].items() if rows}


def refusals(report: Json) -> list[tuple[int, str | None, str]]:
    """Line, column and reason of what was refused."""
    return [(one["line"], one["column"], one["reason"]) for one in report["refusals"]]


def warnings(report: Json) -> list[tuple[int, str | None, str]]:
    """Line, column and reason of what is worth a look."""
    return [(one["line"], one["column"], one["reason"]) for one in report["warnings"]]


@asynccontextmanager
async def open_bench(dsn: str, *, owner: str = "test") -> AsyncIterator[CatalogBench]:
    """The catalog on a migrated database."""
    pool = await open_pool(dsn, application="test", size_max=6)
    connection = await connect(dsn, application="test-batch")

    async def batch_connection() -> Connection:
        return connection

    changed, closing = asyncio.Event(), asyncio.Event()
    handler = CatalogHandler(batch_connection, SystemClock(), policies_changed=changed.set)
    importing = Importing(
        lambda: connect(dsn, application="test-import"), SystemClock(), closing,
        unpacked_bytes_max=UNPACKED_MAX, woken=lambda: None, lock_seconds=10,
    )  # fmt: skip
    try:
        yield CatalogBench(
            handler=handler, importing=importing, pool=pool, states=CatalogStates(pool),
            releasing=Releasing(pool, handler, changed, closing), changed=changed,
            positions=Positions(pool, schema="catalog", owner=owner),
        )  # fmt: skip
    finally:
        await connection.close()
        await pool.close()
