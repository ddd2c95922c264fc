"""The mirror: Redis gets every view that Postgres has, whole, and never an older one.

What a transaction changed stands in `unpublished` until it has arrived, so a crash between commit
and write loses nothing. A wiped, restarted or replaced Redis begins a new generation, which is
written from the first SKU on, in slices, while changes go on arriving.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime

from services.availability import metrics
from services.availability.repository.progress import Progress, ProgressRows
from services.availability.repository.publishing import DirtyStates, ViewEntry
from shared.cache.connecting import REDIS_ERRORS
from shared.cache.generations import GenerationMark
from shared.cache.versioned import Outcome, VersionedStrings
from shared.postgres.connecting import TRANSIENT
from shared.runtime.clock import Clock
from shared.runtime.waiting import wait_for_event

log = logging.getLogger(__name__)

POLL_SECONDS = 0.25
BEAT_SECONDS = 0.5
RETRY_SECONDS = 0.5
ROWS_MAX = 64
REBUILD_SLICE = 2_000


class _Behind(Exception):  # noqa: N818  (it says where this writer stands)
    """Redis holds a newer generation than this writer knows."""


class Mirror:
    """Writes views to Redis behind the commits. One per worker, for the partitions it holds."""

    def __init__(
        self,
        states: DirtyStates,
        progress: ProgressRows,
        partitions: Callable[[], Collection[int]],
        clock: Clock,
        closing: asyncio.Event,
        *,
        restored: Callable[[], Awaitable[None]],
    ) -> None:
        self._states = states
        self._progress = progress
        self._partitions = partitions
        self._clock = clock
        self._closing = closing
        self._restored = restored
        self._woken = asyncio.Event()
        self._strings: VersionedStrings | None = None
        self._mark: GenerationMark | None = None
        self._run_id = ""
        self._generation: int | None = None
        self._beaten_at = float("-inf")
        self._arrived: list[int] = []
        self._read_at = float("-inf")
        self._pending: tuple[datetime, int] | None = None
        self.away: str | None = None

    def attach(self, strings: VersionedStrings, mark: GenerationMark) -> None:
        """The two ports, which need the client that needs this mirror's `on_server`."""
        self._strings, self._mark = strings, mark

    def on_server(self, run_id: str) -> None:
        """A connection was made; to another server than before, nothing holds."""
        if run_id != self._run_id:
            self._run_id = run_id
            self._generation = None

    def wake(self) -> None:
        """Called in process after a commit."""
        self._woken.set()

    async def run(self) -> None:
        """Mirror until told to close, and once more for what the last batch left."""
        while not self._closing.is_set():
            await wait_for_event(self._woken, POLL_SECONDS)
            self._woken.clear()
            await self.turn(is_polling=self._is_poll_due())
        await self.turn()

    async def turn(self, *, is_polling: bool = True) -> None:
        """Write what is dirty, a slice of a rebuild, and a beat; a dependency away ends it. Without
        `is_polling` what is dirty is what this process remembers.
        """
        try:
            if self._generation is None or self._is_beat_due():
                await self._look()
            await self._drain(is_polling=is_polling)
            while is_polling and await self._rebuild_slice() and not self._closing.is_set():
                await self._drain()
            self.away = None
        except (*REDIS_ERRORS, *TRANSIENT) as error:
            self._say_away(error)
            await wait_for_event(self._closing, RETRY_SECONDS)
        except _Behind:
            self._generation = None

    def _is_beat_due(self) -> bool:
        return self._clock.monotonic() - self._beaten_at >= BEAT_SECONDS

    def _say_away(self, error: BaseException) -> None:
        if self.away is None:
            log.warning(
                "the view in Redis waits",
                extra={"action": "mirror_waits", "reason": repr(error)},
            )
        self.away = repr(error)

    async def _look(self) -> None:
        """Judge what Redis holds: go on in its generation and beat, or begin a new one."""
        assert self._mark is not None, "attach first"
        mark = await self._mark.read()
        progress = await self._progress.read()
        self._beaten_at = self._clock.monotonic()
        made_for = f"{self._run_id}/{progress.history}"
        if (
            mark is not None
            and mark.generation == progress.generation
            and mark.made_for == self._run_id
            and progress.made_for == made_for
        ):
            self._enter(mark.generation)
            await self._beat(progress)
            return
        await self._begin(progress, made_for)

    def _enter(self, generation: int) -> None:
        """Write in this generation from now on, and only what Postgres says from now on: the one
        before may have held newer views than those that this worker remembers for its open rows.
        """
        if generation != self._generation:
            self._states.forget_remembered()
        self._generation = generation

    async def _begin(self, progress: Progress, made_for: str) -> None:
        assert self._mark is not None, "attach first"
        self._generation, self._pending = None, None
        generation = await self._progress.begin_generation(progress.generation, made_for)
        if generation is None:
            return  # another worker was first: the next look finds its generation
        await self._mark.begin(generation, self._run_id)
        self._enter(generation)
        metrics.CACHE_GENERATIONS.inc()
        log.info(
            "new generation of the view in Redis",
            extra={"action": "generation_begun", "generation": generation},
        )
        before = progress.made_for.partition("/")[2]
        if before not in ("", progress.history):
            # Another Postgres than before: one restored from a backup has given out versions
            # that it no longer knows of.
            await self._restored()

    async def _beat(self, progress: Progress) -> None:
        """Say how old the view in Redis is, once it holds what Postgres held at that age."""
        assert self._mark is not None, "attach first"
        if self._pending is None and progress.as_of is not None:
            self._pending = progress.as_of, await self._progress.last_open_view() or 0
        if self._pending is None or progress.rebuilt_to is not None:
            return
        as_of, last_open = self._pending
        if last_open and await self._progress.has_open_view(last_open):
            return
        self._pending = None
        as_of_ms = int(as_of.timestamp() * 1000)
        if not await self._mark.beat(progress.generation, self._run_id, as_of_ms):
            self._generation = None

    async def _drain(self, *, is_polling: bool = True) -> None:
        """From memory what this process has committed; the rows are read every 250 ms, and
        before that those that have arrived are deleted.
        """
        partitions = self._partitions()
        while partitions and self._generation is not None:
            rows, entries = self._states.take_views()
            if rows:
                await self._put(entries)
                self._arrived += rows
            is_polling = is_polling or self._is_poll_due()
            if not (is_polling and await self._drain_rows(partitions)) and not rows:
                return

    def _is_poll_due(self) -> bool:
        return asyncio.get_running_loop().time() - self._read_at >= POLL_SECONDS

    async def _drain_rows(self, partitions: Collection[int]) -> bool:
        self._read_at = asyncio.get_running_loop().time()
        await self._forget_arrived()
        dirty = await self._states.unpublished(partitions, ROWS_MAX, self._states.rows)
        if not dirty.rows:
            return False
        await self._put(await self._states.views(dirty.keys))
        self._arrived += dirty.rows
        await self._forget_arrived()
        return True

    async def _forget_arrived(self) -> None:
        if self._arrived:
            await self._states.forget(self._arrived)
            self._arrived = []

    async def _rebuild_slice(self) -> bool:
        """Write the next SKUs of a rebuild; says whether there may be more."""
        progress = await self._progress.read() if self._generation is not None else None
        if (
            progress is None
            or progress.rebuilt_to is None
            or progress.generation != self._generation
        ):
            return False
        last, entries = await self._states.views_after(progress.rebuilt_to, REBUILD_SLICE)
        await self._put(entries)
        moved = await self._progress.move_rebuild(progress.generation, progress.rebuilt_to, last)
        if last is None and moved:
            log.info("the view in Redis is whole", extra={"action": "view_rebuilt"})
        return last is not None

    async def _put(self, entries: Sequence[ViewEntry]) -> None:
        assert self._strings is not None, "attach first"
        if self._generation is None:
            raise _Behind
        known = [entry for entry in entries if entry.view]
        outcomes = await self._strings.put_many(self._generation, known)
        if Outcome.BEHIND in outcomes:
            raise _Behind
