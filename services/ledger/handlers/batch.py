"""One batch, one transaction: positions, movements, lines, anchors, parked messages."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg

from services.ledger import metrics
from services.ledger.handlers import (
    booking,
    entering,
    handing_over,
    hold_requests,
    kitting,
    movements,
    observing,
    reading,
    referring,
    republishing,
)
from services.ledger.handlers.ageing import drop_too_old, too_old
from services.ledger.handlers.booking import Wanted
from services.ledger.handlers.hold_requests import Asked
from services.ledger.handlers.outcome import CorrectedError, Outcome
from services.ledger.handlers.reading import Fact, Facts
from services.ledger.handlers.roles import Roles
from services.ledger.repository import posting, references
from services.ledger.repository.closing import horizon, is_too_old
from services.ledger.repository.messages import LevelState
from services.ledger.repository.parking import PARKING, ParkedMessage
from services.ledger.repository.posting import NO_FENCE, Columns, FenceArrays
from services.ledger.repository.references import Known, LevelKey
from services.ledger.repository.republishing import Request
from services.ledger.repository.republishing import keep as keep_requests
from services.ledger.repository.supply import SUPPLY
from shared.contracts.topics import (
    HOLD_REQUESTS,
    REFERENCE_DATA,
    REPUBLISHES,
    STOCK_COMMANDS,
    STOCK_MOVEMENTS,
)
from shared.kafka.batches import Batch, Message
from shared.kafka.supplying import apply_again
from shared.postgres.connecting import Connection, Pool
from shared.postgres.parking import Told, internal_error, note_parked
from shared.runtime.clock import Clock

# How often a batch is run again because a fact in it is told otherwise.
ROUNDS_MAX = 8
# What is far behind lets its states gather, and reads them when they are told.
ALONE_MAX = 500


@dataclass(slots=True)
class Reading:
    """A batch that was read: every message stands in exactly one of these."""

    facts: Facts = field(default_factory=Facts)
    wanted: list[Wanted] = field(default_factory=list)
    records: list[referring.Told] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    columns: Columns = field(default_factory=Columns)
    done: list[Fact] = field(default_factory=list)  # the postings in `columns`
    rest: list[Fact] = field(default_factory=list)  # postings whose levels do not exist yet
    absent: set[LevelKey] = field(default_factory=set)

    @property
    def concerns_stock(self) -> bool:
        facts = self.facts
        return bool(self.done or self.rest or facts.anchors or facts.corrections or self.wanted)

    @property
    def needs_rows_first(self) -> bool:
        """Something must be written before the posting statement, so the fence goes ahead."""
        return (
            bool(self.absent or self.records or self.wanted or self.requests)
            or bool(self.facts.corrections)
            or self.facts.is_about_sources
            or not self.concerns_stock
        )

    def correct(self, ids: Collection[UUID], known: Known) -> None:
        """Have these facts among the corrections: they are told otherwise too. Raises what the
        batch is run again for where none of them is news.
        """
        facts, news = self.facts, [*self.done, *self.rest]
        moved = [fact for fact in (*news, *facts.anchors) if fact.event_id in ids]
        if not moved:
            raise asyncpg.SerializationError("a correction was posted meanwhile: run again")
        facts.corrections = [*moved, *facts.corrections]
        facts.anchors = [fact for fact in facts.anchors if fact.event_id not in ids]
        facts.postings = [fact for fact in news if fact.event_id not in ids]
        self.columns, self.done, self.rest = movements.columns_of(
            facts.postings, known, known.levels
        )


class LedgerHandler:
    """What the worker does with messages, whether Kafka or a replay brings them."""

    def __init__(
        self,
        connection: Callable[[], Awaitable[Connection]],
        pool: Pool,
        clock: Clock,
        *,
        woken: Callable[[], None],
        released: Callable[[], None],
        left: Callable[[Sequence[int], Mapping[int, LevelState]], object],
        hold_ahead: timedelta = timedelta(0),
        asked: Callable[[Sequence[Asked]], Awaitable[None]] | None = None,
    ) -> None:
        self._connection = connection
        self._pool = pool
        self._clock = clock
        self._woken = woken
        self._released = released
        self._left = left
        self._hold_ahead = hold_ahead
        self._asked = asked
        self._known = Known()
        self._first_id: UUID | None = None
        self._roles = Roles()
        self._heard: dict[int, datetime] = {}
        self._words: dict[tuple[str, str], datetime] = {}

    async def decode(self, batch: Batch) -> Reading:
        """Read the batch, and learn the numbers of what it names; changes nothing."""
        return await self._read(list(batch.messages()))

    async def apply(self, batch: Batch, decoded: Reading) -> None:
        """Post the batch behind its fence. Raises Fenced; then nothing has changed.

        What is asked of holds is done before the position moves past it.
        """
        if decoded.asked and self._asked is not None:
            await self._asked(decoded.asked)
        connection = await self._connection()
        fence = posting.fence_of(batch)
        try:
            with metrics.BATCH_SECONDS.time():
                outcome = await self._post_alone(connection, fence, decoded)
                outcome = outcome or await self._transact(connection, fence, decoded)
        except asyncpg.CheckViolationError:
            await self.learn_horizon()  # its halves are read with what may have changed
            raise
        metrics.BATCH_SIZE.observe(len(batch))
        self._tell(decoded, outcome)

    async def park(self, batch: Batch, error: BaseException) -> None:
        """Keep the batch's one message as `internal_error`, and move past it."""
        connection = await self._connection()
        message = next(batch.messages())
        refusal = too_old(message) if is_too_old(error) else internal_error(message, error)
        async with connection.transaction():
            await posting.hold_fence(connection, posting.fence_of(batch))
            await PARKING.park(connection, [refusal])
        metrics.PARKED.labels(metrics.SERVICE, refusal.reason).inc()

    async def replay(self, ids: Collection[int]) -> int:
        """Bring parked messages back in one transaction; returns how many were taken.

        What is refused again is parked again under its new reason.
        """
        await self.learn_horizon()
        await self.learn_roles()
        return await PARKING.replay(self._pool, ids, self._apply_again)

    async def learn_horizon(self) -> None:
        """Ask which months are closed."""
        async with self._pool.acquire(timeout=5) as connection:
            self._first_id = (await horizon(connection)).first_id

    async def learn_roles(self) -> None:
        """Read again who posts and who observes, where another worker has heard of a change."""
        async with self._pool.acquire(timeout=5) as connection:
            await referring.learn_roles(connection, self._roles)

    def take_heard(self) -> dict[int, datetime]:
        """When each source was heard since this was asked last."""
        heard, self._heard = self._heard, {}
        return heard

    def take_words(self) -> dict[tuple[str, str], datetime]:
        """The same by location, of sources that may be silent for so long only."""
        words, self._words = self._words, {}
        return words

    @property
    def roles(self) -> Roles:
        """Who posts and who observes, as this process knows it."""
        return self._roles

    async def book_due(self, limit: int) -> int:
        """Book lines for later whose time has come, in one transaction; returns how many."""
        async with self._pool.acquire(timeout=5) as connection, connection.transaction():
            booked = await booking.book_due(connection, self._clock.now(), limit)
        if booked:
            self._woken()
        return booked

    async def _apply_again(self, connection: Connection, taken: list[ParkedMessage]) -> Told:
        read = await self._read(taken)
        if read.asked and self._asked is not None:
            await self._asked(read.asked)
        await apply_again(connection, SUPPLY, PARKING, taken)
        outcome = await self._in_rounds(connection, NO_FENCE, read)

        def told() -> None:
            self._known.levels.update(outcome.created)
            self._tell(read, outcome)

        return told

    async def _read(self, messages: Sequence[Message]) -> Reading:
        read = Reading()
        by_topic: dict[str, list[Message]] = {}
        for message in messages:
            by_topic.setdefault(message.topic, []).append(message)
        if self._roles.version is None:
            await self.learn_roles()
        read.records = referring.read_records(
            by_topic.get(REFERENCE_DATA.name, []), read.facts.refusals
        )
        self._roles.learn(referring.sources_of(read.records))
        moved = by_topic.get(STOCK_MOVEMENTS.name, [])
        await reading.read_movements(moved, self._clock.now(), read.facts, self._roles)
        if self._first_id is not None:
            drop_too_old(read.facts, self._first_id)
        read.wanted = booking.read_commands(
            by_topic.get(STOCK_COMMANDS.name, []), read.facts.refusals
        )
        read.requests = republishing.read_requests(
            by_topic.get(REPUBLISHES.name, []), read.facts.refusals
        )
        read.asked = hold_requests.read_asked(
            by_topic.get(HOLD_REQUESTS.name, []), read.facts.refusals
        )
        read.columns, read.done, read.rest = movements.columns_of(
            read.facts.postings, self._known, self._known.levels
        )
        if read.rest or read.wanted or read.facts.needs_names:
            async with self._pool.acquire(timeout=5) as connection:
                await self._learn(connection, read)
        return read

    async def _learn(self, connection: Connection, read: Reading) -> None:
        """Numbers of what exists already; creating what doesn't is the transaction's work."""
        facts, known = read.facts, self._known
        known.forget_excess()
        skus, locations, sources, accounts = movements.names_in(
            [*read.rest, *facts.anchors, *facts.corrections, *facts.observations]
        )
        sources |= {source for source, _ in facts.numbers}
        for item in read.wanted:
            skus.update(kitting.skus_of(item.command))
            locations.update(booking.places_of(item.command))
        await references.learn_names(connection, known, skus=skus, locations=locations)
        await references.learn_sources(connection, known, sources)
        await references.learn_accounts(connection, known, accounts)
        rest = movements.drop_unknown(read.rest, known, facts.refusals)
        facts.anchors = movements.drop_unknown(facts.anchors, known, facts.refusals)
        facts.corrections = movements.drop_unknown(facts.corrections, known, facts.refusals)
        facts.observations = movements.drop_unknown(facts.observations, known, facts.refusals)
        read.wanted = booking.drop_unknown_commands(read.wanted, known, facts.refusals)
        keys = movements.level_keys([*rest, *facts.anchors, *facts.corrections], known)
        keys |= booking.candidate_keys(read.wanted, known)
        await references.learn_levels(connection, known, keys)
        read.absent = keys - known.levels.keys()
        columns, done, read.rest = movements.columns_of(rest, known, known.levels)
        read.columns = read.columns.followed_by(columns)
        read.done += done
        facts.postings = [*read.done, *read.rest]

    async def _post_alone(
        self, connection: Connection, fence: FenceArrays, read: Reading
    ) -> Outcome | None:
        """A small batch of nothing but movements is one statement, and what it leaves to be told
        goes out from memory. None when it takes more.
        """
        if not _stands_alone(read):
            return None
        posted = await posting.post_alone(connection, fence, read.columns)
        if posted is None:
            return None
        self._left(posted.rows, posted.levels)
        return Outcome(
            posted=posted.count, duplicates=read.facts.duplicates + posted.stale,
            is_remembered=posted.is_all,
        )  # fmt: skip

    async def _transact(self, connection: Connection, fence: FenceArrays, read: Reading) -> Outcome:
        outcome = await self._in_rounds(connection, fence, read)
        self._known.levels.update(outcome.created)
        return outcome

    async def _in_rounds(
        self, connection: Connection, fence: FenceArrays, read: Reading
    ) -> Outcome:
        """One transaction, or part of one, run again where facts turn out to be corrections."""
        for _ in range(ROUNDS_MAX):
            try:
                async with connection.transaction():
                    return await self._post(connection, fence, read)
            except CorrectedError as error:
                read.correct(error.ids, self._known)
        raise asyncpg.SerializationError("facts are told otherwise all the time: run again")

    async def _post(self, connection: Connection, fence: FenceArrays, read: Reading) -> Outcome:
        """The batch's one transaction, in the lock order: positions, levels, lines."""
        outcome = Outcome(refusals=list(read.facts.refusals), duplicates=read.facts.duplicates)
        if fence is not NO_FENCE and read.needs_rows_first:
            await posting.hold_fence(connection, fence)
            fence = NO_FENCE
        await referring.fold(connection, read.records)
        await keep_requests(connection, read.requests)
        await observing.record(connection, read.facts, self._known, outcome)
        if read.concerns_stock:
            entry = entering.Entry(
                facts=read.facts, wanted=read.wanted, columns=read.columns, done=read.done,
                rest=read.rest, absent=read.absent,
            )  # fmt: skip
            now = self._clock.now()
            await entering.enter(
                connection, fence, entry, self._known, now, self._hold_ahead, outcome
            )
        await PARKING.park(connection, outcome.refusals)
        return outcome

    def _tell(self, read: Reading, outcome: Outcome) -> None:
        """After the commit: wake the relay; look again at what waits for what became known."""
        if not outcome.is_remembered:
            self._woken()
        if read.records or any(refusal.waits_for for refusal in outcome.refusals):
            self._released()
        now = self._clock.now()
        self._heard.update((source, now) for source in _speakers(read, self._known))
        if self._roles.timed:
            self._words.update((word, now) for word in _words(read, self._roles.timed))
        metrics.MESSAGES.labels("posted").inc(outcome.posted)
        metrics.MESSAGES.labels("observed").inc(outcome.observed)
        metrics.MESSAGES.labels("duplicate").inc(outcome.duplicates)
        metrics.MESSAGES.labels("folded").inc(len(read.wanted) + len(read.records))
        metrics.MESSAGES.labels("answered").inc(len(read.asked))
        metrics.MESSAGES.labels("parked").inc(len(outcome.refusals))
        note_parked(metrics.SERVICE, outcome.refusals)


def _stands_alone(read: Reading) -> bool:
    """Nothing but movements of levels that exist, none of which could change an order line."""
    return (
        read.concerns_stock
        and not (read.needs_rows_first or read.rest or read.facts.anchors or read.facts.refusals)
        and len(read.done) <= ALONE_MAX
        and not booking.may_raise(read.facts)
        and not any(map(handing_over.is_concerned, read.done))
    )


def _speakers(read: Reading, known: Known) -> set[int]:
    """Who told this batch, by number."""
    facts = read.facts
    told = {
        fact.source
        for fact in (*read.rest, *facts.anchors, *facts.corrections, *facts.observations)
    }
    return {*read.columns.sources, *(known.sources[name] for name in told)}


def _words(read: Reading, timed: Collection[str]) -> set[tuple[str, str]]:
    """Which of these sources spoke for which locations."""
    facts = read.facts
    told = (*read.done, *read.rest, *facts.anchors, *facts.corrections, *facts.observations)
    return {(fact.source, fact.movement.location) for fact in told if fact.source in timed}
