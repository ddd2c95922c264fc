"""The lane of one channel: its queue, its calls, and what their answers change.

A lane works only while its process holds the channel's lease. Each of its slots is a chain of
turns: one statement closes the attempts of the last call and opens those of the next.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar
from uuid import UUID

from services.publication import metrics
from services.publication.channels import Answer, ChannelAway, Connector
from services.publication.domain.outcomes import Consequence, Then, Unknown, consequence
from services.publication.domain.outcomes import read_back as judge_read_back
from services.publication.domain.queueing import Queue
from services.publication.domain.wanting import Desired, Sorted, sort_out
from services.publication.engine.measuring import measure_call, measure_propagation
from services.publication.engine.traffic import Traffic
from services.publication.repository.attempts import Call, Held, Told, Turn
from services.publication.repository.folding import Touched
from services.publication.repository.store import Store
from shared.postgres.connecting import TRANSIENT
from shared.runtime.clock import Clock
from shared.runtime.waiting import wait_for_event

IDLE_SECONDS = 1.0
RECONSIDER_SECONDS = 0.5
CLOSE_SECONDS = 3.0
T = TypeVar("T")


class LeaseLost(Exception):  # noqa: N818  (it names what happened, like Fenced)
    """Another process owns the channel now, or could: nothing more may be sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """A value that may or may not have arrived, under the call that carried it."""

    call_id: UUID
    desired: Desired


