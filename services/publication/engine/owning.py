"""Owning a channel: take the lease, recover what was left, serve, renew, resync, give it back."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from services.publication.domain.outcomes import Judging, Unknown, consequence
from services.publication.domain.wanting import Desired, Mode
from services.publication.engine.lane import Lane
from services.publication.engine.leasing import LeaseLost
from services.publication.repository.attempts import Call, Told
from services.publication.repository.awaiting import OpenAttempt
from services.publication.repository.folding import Touched
from services.publication.repository.store import Store
from shared.postgres.connecting import TRANSIENT
from shared.runtime.clock import Clock
from shared.runtime.waiting import wait_for_event

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneOptions:
    """How long a lease lasts, and how often it is renewed. It must outlive a call's timeout.

    An order is heard `heard_after_seconds` after its outcome; what no order explains is dropped
    after `unheard_seconds_max`. A sale counts as demand for about `demand_seconds`,
    and what is older than `keep_seconds` is forgotten.
    """

    lease_seconds: float = 9.0
    renew_seconds: float = 2.0
    resync_slice: int = 500
    load_slice: int = 1_000
    heard_after_seconds: float = 1.0
    unheard_seconds_max: float = 900.0
    demand_seconds: float = 600.0
    keep_seconds: float = 30 * 86_400.0

    def outliving(self, call_seconds_max: float) -> "LaneOptions":
        """These, with a lease long enough for a channel whose calls may take that long."""
        if self.lease_seconds > call_seconds_max + self.renew_seconds:
            return self
        return replace(self, lease_seconds=call_seconds_max + 2 * self.renew_seconds)


class Owning:
    """Keeps one lane alive for as long as the process lives, whenever the lease is to be had."""

    def __init__(
        self, lane: Lane, store: Store, clock: Clock, owner: str, options: LaneOptions
    ) -> None:
        seconds = lane.connector.descriptor.call_seconds_max
        assert options.lease_seconds > seconds + options.renew_seconds, (
            f"a lease of {options.lease_seconds} s cannot outlive calls of {seconds} s"
        )
        self._lane = lane
        self._store = store
        self._clock = clock
        self._owner = owner
        self._options = options
        self._is_reload_due = False
        self.resync_asked = asyncio.Event()

    def reload(self) -> None:
        """The channel's own terms have changed: look at every listing again."""
        self._is_reload_due = True
        self.resync_asked.set()

    async def run(self, closing: asyncio.Event) -> None:
        """Own, serve, and begin again when the lease is lost; returns when closing."""
        while not closing.is_set():
            try:
                await self._own_once(closing)
            except* (LeaseLost, *TRANSIENT) as group:
                log.warning(
                    "channel given up for now",
                    extra={"action": "lease_lost", "channel": self._lane.channel,
                           "reason": repr(group.exceptions[0])},
                )  # fmt: skip
            await wait_for_event(closing, self._options.renew_seconds / 2)

    async def _own_once(self, closing: asyncio.Event) -> None:
        lane, seconds = self._lane, self._options.lease_seconds
        asked_at = self._clock.monotonic()
        epoch = await self._store.take_lease(lane.channel, self._owner, seconds)
        if epoch is None:
            return
        log.info("channel owned", extra={"action": "lease_taken", "channel": lane.channel})
        lane.own(epoch, asked_at + seconds)
        serving = asyncio.Event()
        try:
            async with asyncio.TaskGroup() as tasks:
                renewing = tasks.create_task(self._renew(epoch))
                resyncing = tasks.create_task(self._resync(serving))
                await self._count_spent()
                await self._keep_pace()
                await self._learn_lag()
                await self._recover()
                await self._load()
                serving.set()
                await lane.serve(closing)
                renewing.cancel()
                resyncing.cancel()
        finally:
            was_quiet = lane.is_quiet
            await lane.disown()
        if was_quiet:
            await self._store.give_lease_back(lane.channel, epoch)

    async def _renew(self, epoch: int) -> None:
        """Push the lease on; its end is counted from before the asking."""
        lane, options = self._lane, self._options
        while True:
            await asyncio.sleep(options.renew_seconds)
            asked_at = self._clock.monotonic()
            try:
                is_ours = await self._store.renew_lease(lane.channel, epoch, options.lease_seconds)
            except TRANSIENT:
                if self._clock.monotonic() > lane.lease.until:
                    raise
                continue
            if not is_ours:
                raise LeaseLost
            lane.lease.until = asked_at + options.lease_seconds

    async def _count_spent(self) -> None:
        """What earlier owners spent of today's budgets."""
        if (budget := self._lane.allowance.budget) is not None:
            today = self._clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
            budget.begin_with(await self._store.spent_today(self._lane.channel, today))

    async def _keep_pace(self) -> None:
        """Where calls are seconds apart, wait from the last one on, whoever made it."""
        lane = self._lane
        per_second = lane.connector.descriptor.calls_per_second
        if per_second is None or per_second > 1:
            return
        seconds = await self._store.seconds_since_call(lane.channel, 1 / per_second)
        if seconds is not None:
            lane.traffic.begin_after(seconds, self._clock.monotonic())

    async def _learn_lag(self) -> None:
        """Before listings are looked at: what is held back rests on it."""
        name = self._lane.channel
        self._lane.holding.learn((await self._store.lags([name])).get(name, ()))

    async def _recover(self) -> None:
        """Ask on for what was accepted; doubt the rest, once nothing of it is on its way."""
        lane = self._lane
        found = await self._store.open_attempts(lane.channel)
        if not found:
            return
        listings = await self._store.listings([a.listing_id for a in found])
        touched = {one.desired.listing_id: one for one in listings}
        found = [a for a in found if a.listing_id in touched]
        accepted, doubtful = _apart(found, is_deferred=not lane.connector.descriptor.is_synchronous)
        for (call_id, receipt), attempts in accepted.items():
            batch = tuple(_sent(a, touched[a.listing_id]) for a in attempts)
            seconds = attempts[0].seconds_left
            lane.resume(Call(call_id=call_id, batch=batch), receipt, seconds)
        if doubtful:
            await asyncio.sleep(max(attempt.seconds_left for attempt in doubtful))
            told = [_left_open(a, touched[a.listing_id]) for a in doubtful]
            await lane.close_open(told)
            if lane.connector.descriptor.can_read_back:
                for one in told:
                    assert one.call_id is not None, "an attempt has a call"
                    lane.doubt(one.call_id, one.consequence.desired)
        log.warning(
            "attempts found open",
            extra={"action": "attempts_recovered", "channel": lane.channel,
                   "awaited": len(found) - len(doubtful), "in_doubt": len(doubtful)},
        )  # fmt: skip

    async def _load(self) -> None:
        """Queue every listing that does not show what it should."""
        lane, after = self._lane, 0
        while slice_ := await self._store.listings_after(
            lane.channel, after, self._options.load_slice
        ):
            after = slice_[-1].desired.listing_id
            pending = [one for one in slice_ if not lane.upon(one.desired).is_satisfied]
            await lane.take_in([one for one in pending if one.channel_mode is Mode.LIVE])

    async def _resync(self, serving: asyncio.Event) -> None:
        """Work off a resync slice by slice; the cursor moves when a slice has been answered."""
        await serving.wait()
        lane, store = self._lane, self._store
        while True:
            await wait_for_event(self.resync_asked, self._options.renew_seconds)
            self.resync_asked.clear()
            if self._is_reload_due:
                self._is_reload_due = False
                await self._load()
            while (resync := await store.running_resync(lane.channel)) is not None:
                slice_ = await store.listings_after(
                    lane.channel, resync.cursor_id, self._options.resync_slice
                )
                await lane.take_in(slice_, is_resync=True)
                while lane.outstanding:
                    lane.answered.clear()
                    await lane.answered.wait()
                cursor = slice_[-1].desired.listing_id if slice_ else None
                await store.advance_resync(resync.resync_id, cursor)
                if cursor is None:  # a pause may have waited for its end
                    await store.resolve_channel(lane.channel, self._clock.now())


Accepted = dict[tuple[UUID, str], list[OpenAttempt]]


def _apart(
    found: Sequence[OpenAttempt], *, is_deferred: bool
) -> tuple[Accepted, list[OpenAttempt]]:
    """Open attempts with a receipt, by call, and those whose outcome nobody can tell."""
    accepted: Accepted = {}
    doubtful: list[OpenAttempt] = []
    for attempt in found:
        if attempt.receipt is None or not is_deferred:
            doubtful.append(attempt)
        else:
            accepted.setdefault((attempt.call_id, attempt.receipt), []).append(attempt)
    return accepted, doubtful


def _sent(attempt: OpenAttempt, touched: Touched) -> Desired:
    """What an attempt found open has sent."""
    now = touched.desired
    return Desired(
        listing=now.listing, version=attempt.version, value=attempt.value, shown=now.shown,
        basis=now.basis, heard=now.heard,
    )  # fmt: skip


def _left_open(attempt: OpenAttempt, touched: Touched) -> Told:
    """An attempt found open, as the unknown outcome that it is."""
    sent = _sent(attempt, touched)
    what = consequence(sent, Unknown(code="left_open"), Judging())
    return Told(call_id=attempt.call_id, consequence=what)
