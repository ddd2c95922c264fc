"""The consumer shell of every service: one loop that knows the five fates of a message.

Applied; a duplicate; refused by its content → parked by the handler; a dependency is away → wait
and try again, in order; a bug on this message → halve the batch until it is found, park it alone,
and stop the worker when it happens too often.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Generic

import asyncpg
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import (
    CommitFailedError,
    KafkaError,
    OffsetOutOfRangeError,
    RebalanceInProgressError,
)

from shared.kafka.batches import Batch, Fenced, Message, Slice
from shared.kafka.handling import Claiming, ConsumerOptions, Decoded, Handler
from shared.postgres.connecting import TRANSIENT
from shared.postgres.positions import Claim
from shared.runtime.clock import Clock
from shared.runtime.waiting import wait_for_event

log = logging.getLogger(__name__)

BUGS_PER_MINUTE_MAX = 10
RETRY_SECONDS_MAX = 2.0
STALL_SECONDS = 60.0
DATA_ERRORS = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, ValueError)


class TooManyBugs(Exception):  # noqa: N818  (it names what happened, like Fenced)
    """Ten messages in a minute hit a bug: the worker stops rather than park its topic away."""


@dataclass(slots=True, kw_only=True)
class _Held:
    """One assigned partition: under which epoch, and how far its batches have been handed on."""

    epoch: int
    expected: int
    applied: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work(Generic[Decoded]):
    generation: int
    batch: Batch
    decoded: Decoded


class Consuming(ConsumerRebalanceListener, Generic[Decoded]):  # type: ignore[misc]  # untyped base
    """One member of a consumer group. `run` returns when `closing` is set and its batch is done."""

    def __init__(
        self,
        options: ConsumerOptions,
        handler: Handler[Decoded],
        positions: Claiming,
        clock: Clock,
        closing: asyncio.Event,
    ) -> None:
        self._options = options
        self._handler = handler
        self._positions = positions
        self._clock = clock
        self._closing = closing
        self._consumer: AIOKafkaConsumer | None = None
        self._generation = 0
        self._held: dict[TopicPartition, _Held] = {}
        self._bugs: deque[float] = deque(maxlen=BUGS_PER_MINUTE_MAX)
        self._claim_error: BaseException | None = None
        self._progressed_at = 0.0
        self._committed_at = 0.0
        self.stopped_partitions: dict[str, str] = {}
        self.waiting_for: str | None = None

    @property
    def assigned(self) -> Mapping[TopicPartition, int]:
        """The partitions held now, and the next offset to apply of each."""
        return {partition: held.applied for partition, held in self._held.items()}

    @property
    def is_ready(self) -> bool:
        """Partitions have been assigned, claimed, and none was lost since."""
        return self._generation > 0 and self._claim_error is None and self._consumer is not None

    def lag(self) -> dict[TopicPartition, int]:
        """Messages between the position and the log's end, per partition, as last heard."""
        if self._consumer is None:
            return {}
        ends = {tp: self._consumer.highwater(tp) for tp in self._held}
        return {tp: max(0, (end or 0) - self._held[tp].applied) for tp, end in ends.items()}

    async def run(self) -> None:
        """Read and apply until told to close; rejoins after a fence, a stall or a lost broker."""
        pause = 0.1
        while not self._closing.is_set():
            try:
                await self._session()
                pause = 0.1
            except* (Fenced, KafkaError, *TRANSIENT) as group:
                log.warning(
                    "consumer session ended, rejoining",
                    extra={"action": "rejoin", "reason": repr(group.exceptions[0])},
                )
                pause = min(pause * 2, 5.0)
            if not self._closing.is_set():
                await wait_for_event(self._closing, pause)

    async def _session(self) -> None:
        options = self._options
        consumer = AIOKafkaConsumer(
            bootstrap_servers=options.servers,
            group_id=options.group,
            enable_auto_commit=False,
            auto_offset_reset="none",
            partition_assignment_strategy=[RangePartitionAssignor],
            session_timeout_ms=options.session_timeout_ms,
            heartbeat_interval_ms=options.session_timeout_ms // 3,
            rebalance_timeout_ms=10_000,
            max_poll_interval_ms=300_000,
            metadata_max_age_ms=5_000,  # topics made after us are found within seconds
            fetch_max_wait_ms=500,  # data comes at once; an empty answer costs both sides work
            fetch_max_bytes=options.fetch_bytes * 4,
            max_partition_fetch_bytes=options.fetch_bytes,
        )
        self._generation, self._held, self._claim_error = 0, {}, None
        self._progressed_at = self._clock.monotonic()
        consumer.subscribe(topics=list(options.topics), listener=self)
        self._consumer = consumer
        try:
            await consumer.start()
            queue: asyncio.Queue[_Work[Decoded] | None] = asyncio.Queue(maxsize=1)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._fetch(consumer, queue))
                tasks.create_task(self._apply_all(consumer, queue))
        finally:
            self._consumer, self._held = None, {}
            await consumer.stop()

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """What was fetched under the old assignment is thrown away; an open batch may finish."""
        del revoked
        self._generation += 1
        self._held = {}

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Claim each partition, and read on from the position of record."""
        consumer = self._consumer
        if consumer is None:
            return
        partitions = sorted(assigned)
        # Before anything is awaited: aiokafka would else ask for committed offsets, find none, and
        # leave these partitions with an error that a later seek doesn't clear.
        for tp in partitions:
            consumer.seek(tp, 0)
        consumer.pause(*partitions)
        try:
            held: dict[TopicPartition, _Held] = {}
            for tp in partitions:
                claim = await self._claim(consumer, tp)
                consumer.seek(tp, claim.next_offset)
                held[tp] = _Held(
                    epoch=claim.epoch, expected=claim.next_offset, applied=claim.next_offset
                )
            self._held = held
            self._generation += 1
            consumer.resume(*partitions)
            self._progressed_at = self._clock.monotonic()
            log.info(
                "partitions claimed",
                extra={"action": "partitions_claimed", "partitions": len(held)},
            )
        except Exception as error:  # aiokafka would only log it: the fetcher raises it instead
            self._claim_error = error

    async def _claim(self, consumer: AIOKafkaConsumer, tp: TopicPartition) -> Claim:
        for attempt in range(10):
            try:
                first = 0
                if await self._positions.read(tp.topic, tp.partition) is None:
                    first = (await consumer.beginning_offsets([tp]))[tp]
                return await self._positions.claim(tp.topic, tp.partition, first_offset=first)
            except TRANSIENT:
                if attempt == 9:
                    raise
                await asyncio.sleep(0.2)
        raise AssertionError("the last attempt returned or raised")

    async def _fetch(
        self, consumer: AIOKafkaConsumer, queue: asyncio.Queue[_Work[Decoded] | None]
    ) -> None:
        while not self._closing.is_set():
            if self._claim_error is not None:
                raise self._claim_error
            fetched = await self._getmany(consumer)
            # What getmany returns belongs to the assignment of this very moment: nothing is awaited
            # between its taking the messages and here.
            generation = self._generation
            if not fetched or not fetched.keys() <= self._held.keys():
                self._watch_for_stall(consumer)
                continue
            batch = self._batch_of(fetched)
            decoded = await self._handler.decode(batch)
            await queue.put(_Work(generation=generation, batch=batch, decoded=decoded))
        await queue.put(None)

    async def _getmany(self, consumer: AIOKafkaConsumer) -> Mapping[TopicPartition, list[Message]]:
        try:
            found: Mapping[TopicPartition, list[Message]] = await consumer.getmany(
                timeout_ms=200, max_records=self._options.batch_max()
            )
            return found
        except OffsetOutOfRangeError as error:
            for tp in error.args[0]:
                self._stop_partition(consumer, tp)
            return {}

    def _stop_partition(self, consumer: AIOKafkaConsumer, tp: TopicPartition) -> None:
        consumer.pause(tp)
        reason = (
            "the position of record lies outside the log: messages were deleted before they were "
            "read, or the log was made anew; see docs/runbooks/position-outside-log.md"
        )
        self.stopped_partitions[f"{tp.topic}/{tp.partition}"] = reason
        log.critical(
            "partition stopped",
            extra={"action": "partition_stopped", "topic": tp.topic, "partition": tp.partition},
        )

    def _batch_of(self, fetched: Mapping[TopicPartition, list[Message]]) -> Batch:
        slices: list[Slice] = []
        for tp, messages in sorted(fetched.items()):
            held = self._held[tp]
            next_offset = messages[-1].offset + 1
            slices.append(
                Slice(
                    topic=tp.topic, partition=tp.partition, epoch=held.epoch,
                    expected=held.expected, next_offset=next_offset, messages=tuple(messages),
                )
            )  # fmt: skip
            held.expected = next_offset
        return Batch(slices=tuple(slices))

    async def _apply_all(
        self, consumer: AIOKafkaConsumer, queue: asyncio.Queue[_Work[Decoded] | None]
    ) -> None:
        while (work := await queue.get()) is not None:
            if work.generation != self._generation:
                continue
            try:
                await self._apply(work.batch, work.decoded)
            except Fenced:
                if work.generation == self._generation:
                    raise
                continue  # revoked meanwhile: the new owner reads these messages
            self._note_progress(work)
            await self._commit_hint(consumer)

    def _note_progress(self, work: _Work[Decoded]) -> None:
        self._progressed_at = self._clock.monotonic()
        for part in work.batch.slices:
            held = self._held.get(TopicPartition(part.topic, part.partition))
            if held is not None and held.epoch == part.epoch:
                held.applied = part.next_offset

    async def _apply(self, batch: Batch, decoded: Decoded) -> None:
        try:
            await self._with_patience(lambda: self._handler.apply(batch, decoded))
        except (Fenced, TooManyBugs, asyncio.CancelledError):
            raise
        except Exception as error:
            if _is_transient(error):  # we were told to close while it is away: no message's fault
                raise
            if len(batch) == 1:
                await self._park_bug(batch, error)
                return
            log.warning(
                "batch refused, halving it",
                extra={"action": "batch_halved", "messages": len(batch), "reason": repr(error)},
            )
            for half in batch.halves():
                await self._apply(half, await self._handler.decode(half))

    async def _park_bug(self, batch: Batch, error: Exception) -> None:
        now = self._clock.monotonic()
        await self._with_patience(lambda: self._handler.park(batch, error))
        message = next(batch.messages())
        log.error(
            "message parked",
            exc_info=error,
            extra={"action": "parked", "reason": "internal_error", "topic": message.topic,
                   "partition": message.partition, "offset": message.offset},
        )  # fmt: skip
        if not isinstance(error, DATA_ERRORS):
            self._bugs.append(now)
            if len(self._bugs) == BUGS_PER_MINUTE_MAX and now - self._bugs[0] < 60:
                raise TooManyBugs(f"{BUGS_PER_MINUTE_MAX} messages in a minute hit a bug")

    async def _with_patience(self, attempt: Callable[[], Awaitable[None]]) -> None:
        """Try again, in order, while a dependency is away; data errors and bugs come through."""
        pause = 0.02
        try:
            while not await self._try_once(attempt):
                await wait_for_event(self._closing, pause)
                pause = min(pause * 2, RETRY_SECONDS_MAX)
        finally:
            self.waiting_for = None  # however it ends: nobody waits for anything any more

    async def _try_once(self, attempt: Callable[[], Awaitable[None]]) -> bool:
        """False when a dependency is away; when we are closing its error comes through too."""
        try:
            await attempt()
        except DATA_ERRORS:
            raise
        except TRANSIENT as error:
            self.waiting_for = repr(error)
            self._progressed_at = self._clock.monotonic()
            log.warning(
                "dependency away, trying again",
                extra={"action": "retry", "reason": repr(error)},
            )
            if self._closing.is_set():
                raise
            return False
        return True

    async def _commit_hint(self, consumer: AIOKafkaConsumer) -> None:
        """Tell Kafka at most once a second where we are, for people's tools; nothing reads it."""
        now = self._clock.monotonic()
        if now - self._committed_at < 1.0 or not self._held:
            return
        self._committed_at = now
        try:
            await consumer.commit({tp: held.applied for tp, held in self._held.items()})
        except (CommitFailedError, RebalanceInProgressError, KafkaError):
            log.debug("commit hint refused during a rebalance", extra={"action": "hint_refused"})

    def _watch_for_stall(self, consumer: AIOKafkaConsumer) -> None:
        """aiokafka can stop fetching a partition silently after a broker's outage: rejoin then."""
        if self._clock.monotonic() - self._progressed_at < STALL_SECONDS:
            return
        behind = [
            tp
            for tp, held in self._held.items()
            if (consumer.highwater(tp) or 0) > held.applied
            and f"{tp.topic}/{tp.partition}" not in self.stopped_partitions
        ]
        if behind:
            raise KafkaError(f"no progress for {STALL_SECONDS:.0f} s on {behind}")
        self._progressed_at = self._clock.monotonic()


def _is_transient(error: Exception) -> bool:
    return isinstance(error, TRANSIENT) and not isinstance(error, DATA_ERRORS)