class Lane:
    """What one channel must be told. Its methods without `async` never block."""

    def __init__(
        self,
        channel: str,
        connector: Connector,
        store: Store,
        clock: Clock,
        rng: random.Random,
        new_call_id: Callable[[], UUID],
    ) -> None:
        self.channel = channel
        self.connector = connector
        self._store = store
        self._clock = clock
        self._rng = rng
        self._new_call_id = new_call_id
        self.held: Held | None = None
        self.lease_until = 0.0
        self.is_serving = False
        self.acknowledged_at: float | None = None
        self.answered = asyncio.Event()
        self.wake = asyncio.Event()
        self._begin()

    def _begin(self) -> None:
        now = self._clock.monotonic()
        self.queue = Queue(self.connector.group_of)
        self.traffic = Traffic(self.connector.descriptor, self._rng, now)
        self.outstanding: set[int] = set()
        self._doubts: dict[int, Doubt] = {}
        self._verify_at = now
        self._is_verifying = False
        self._slots: set[asyncio.Task[None]] = set()
        self._reserved = 0
        self._failed: BaseException | None = None

    def own(self, epoch: int, lease_until: float) -> None:
        """Start afresh under a new lease, with nothing known yet."""
        self._begin()
        self.held = Held(
            channel=self.channel, epoch=epoch,
            call_seconds_max=self.connector.descriptor.call_seconds_max,
        )  # fmt: skip
        self.lease_until = lease_until

    async def disown(self) -> None:
        """Send nothing more. Calls that are out are left to their fate, as open attempts."""
        self.held, self.is_serving = None, False
        for task in self._slots:
            task.cancel()
        await asyncio.gather(*self._slots, return_exceptions=True)

    @property
    def is_quiet(self) -> bool:
        """No call is out, and no attempt open."""
        return self._reserved == 0

    async def serve(self, closing: asyncio.Event) -> None:
        """Call whenever something is due, until told to close. Raises LeaseLost."""
        self.is_serving = True
        while not closing.is_set():
            self.wake.clear()
            self._pump()
            if self._failed is not None:
                raise self._failed
            metrics.QUEUED.labels(self.channel).set(len(self.queue))
            await wait_for_event(self.wake, self._idle_seconds())
        self.is_serving = False
        if self._slots:
            await asyncio.wait(self._slots, timeout=CLOSE_SECONDS)

    # -- what the fold does, in its own task -------------------------------------------------

    def offer(self, wanted: Sequence[Desired]) -> Call | None:
        """Of values just folded, the call that may go at once; they become busy.

        None unless the lane is free and nothing waits ahead of them.
        """
        if not self._is_free() or len(self.queue):
            return None
        scratch = Queue(self.connector.group_of)
        for desired in wanted:
            if not self.queue.is_busy(desired.listing_id):
                scratch.put(desired)
        batch = scratch.take(self.traffic.batch_max, 0.0)
        if not batch:
            return None
        for desired in batch:
            self.queue.seize(desired)
        self._reserved += 1
        self.traffic.begin(self._clock.monotonic())
        return Call(call_id=self._new_call_id(), batch=tuple(batch))

    def launch(self, call: Call, opened: frozenset[int]) -> None:
        """The fold has committed: call for what it opened, look again at the rest."""
        self._start(self._slot(call, opened))

    def recall(self, call: Call) -> None:
        """The fold has failed: nothing was opened, and its messages will come again."""
        self._reserved -= 1
        self.traffic.abandon()
        for desired in call.batch:
            if (waiting := self.queue.drop(desired.listing_id)) is not None:
                self.queue.put(waiting)

    def put(self, desired: Desired) -> Desired | None:
        """Queue a value; returns it where its listing shows it already."""
        self.wake.set()
        return self.queue.put(desired)

    # -- what others ask for -----------------------------------------------------------------

    async def hear(self, listing_ids: Sequence[int]) -> None:
        """Read listings anew, and queue what they should show."""
        await self.take_in(await self._store.listings(listing_ids))

    async def take_in(self, touched: Sequence[Touched], *, is_resync: bool = False) -> None:
        """Queue what rows of the database ask for; a resync asks again for what is shown."""
        into = Sorted()
        for one in touched:
            desired = replace(one.desired, is_resync=is_resync)
            sort_out(desired, one.channel_mode, into)
        turn = Turn()
        for desired in (*into.wanted, *into.satisfied):
            if is_resync:
                self.outstanding.add(desired.listing_id)
            if (done := self.put(desired)) is not None:
                self._note_satisfied(done, turn)
        if turn:
            await self._take_turn(turn, None)

    def doubt(self, call_id: UUID, desired: Desired) -> None:
        """An attempt was found open: what became of it must be read back."""
        self.queue.seize(desired)
        self._doubts[desired.listing_id] = Doubt(call_id=call_id, desired=desired)

    async def close_open(self, told: Sequence[Told]) -> None:
        """Close attempts that an earlier owner left open."""
        await self._take_turn(Turn(closed=list(told)), None)

    # -- the lane's own work -----------------------------------------------------------------

    def _is_free(self) -> bool:
        now = self._clock.monotonic()
        descriptor = self.connector.descriptor
        return (
            self.is_serving
            and self._reserved < descriptor.calls_at_once
            and self.traffic.wait_seconds(now) == 0.0
            and self.lease_until - now > descriptor.call_seconds_max
        )

    def _pump(self) -> None:
        """Fill the free slots."""
        while self._is_free():
            if self._is_verification_due():
                self._is_verifying = True
                self._reserved += 1
                self._start(self._verify())
            elif (call := self._next_call()) is not None:
                self._reserved += 1
                self._start(self._slot(call, None))
            else:
                return

    def _is_verification_due(self) -> bool:
        is_due = self._verify_at <= self._clock.monotonic()
        return bool(self._doubts) and is_due and not self._is_verifying

    def _next_call(self) -> Call | None:
        now = self._clock.monotonic()
        if not self.is_serving or self.traffic.wait_seconds(now) != 0.0:
            return None
        if self.lease_until - now <= self.connector.descriptor.call_seconds_max:
            return None
        batch = self.queue.take(self.traffic.batch_max, now)
        if not batch:
            return None
        self.traffic.begin(now)
        return Call(call_id=self._new_call_id(), batch=tuple(batch))

    def _start(self, work: Awaitable[None]) -> None:
        async def slot() -> None:
            try:
                await work
            except BaseException as error:  # the serving task raises it: a slot has no one else
                self._failed = error
            finally:
                self._reserved -= 1
                self.wake.set()

        task = asyncio.create_task(slot())
        self._slots.add(task)
        task.add_done_callback(self._slots.discard)

    async def _slot(self, call: Call, opened: frozenset[int] | None) -> None:
        """Turn after turn, until nothing may go; `opened` where the fold did the first one."""
        turn, upcoming = Turn(), call if opened is None else None
        if opened is not None and (kept := await self._keep_opened(call, opened)) is not None:
            turn, upcoming = await self._perform(kept), self._next_call()
        while turn or upcoming is not None:
            current = await self._take_turn(turn, upcoming)
            turn = Turn() if current is None else await self._perform(current)
            upcoming = None if current is None and upcoming is None else self._next_call()

    async def _take_turn(self, turn: Turn, call: Call | None) -> Call | None:
        """Write what happened, open what comes; the part of the call that was opened."""
        held = self.held
        if held is None:
            raise LeaseLost
        opened = await self._patiently(lambda: self._store.take_turn(held, turn, call))
        if opened is None:
            raise LeaseLost
        return None if call is None else await self._keep_opened(call, opened)

    async def _keep_opened(self, call: Call, opened: frozenset[int]) -> Call | None:
        """What could not be opened has changed meanwhile: look at it again, a little later."""
        missing = [d.listing_id for d in call.batch if d.listing_id not in opened]
        if not missing:
            return call
        kept = tuple(d for d in call.batch if d.listing_id in opened)
        if not kept:
            self.traffic.abandon()
        touched = await self._patiently(lambda: self._store.listings(missing))
        until = self._clock.monotonic() + RECONSIDER_SECONDS
        into = Sorted()
        for listing_id in missing:
            if (waiting := self.queue.drop(listing_id)) is not None:
                self.queue.put(waiting)
            self.outstanding.discard(listing_id)
        for one in touched:
            sort_out(one.desired, one.channel_mode, into)
        for desired in into.wanted:
            if desired.listing_id not in self.queue:
                self.queue.delay(desired, until)
        self.answered.set()
        return replace(call, batch=kept) if kept else None

    async def _perform(self, call: Call) -> Turn:
        """The call itself. Raises LeaseLost when the lease would not outlive it."""
        began, seconds = self._clock.monotonic(), self.connector.descriptor.call_seconds_max
        if self.lease_until - began <= seconds:
            raise LeaseLost
        measure_propagation(self.channel, call, self._clock.now())
        try:
            async with asyncio.timeout(seconds):
                answer = await self.connector.publish(call.batch, str(call.call_id))
        except TimeoutError:
            late = Unknown(code="timeout")
            answer = Answer(outcomes={d.listing_id: late for d in call.batch})
        return self._settle(call, answer, began)

    def _settle(self, call: Call, answer: Answer, began: float) -> Turn:
        """What each outcome changes in memory, and what the next turn writes of it."""
        now = self._clock.monotonic()
        pause = self.traffic.learn(answer, now)
        turn = Turn()
        can_read_back = self.connector.descriptor.can_read_back
        for desired in call.batch:
            outcome = answer.outcomes.get(desired.listing_id, Unknown(code="not_in_answer"))
            what = consequence(desired, outcome, can_read_back=can_read_back)
            turn.closed.append(Told(call_id=call.call_id, consequence=what))
            self._follow(what, call.call_id, now + pause, turn)
        if measure_call(self.channel, turn, now - began):
            self.acknowledged_at = self._clock.now().timestamp()
        self.answered.set()
        return turn

    def _follow(self, what: Consequence, call_id: UUID, until: float, turn: Turn) -> None:
        desired = what.desired
        self.outstanding.discard(desired.listing_id)
        done: Desired | None = None
        match what.then:
            case Then.SETTLED:
                done = self.queue.release(desired.listing_id, desired.shown)
            case Then.RETRIED:
                done = self.queue.retry(desired, until)
            case Then.IN_DOUBT:
                self._doubts[desired.listing_id] = Doubt(call_id=call_id, desired=desired)
                self._verify_at = until
        if done is not None:
            self._note_satisfied(done, turn)

    async def _verify(self) -> None:
        try:
            await self._read_back()
        finally:
            self._is_verifying = False

    async def _read_back(self) -> None:
        """Ask what the channel shows of the listings in doubt: one group of them."""
        doubts = list(self._doubts.values())
        group_of = self.connector.group_of
        group = group_of(doubts[0].desired.listing)
        chosen = [d for d in doubts if group_of(d.desired.listing) == group]
        chosen = chosen[: self.connector.descriptor.read_back_max]
        self.traffic.begin(self._clock.monotonic())
        try:
            async with asyncio.timeout(self.connector.descriptor.call_seconds_max):
                found = await self.connector.read_back([d.desired.listing for d in chosen])
        except (ChannelAway, TimeoutError) as error:
            now = self._clock.monotonic()
            after = error.retry_after_seconds if isinstance(error, ChannelAway) else None
            self._verify_at = now + self.traffic.fail(now, after)
            return
        self.traffic.succeed()
        turn, now = Turn(), self._clock.monotonic()
        for doubt in chosen:
            del self._doubts[doubt.desired.listing_id]
            what = judge_read_back(doubt.desired, found.get(doubt.desired.listing_id))
            turn.read.append(Told(call_id=doubt.call_id, consequence=what))
            self._follow(what, doubt.call_id, now, turn)
        await self._take_turn(turn, None)

    async def _patiently(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Try while the database is away and the lease lasts. Raises LeaseLost after that."""
        pause = 0.02
        while True:
            try:
                return await attempt()
            except TRANSIENT as error:
                if self._clock.monotonic() > self.lease_until:
                    raise LeaseLost from error
                await asyncio.sleep(pause)
                pause = min(pause * 2, 1.0)

    def _idle_seconds(self) -> float:
        """How long nothing can come due by itself."""
        now = self._clock.monotonic()
        moments = [IDLE_SECONDS]
        if (due := self.queue.next_at()) is not None:
            moments.append(due - now)
        if len(self.queue) and (wait := self.traffic.wait_seconds(now)):
            moments.append(wait)
        if self._doubts:
            moments.append(max(self._verify_at - now, self.traffic.wait_seconds(now) or 0.0))
        return max(0.001, min(moments))

    def _note_satisfied(self, desired: Desired, turn: Turn) -> None:
        self.outstanding.discard(desired.listing_id)
        turn.satisfied.append(desired)
        metrics.SATISFIED.labels(self.channel).inc()
