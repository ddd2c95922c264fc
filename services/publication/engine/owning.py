"""Owning a channel: take the lease, recover what was left, serve, renew, resync, give it back."""

import asyncio
import logging
from dataclasses import dataclass

from services.publication.domain.outcomes import Unknown, consequence
from services.publication.domain.wanting import Mode
from services.publication.engine.lane import Lane, LeaseLost
from services.publication.repository.attempts import OpenAttempt, Told
from services.publication.repository.folding import Touched
from services.publication.repository.store import Store
from shared.postgres.connecting import TRANSIENT
from shared.runtime.clock import Clock
from shared.runtime.waiting import wait_for_event

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneOptions:
    """How long a lease lasts, and how often it is renewed. It must outlive a call's timeout."""

    lease_seconds: float = 9.0
    renew_seconds: float = 2.0
    resync_slice: int = 500
    load_slice: int = 1_000


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
                if self._clock.monotonic() > lane.lease_until:
                    raise
                continue
            if not is_ours:
                raise LeaseLost
            lane.lease_until = asked_at + options.lease_seconds

    async def _recover(self) -> None:
        """Wait until nothing of an earlier owner can still be on its way, then doubt it all."""
        lane = self._lane
        found = await self._store.open_attempts(lane.channel)
        if not found:
            return
        await asyncio.sleep(max(attempt.seconds_left for attempt in found))
        touched = {
            one.desired.listing_id: one
            for one in await self._store.listings([a.listing_id for a in found])
        }
        told = [_left_open(a, touched[a.listing_id]) for a in found if a.listing_id in touched]
        await lane.close_open(told)
        if lane.connector.descriptor.can_read_back:
            for one in told:
                assert one.call_id is not None, "an attempt has a call"
                lane.doubt(one.call_id, one.consequence.desired)
        log.warning(
            "attempts found open",
            extra={"action": "attempts_recovered", "channel": lane.channel, "count": len(told)},
        )

    async def _load(self) -> None:
        """Queue every listing that does not show what it should."""
        lane, after = self._lane, 0
        while slice_ := await self._store.listings_after(
            lane.channel, after, self._options.load_slice
        ):
            after = slice_[-1].desired.listing_id
            pending = [one for one in slice_ if not one.desired.is_satisfied]
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


def _left_open(attempt: OpenAttempt, touched: Touched) -> Told:
    """An attempt found open, as the unknown outcome that it is."""
    sent = touched.desired
    sent = type(sent)(
        listing=sent.listing, version=attempt.version, value=attempt.value, shown=sent.shown
    )
    what = consequence(sent, Unknown(code="left_open"), can_read_back=True)
    return Told(call_id=attempt.call_id, consequence=what)
