"""What a lane sends, and what the answers change: slots, each a chain of turns.

A lane works only while its process holds the channel's lease. Each of its slots is a chain of
turns: one statement closes the attempts of the last call and opens those of the next.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from uuid import UUID

from services.publication import metrics
from services.publication.channels import Answer, Connector
from services.publication.domain.capabilities import require_built
from services.publication.domain.holding_back import HoldBack
from services.publication.domain.outcomes import (
    Consequence,
    Fate,
    Judging,
    Then,
    Unknown,
    consequence,
)
from services.publication.domain.queueing import Queue
from services.publication.domain.wanting import Desired, Sorted, sort_out
from services.publication.engine.allowing import Allowance
from services.publication.engine.awaiting import Receipts
from services.publication.engine.comparing import Bases
from services.publication.engine.holding import Holding
from services.publication.engine.leasing import Lease, LeaseLost
from services.publication.engine.measuring import count_fates, measure_call, measure_propagation
from services.publication.engine.traffic import Traffic
from services.publication.engine.verifying import Doubt, Doubts
from services.publication.repository.attempts import Call, Held, Told, Turn
from services.publication.repository.store import Store
from shared.runtime.clock import Clock
from shared.runtime.waiting import wait_for_event

IDLE_SECONDS = 1.0
RECONSIDER_SECONDS = 0.5
CLOSE_SECONDS = 3.0
PATIENCE_SECONDS = 1.5


class Turning:
    """The working half of a lane.

    Raises NotBuilt for a descriptor that asks for what the engine does not do.
    `patience_seconds` is how long what a stale compare found may stand while it is no danger: a
    little longer than an order takes to be counted as heard. `hold` says how sure to be of sales
    on their way where the channel cannot compare; None holds nothing back.
    """

    def __init__(
        self,
        channel: str,
        connector: Connector,
        store: Store,
        clock: Clock,
        rng: random.Random,
        new_call_id: Callable[[], UUID],
        patience_seconds: float = PATIENCE_SECONDS,
        hold: HoldBack | None = None,
    ) -> None:
        require_built(channel, connector.descriptor)
        self.channel = channel
        self.connector = connector
        self._store = store
        self._clock = clock
        self._rng = rng
        self._new_call_id = new_call_id
        self._patience_seconds = patience_seconds
        self.holding = Holding(None if self.compares else hold, clock)
        self.lease = Lease(store, clock)
        self.is_serving = False
        self.acknowledged_at: float | None = None
        self.answered = asyncio.Event()
        self.wake = asyncio.Event()
        self._begin()

    def _begin(self) -> None:
        connector, clock = self.connector, self._clock
        self.queue = Queue(connector.group_of)
        self.traffic = Traffic(connector.descriptor, self._rng, clock.monotonic())
        self.allowance = Allowance(connector.descriptor, clock, self._patience_seconds)
        self.outstanding: set[int] = set()
        self.receipts = Receipts(connector, clock, self._rng)
        self._doubts = Doubts(connector, self.traffic, clock)
        self._bases = Bases(self.channel, is_blind=not self.compares)
        self.holding.begin()
        self._slots: set[asyncio.Task[None]] = set()
        self._reserved = 0
        self._failed: BaseException | None = None

    def own(self, epoch: int, lease_until: float) -> None:
        """Start afresh under a new lease, with nothing known yet."""
        self._begin()
        descriptor = self.connector.descriptor
        self.lease.held = Held(
            channel=self.channel, epoch=epoch, call_seconds_max=descriptor.call_seconds_max,
            can_compare_and_set=descriptor.can_compare_and_set,
        )  # fmt: skip
        self.lease.until = lease_until

    async def disown(self) -> None:
        """Send nothing more. Calls that are out are left to their fate, as open attempts."""
        self.lease.held, self.is_serving = None, False
        for task in self._slots:
            task.cancel()
        await asyncio.gather(*self._slots, return_exceptions=True)

    @property
    def held(self) -> Held | None:
        """Under which epoch the channel is ours, while it is."""
        return self.lease.held

    @property
    def is_quiet(self) -> bool:
        """No call is out. What is only awaited has its receipt in the database."""
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

    @property
    def compares(self) -> bool:
        """The channel compares before it sets, and what is known of its own sales is used."""
        return self.connector.descriptor.can_compare_and_set

    def _judging(self) -> Judging:
        descriptor = self.connector.descriptor
        return Judging(
            can_read_back=descriptor.can_read_back,
            can_compare_and_set=descriptor.can_compare_and_set,
            at=self._clock.now().timestamp(),
        )

    def _is_free(self) -> bool:
        """One more call may go beside those that are out or awaited."""
        descriptor = self.connector.descriptor
        return (
            self.is_serving
            and self._reserved + len(self.receipts) < descriptor.calls_at_once
            and self.traffic.wait_seconds(self._clock.monotonic()) == 0.0
            and self.lease.outlives(descriptor.call_seconds_max)
        )

    def _pump(self) -> None:
        """Fill the free slots. Asking for results has its own pace."""
        now = self._clock.monotonic()
        if self.receipts.is_due(now):
            self.receipts.begin()
            self._reserved += 1
            self._start(self._ask())
        while self._is_free():
            if self._doubts.is_due(self._clock.monotonic()):
                self._doubts.begin()
                self._reserved += 1
                self._start(self._verify())
                continue
            self._reserved += 1
            if (call := self._next_call()) is None:
                self._reserved -= 1
                return
            self._start(self._slot(call, None))

    def _next_call(self) -> Call | None:
        """What the slot that asks may send next: it counts itself among the reserved."""
        now, descriptor = self._clock.monotonic(), self.connector.descriptor
        if not self.is_serving or self.traffic.wait_seconds(now) != 0.0:
            return None
        if self._reserved + len(self.receipts) > descriptor.calls_at_once:
            return None
        if not self.lease.outlives(descriptor.call_seconds_max):
            return None
        batch = self.allowance.take(self.queue, self.traffic.batch_max, now)
        if not batch:
            return None
        self.traffic.begin(now)
        # it may have waited for its turn: what is on its way by now may be another number
        batch = [self.holding.decide(desired) for desired in batch]
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
        opened = await self.lease.take_turn(turn, call)
        return None if call is None else await self._keep_opened(call, opened)

    async def _keep_opened(self, call: Call, opened: frozenset[int]) -> Call | None:
        """What could not be opened has changed meanwhile: look at it again, a little later."""
        missing = [d.listing_id for d in call.batch if d.listing_id not in opened]
        if not missing:
            return call
        self.allowance.give_back(missing)
        kept = tuple(d for d in call.batch if d.listing_id in opened)
        if not kept:
            self.traffic.abandon()
        touched = await self.lease.listings(missing)
        until = self._clock.monotonic() + RECONSIDER_SECONDS
        into = Sorted()
        for listing_id in missing:
            if (waiting := self.queue.drop(listing_id)) is not None:
                self.queue.put(waiting)
            self.outstanding.discard(listing_id)
        for one in touched:
            sort_out(self.upon(one.desired), one.channel_mode, into)
        for desired in into.wanted:
            if desired.listing_id not in self.queue:
                self.queue.delay(desired, until)
        self.answered.set()
        return replace(call, batch=kept) if kept else None

    async def _perform(self, call: Call) -> Turn:
        """The call itself. Raises LeaseLost when the lease would not outlive it."""
        descriptor = self.connector.descriptor
        began, seconds = self._clock.monotonic(), descriptor.call_seconds_max
        if not self.lease.outlives(seconds):
            raise LeaseLost
        measure_propagation(self.channel, call, self._clock.now(), descriptor.fresh_seconds)
        batch: Sequence[Desired] = call.batch
        if self.compares:  # a compare names what the listing shows if every sale has been heard
            batch = [replace(d, shown=d.expected) for d in call.batch]
        try:
            async with asyncio.timeout(seconds):
                answer = await self.connector.publish(batch, str(call.call_id))
        except TimeoutError:
            late = Unknown(code="timeout")
            answer = Answer(outcomes={d.listing_id: late for d in call.batch})
        turn, accepted = self._settle(call, answer)
        for receipt, waiting in accepted.items():
            await self._await_result(replace(call, batch=tuple(waiting)), receipt)
        if measure_call(self.channel, turn, self._clock.monotonic() - began):
            self.acknowledged_at = self._clock.now().timestamp()
        return turn

    def _settle(self, call: Call, answer: Answer) -> tuple[Turn, dict[str, list[Desired]]]:
        """What each outcome changes in memory, what the next turn writes of it; and, by receipt,
        what was accepted only.
        """
        now = self._clock.monotonic()
        pause = self.traffic.learn(answer, now)
        turn, judging = Turn(), self._judging()
        accepted: dict[str, list[Desired]] = {}
        for desired in call.batch:
            outcome = answer.outcomes.get(desired.listing_id, Unknown(code="not_in_answer"))
            what = consequence(desired, outcome, judging)
            if what.then is Then.AWAITED:
                accepted.setdefault(what.detail, []).append(desired)
                continue
            turn.closed.append(Told(call_id=call.call_id, consequence=what))
            self._follow(what, call.call_id, now + pause, turn)
        self.answered.set()
        return turn, accepted

    async def _await_result(self, call: Call, receipt: str) -> None:
        """The receipt is in the database before anyone asks with it."""
        descriptor = self.connector.descriptor
        ids, seconds = [d.listing_id for d in call.batch], descriptor.result_seconds_max
        await self.lease.keep_receipt(call.call_id, ids, receipt, seconds)
        self.receipts.add(call, receipt, seconds, first_seconds=descriptor.result_seconds)

    async def _ask(self) -> None:
        """Ask what became of an accepted call; what it answers closes the attempts."""
        if (told := await self.receipts.ask()) is None:
            return
        turn, _ = self._settle(*told)
        if count_fates(self.channel, turn):
            self.acknowledged_at = self._clock.now().timestamp()
        await self.lease.take_turn(turn, None)

    def _follow(self, what: Consequence, call_id: UUID, until: float, turn: Turn) -> None:
        desired = what.desired
        self.outstanding.discard(desired.listing_id)
        self._bases.learn(what)
        if desired.basis.held:
            self.holding.note(desired.listing_id)
        done: Desired | None = None
        match what.then:
            case Then.SETTLED:
                done = self.queue.release(desired.listing_id, desired.shown, desired.basis)
            case Then.RETRIED:
                is_news = what.fate is Fate.STALE
                done = self.queue.retry(desired, self._clock.monotonic() if is_news else until)
            case Then.IN_DOUBT:
                doubt = Doubt(call_id=call_id, desired=desired, is_stale=what.fate is Fate.STALE)
                self._doubts.add(doubt, until)
            case Then.AWAITED:
                raise AssertionError("what is awaited has no consequence yet")
        if done is not None:
            self._note_satisfied(done, turn)

    async def _verify(self) -> None:
        """Read back one group of the listings in doubt."""
        turn, now = Turn(), self._clock.monotonic()
        for told in await self._doubts.read_back(self._judging()):
            assert told.call_id is not None, "a doubt has a call"
            turn.read.append(told)
            self._follow(told.consequence, told.call_id, now, turn)
        if turn:
            await self.lease.take_turn(turn, None)

    def _idle_seconds(self) -> float:
        """How long nothing can come due by itself."""
        now = self._clock.monotonic()
        moments = [IDLE_SECONDS]
        if (due := self.queue.next_at()) is not None:
            moments.append(due - now)
        if len(self.queue) and (wait := self.traffic.wait_seconds(now)):
            moments.append(wait)
        if (due := self._doubts.next_at()) is not None:
            moments.append(max(due - now, self.traffic.wait_seconds(now) or 0.0))
        if (due := self.receipts.next_at()) is not None:
            moments.append(due - now)
        return max(0.001, min(moments))

    def upon(self, desired: Desired) -> Desired:
        """The wish upon what is known here of its listing's own sales."""
        return self.holding.decide(self._bases.upon(desired))

    def _note_satisfied(self, desired: Desired, turn: Turn) -> None:
        self.outstanding.discard(desired.listing_id)
        turn.satisfied.append(desired)
        metrics.SATISFIED.labels(self.channel).inc()
