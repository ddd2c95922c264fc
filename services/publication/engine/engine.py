"""All lanes of a process: what a fold decides for them, and what other workers hand over."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from services.publication import metrics
from services.publication.domain.wanting import Desired, Mode, Sorted, sort_out
from services.publication.engine.lane import Lane
from services.publication.engine.owning import Owning
from services.publication.repository.attempts import Call, Held, Recorded
from services.publication.repository.folding import Ownership, Touched
from services.publication.repository.hearing import COUNTING, Counting
from services.publication.repository.store import Store
from shared.postgres.connecting import TRANSIENT
from shared.runtime.clock import Clock
from shared.runtime.waiting import wait_for_event

log = logging.getLogger(__name__)

HANDED_SECONDS = 0.1
DUE_SECONDS = 1.0
SWEEP_SECONDS = 15.0
LAGS_SECONDS = 5.0
SWEEP_MAX = 1_000
HEARD_MAX = 1_000
UNHEARD_SECONDS_MAX = 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a fold will write: the calls that may go at once, and everything that waits.

    `settling` are satisfied listings, busy until the fold has committed.
    """

    held: list[Held] = field(default_factory=list)
    calls: list[tuple[Held, Call]] = field(default_factory=list)
    settling: list[Desired] = field(default_factory=list)
    shadowed: list[Desired] = field(default_factory=list)
    waiting: list[Desired] = field(default_factory=list)

    @property
    def is_silent(self) -> bool:
        """Nothing needs to be written: what waits is written when its turn comes."""
        return not (self.calls or self.settling or self.shadowed)

    @property
    def wanted(self) -> list[Desired]:
        """All that some lane must hear of, in this process or another."""
        return [*self.waiting, *(d for _, call in self.calls for d in call.batch)]


