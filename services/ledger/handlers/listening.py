"""Who tells, beside what is told: roles, silence, missing numbers, observations compared."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import timedelta

from services.ledger.domain.comparing import OPEN, Verdict, judge, judge_count, next_look
from services.ledger.domain.sequences import hear
from services.ledger.handlers.batch import LedgerHandler
from services.ledger.repository import observations, silences, sources
from services.ledger.repository.observations import KEYS, Due, Group
from shared.postgres.connecting import TRANSIENT, Connection, Pool
from shared.runtime.waiting import wait_for_event

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0
RETRY_SECONDS = 2.0
SLICE = 200
FORGET_SLICE = 1_000


class Listening:
    """Once a second, off the way of movements; several workers may do it side by side."""

    def __init__(
        self,
        handler: LedgerHandler,
        pool: Pool,
        closing: asyncio.Event,
        *,
        keep_days: int,
    ) -> None:
        self._handler = handler
        self._pool = pool
        self._closing = closing
        self._kept_for = timedelta(days=keep_days)

    async def run(self) -> None:
        """Work until told to close, and then write what was heard last."""
        while not self._closing.is_set():
            pause = POLL_SECONDS
            try:
                pause = 0.0 if await self.turn() else POLL_SECONDS
            except TRANSIENT as error:
                log.warning("sources wait", extra={"action": "retry", "reason": repr(error)})
                pause = RETRY_SECONDS
            await wait_for_event(self._closing, pause)

    async def turn(self) -> bool:
        """One round; says whether there is more to do at once."""
        await self._handler.learn_roles()
        await self._note_heard()
        async with self._pool.acquire(timeout=5) as connection:
            counted = await count_numbers(connection, SLICE)
            compared = await compare(connection, SLICE)
            async with connection.transaction():
                forgotten = await observations.forget(connection, self._kept_for, FORGET_SLICE)
        return counted == SLICE or compared == SLICE or forgotten == FORGET_SLICE

    async def _note_heard(self) -> None:
        heard, words = self._handler.take_heard(), self._handler.take_words()
        if not heard:
            return
        async with self._pool.acquire(timeout=5) as connection, connection.transaction():
            await sources.note_heard(connection, heard)
            if words:
                await silences.note_words(connection, words)


async def count_numbers(connection: Connection, limit: int) -> int:
    """Work off the numbers that batches left, in one transaction; returns the sources' number."""
    async with connection.transaction():
        taken = await sources.take_numbers(connection, limit)
        if not taken:
            return 0
        begins = {source: min(numbers) for source, (numbers, _) in taken.items()}
        progress = await sources.lock_progress(connection, begins)
        for source_id, (numbers, heard_at) in taken.items():
            after = hear(progress[source_id], numbers, heard_at)
            if after != progress[source_id]:
                await sources.save_progress(connection, source_id, after)
        return len(taken)


async def compare(connection: Connection, limit: int) -> int:
    """Compare what is due, in one transaction; returns how many observations that were."""
    async with connection.transaction():
        due = await observations.take_due(connection, limit)
        if not due:
            return 0
        verdicts = await _verdicts(connection, due)
        await observations.settle(
            connection,
            {
                one.event_id: (verdict, next_look(verdict.state, one.recorded_at, one.now))
                for one, verdict in verdicts
            },
        )
    return len(due)


async def _verdicts(connection: Connection, due: Sequence[Due]) -> list[tuple[Due, Verdict]]:
    counts = [one for one in due if one.is_count]
    told = [one for one in due if not one.is_count]
    found: list[tuple[Due, Verdict]] = []
    if counts:
        books = await observations.books(connection, counts)
        found += [
            (one, judge_count(one.at, one.quantity, book))
            for one, book in zip(counts, books, strict=True)
        ]
    if told:
        groups = await observations.groups(connection, [one.event_id for one in told])
        found += [(one, _judge(one, groups.get(one.event_id, {}))) for one in told]
    return found


def _judge(one: Due, groups: dict[str, Group]) -> Verdict:
    """By the first key under which anything was posted."""
    for key in KEYS:
        group = groups.get(key)
        if group is not None and group.posted:
            return judge(one.at, group.observed, group.posted, key)
    return OPEN
