"""Imports: one file at a time is read, checked whole, accepted in one moment, and then enters.

Nothing of a file is sent before it is accepted, and all of it is afterwards, whatever ends in
between: its rows stand in the database until each has become a record that the relay publishes.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import IO
from zoneinfo import ZoneInfo

import asyncpg

from services.catalog import metrics
from services.catalog.handlers import contesting
from services.catalog.handlers.columns import layout_of
from services.catalog.handlers.files import UnreadableFile, open_table
from services.catalog.handlers.staging import RowReader, refusal, stage
from services.catalog.repository import imports, records
from shared.postgres.connecting import TRANSIENT, Connection
from shared.runtime.clock import Clock
from shared.runtime.waiting import wait_for_event

log = logging.getLogger(__name__)

APPLY_SLICE = 2_000
FORGET_SLICE = 20_000
LOCK_SECONDS = 20.0
SWEEP_SECONDS = 30.0
POLL_SECONDS = 0.1

Opened = Callable[[], Awaitable["asyncpg.Connection[asyncpg.Record]"]]


class Busy(Exception):  # noqa: N818  (it names what is so)
    """Another file is being imported."""


@dataclass(slots=True, kw_only=True)
class Job:
    """A file that has arrived, and how it is to be taken."""

    kind: str
    file: IO[bytes]
    sha256: bytes
    name: str | None = None
    sheet: str | None = None
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    is_partial: bool = False
    is_dry_run: bool = False
    facts: dict[str, str] = field(default_factory=dict)


class Importing:
    """Takes files in, one at a time over all processes, and finishes what was accepted."""

    def __init__(
        self,
        opened: Opened,
        clock: Clock,
        closing: asyncio.Event,
        *,
        unpacked_bytes_max: int,
        woken: Callable[[], None],
        lock_seconds: float = LOCK_SECONDS,
    ) -> None:
        self._opened = opened
        self._clock = clock
        self._closing = closing
        self._unpacked_bytes_max = unpacked_bytes_max
        self._woken = woken
        self._lock_seconds = lock_seconds
        self._tasks: set[asyncio.Task[None]] = set()

    async def begin(self, job: Job) -> tuple[int, "asyncio.Task[None]"]:
        """Start an import; its task ends when it is settled, and raises nothing. Raises Busy."""
        ready: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(self._run(job, ready))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(ready), task

    async def _run(self, job: Job, ready: "asyncio.Future[int]") -> None:
        import_id: int | None = None
        try:
            async with self._alone() as connection:
                import_id = await imports.begin(
                    connection, job.kind, job.name, job.sha256,
                    is_partial=job.is_partial, is_dry_run=job.is_dry_run,
                )  # fmt: skip
                ready.set_result(import_id)
                await self._take_in_or_fail(connection, import_id, job)
        except Exception as error:
            if ready.done():
                log.exception(
                    "import failed", extra={"action": "import_failed", "import_id": import_id}
                )
            else:
                ready.set_exception(error)
        finally:
            ready.cancel()  # told already, or nobody will tell
            job.file.close()

    async def _take_in_or_fail(self, connection: Connection, import_id: int, job: Job) -> None:
        """What goes wrong is told; without a database, the next who looks after imports tells."""
        try:
            await self._finish_left(connection)
            await self._take_in(connection, import_id, job)
        except Exception as error:
            facts = job.facts | {"failed": f"{type(error).__name__}; send the file again"}
            with suppress(*TRANSIENT):
                await imports.settle(connection, import_id, "failed", {}, facts)
            raise

    async def run(self) -> None:
        """Finish what a crash has left, now and then; ends what is under way when told to close."""
        while not self._closing.is_set():
            try:
                async with self._alone() as connection:
                    await imports.fail_left(connection)
                    await self._finish_left(connection)
            except Busy:
                pass  # who imports finishes what is left
            except TRANSIENT as error:
                log.warning(
                    "imports could not be looked after yet",
                    extra={"action": "import_retry", "reason": repr(error)},
                )
            await wait_for_event(self._closing, SWEEP_SECONDS)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[Connection]:
        """A connection that nobody else imports beside. Raises Busy."""
        connection = await self._opened()
        try:
            deadline = self._clock.monotonic() + self._lock_seconds
            while not await imports.try_lock(connection):
                if self._clock.monotonic() >= deadline or self._closing.is_set():
                    raise Busy
                await wait_for_event(self._closing, POLL_SECONDS)
            yield connection
        finally:
            await connection.close(timeout=2)

    async def _take_in(self, connection: Connection, import_id: int, job: Job) -> None:
        earlier = await imports.earlier(connection, job.kind, job.sha256)
        if earlier is not None:
            job.facts["same_file_as_import"] = str(earlier)
        is_whole = await self._read(connection, import_id, job)
        await contesting.check(connection, import_id, job.kind)
        counts = await imports.count(connection, import_id)
        status = "accepted"
        if not is_whole or (counts["refused"] and not job.is_partial):
            status = "refused"
        elif job.is_dry_run:
            status = "checked"
        if not await imports.settle(connection, import_id, status, counts, job.facts):
            return
        log.info(
            "import checked",
            extra={"action": f"import_{status}", "import_id": import_id, "kind": job.kind, **{
                f"rows_{fate}": rows for fate, rows in counts.items()}},
        )  # fmt: skip
        for fate, rows in counts.items():
            metrics.IMPORT_ROWS.labels(fate).inc(rows)
        if status != "accepted":
            metrics.IMPORTS.labels(status).inc()
        await self._finish_left(connection)

    async def _read(self, connection: Connection, import_id: int, job: Job) -> bool:
        """Stage every row; False where the file could not be read to its end."""
        layout = layout_of(job.kind)
        try:
            table = await asyncio.to_thread(
                open_table, job.file, sheet=job.sheet, unpacked_max=self._unpacked_bytes_max,
                is_known=lambda name: layout.column(name) is not None,
            )  # fmt: skip
        except UnreadableFile as error:
            return await self._note_unreadable(connection, import_id, error)
        job.facts.update(table.facts)
        try:
            reader = RowReader(table, layout, job.zone)
            return await self._stage_all(connection, import_id, job, reader)
        except UnreadableFile as error:
            return await self._note_unreadable(connection, import_id, error)
        finally:
            table.let_go()

    async def _stage_all(
        self, connection: Connection, import_id: int, job: Job, reader: RowReader
    ) -> bool:
        total = 0
        while True:
            chunk = await asyncio.to_thread(reader.chunk)
            total += chunk.count
            async with connection.transaction():
                await stage(
                    connection, import_id, job.kind, chunk,
                    counts_revisions=reader.counts_revisions,
                )  # fmt: skip
                await imports.note_read(connection, import_id, total, job.facts)
            if chunk.broken is not None:
                raise chunk.broken
            if chunk.is_last:
                return True

    async def _note_unreadable(
        self, connection: Connection, import_id: int, error: UnreadableFile
    ) -> bool:
        found = refusal(error.line, None, error.reason, error.detail)
        await imports.find(connection, import_id, [found])
        return False

    async def _finish_left(self, connection: Connection) -> None:
        """Let accepted rows enter, and forget those that never will."""
        for import_id in await imports.left_accepted(connection):
            after = 0
            while (last := await self._apply(connection, import_id, after)) is not None:
                after = last
                self._woken()
            if await imports.note_applied(connection, import_id):
                metrics.IMPORTS.labels("applied").inc()
                log.info(
                    "import applied", extra={"action": "import_applied", "import_id": import_id}
                )
        for import_id in await imports.left_rows(connection):
            while await imports.forget_rows(connection, import_id, FORGET_SLICE):
                pass

    async def _apply(self, connection: Connection, import_id: int, after: int) -> int | None:
        """One slice, one transaction; returns the last line that it took, None for none."""
        async with connection.transaction():
            tied: list[str] = []
            if await imports.kind_of(connection, import_id) == "policy":
                await records.hold_gate(connection)
                tied = await contesting.tying_now(
                    connection, import_id, after=after, limit=APPLY_SLICE
                )
            return await imports.apply_slice(
                connection, import_id, after=after, limit=APPLY_SLICE, now=self._clock.now(),
                without=tied,
            )  # fmt: skip