class Engine:
    """The lanes of the channels that this process has connectors for."""

    def __init__(
        self,
        lanes: Mapping[str, tuple[Lane, Owning]],
        store: Store,
        clock: Clock,
        new_call_id: Callable[[], UUID],
        unheard_seconds_max: float = UNHEARD_SECONDS_MAX,
        counting: Counting = COUNTING,
    ) -> None:
        self._counting = counting
        self._unheard_seconds_max = unheard_seconds_max
        self._lanes = {name: lane for name, (lane, _) in lanes.items()}
        self._ownings = {name: owning for name, (_, owning) in lanes.items()}
        self._store = store
        self._clock = clock
        self.new_call_id = new_call_id

    @property
    def lanes(self) -> Mapping[str, Lane]:
        return self._lanes

    def ownership(self) -> Ownership:
        """What a fold must know to hand over the rest."""
        held = [lane.held for lane in self._lanes.values() if lane.held is not None]
        return Ownership(
            channels=[h.channel for h in held], epochs=[h.epoch for h in held],
            connected=list(self._lanes),
        )  # fmt: skip

    def plan(self, touched: Sequence[Touched]) -> Plan:
        """Decide what of a fold goes at once, what waits, and what is satisfied."""
        by_channel: defaultdict[str, Sorted] = defaultdict(Sorted)
        for one in touched:
            channel = one.desired.listing.channel
            lane = self._lanes.get(channel)
            desired = one.desired if lane is None else lane.upon(one.desired)
            sort_out(desired, one.channel_mode, by_channel[channel])
        plan = Plan()
        for channel, found in by_channel.items():
            plan.shadowed.extend(found.shadowed)
            lane = self._lanes.get(channel)
            if lane is None:
                metrics.UNTOLD.inc(len(found.wanted))
            elif found.wanted or found.satisfied:
                self._plan_lane(lane, found, plan)
        return plan

    def _plan_lane(self, lane: Lane, found: Sorted, plan: Plan) -> None:
        held = lane.held
        if held is None:
            plan.waiting.extend((*found.wanted, *found.satisfied))
            return
        plan.held.append(held)
        call = lane.offer(found.wanted)
        going = set() if call is None else {d.listing_id for d in call.batch}
        if call is not None:
            plan.calls.append((held, call))
        plan.waiting.extend(d for d in found.wanted if d.listing_id not in going)
        for desired in found.satisfied:
            if lane.queue.is_busy(desired.listing_id) or desired.listing_id in lane.queue:
                plan.waiting.append(desired)
            else:
                lane.queue.seize(desired)
                plan.settling.append(desired)

    def accept(self, plan: Plan, recorded: Recorded) -> None:
        """The fold has committed: calls go, the rest queues."""
        for desired in plan.settling:
            self._release(desired)
            metrics.SATISFIED.labels(desired.listing.channel).inc()
        for held, call in plan.calls:
            self._lanes[held.channel].launch(call, recorded.opened)
        for desired in plan.waiting:
            if desired.listing.channel in recorded.held:
                self._lanes[desired.listing.channel].put(desired)

    def cancel(self, plan: Plan) -> None:
        """The fold was rolled back: its messages come again."""
        for desired in plan.settling:
            self._release(desired)
        for held, call in plan.calls:
            self._lanes[held.channel].recall(call)

    def requeue(self, plan: Plan) -> None:
        """The fold has committed, but its decisions were not recorded: everything waits."""
        self.cancel(plan)
        for desired in plan.wanted:
            self._lanes[desired.listing.channel].put(desired)

    def reload_all(self) -> None:
        """Nobody knows what a fold has changed: every listing is looked at again."""
        self.reload(list(self._lanes))

    def _release(self, desired: Desired) -> None:
        lane = self._lanes[desired.listing.channel]
        if lane.queue.is_busy(desired.listing_id):
            lane.queue.release(desired.listing_id, desired.shown)
            lane.wake.set()

    def reload(self, channels: Sequence[str]) -> None:
        """Channels whose mode may have changed: every listing of theirs is looked at again."""
        for channel in channels:
            if (owning := self._ownings.get(channel)) is not None:
                owning.reload()

    def begin_resync(self, channel: str) -> None:
        """A resync was asked for here: its lane need not wait to find it."""
        self._ownings[channel].resync_asked.set()

    async def run(self, closing: asyncio.Event) -> None:
        """Run every lane, and take over what other workers leave, until told to close."""
        async with asyncio.TaskGroup() as tasks:
            for owning in self._ownings.values():
                tasks.create_task(owning.run(closing))
            tasks.create_task(self._take_over(closing))
            tasks.create_task(self._wake_lanes(closing))

    async def _wake_lanes(self, closing: asyncio.Event) -> None:
        await closing.wait()
        for lane in self._lanes.values():
            lane.wake.set()

    async def _take_over(self, closing: asyncio.Event) -> None:
        """What other workers folded for channels that are ours, and what time alone changed."""
        due_at = lags_at = self._clock.monotonic()
        sweep_at = due_at + SWEEP_SECONDS
        while not await wait_for_event(closing, HANDED_SECONDS):
            try:
                await self._count_heard()
                await self._take_handed()
                if self._clock.monotonic() >= due_at:
                    due_at = self._clock.monotonic() + DUE_SECONDS
                    await self._resolve_due()
                    await self._drop_unheard()
                    await self._look_again()
                if self._clock.monotonic() >= lags_at:
                    lags_at = self._clock.monotonic() + LAGS_SECONDS
                    await self._learn_lags()
                if self._clock.monotonic() >= sweep_at:
                    sweep_at = self._clock.monotonic() + SWEEP_SECONDS
                    await self._sweep()
            except TRANSIENT as error:
                log.warning(
                    "could not look for handed over listings",
                    extra={"action": "retry", "reason": repr(error)},
                )

    async def _take_handed(self) -> None:
        lanes = self._lanes.values()
        ours = [lane.held for lane in lanes if lane.is_serving and lane.held is not None]
        if not ours:
            return
        for channel, listing_ids in (await self._store.take_handed(ours)).items():
            if self._lanes[channel].is_serving:
                await self._lanes[channel].hear(listing_ids)

    async def _count_heard(self) -> None:
        """Orders that every figure includes by now; whoever owns their channel is told."""
        if self._lanes:
            blind = [name for name, lane in self._lanes.items() if not lane.compares]
            counted = await self._store.count_heard(
                list(self._lanes), HEARD_MAX, blind=blind, counting=self._counting
            )
            metrics.HEARD.inc(counted)

    async def _learn_lags(self) -> None:
        """How long orders take from the shop to a figure."""
        for name, lags in (await self._store.lags(list(self._lanes))).items():
            self._lanes[name].holding.learn(lags)

    async def _look_again(self) -> None:
        for lane in self._lanes.values():
            if lane.is_serving:
                await lane.look_again()

    async def _drop_unheard(self) -> None:
        """What no order has explained for too long was no sale, or will not be heard of."""
        before = self._clock.now().timestamp() - self._unheard_seconds_max
        for name, lane in self._lanes.items():
            if lane.compares and lane.is_serving:
                found = await self._store.unheard_since(name, before, SWEEP_MAX)
                if found:
                    await lane.drop_unheard(found)

    async def _sweep(self) -> None:
        """Listings that show something else than they should are looked at again."""
        for name, lane in self._lanes.items():
            if lane.is_serving and (ids := await self._store.astray(name, SWEEP_MAX)):
                queued = lane.queue
                await lane.hear([n for n in ids if n not in queued and not queued.is_busy(n)])

    async def _resolve_due(self) -> None:
        channels, listing_ids = await self._store.resolve_due(self._clock.now())
        self.reload(channels)
        for one in await self._store.listings(listing_ids) if listing_ids else []:
            lane = self._lanes.get(one.desired.listing.channel)
            if lane is not None and lane.is_serving and one.channel_mode is Mode.LIVE:
                await lane.take_in([one])


__all__ = ["Engine", "Plan"]
