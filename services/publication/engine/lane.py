"""The lane of one channel: what folds, readers and earlier owners put into it.

A lane works only while its process holds the channel's lease.
"""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from services.publication.domain.queueing import Queue
from services.publication.domain.wanting import Desired, Sorted, sort_out
from services.publication.engine.turning import Turning
from services.publication.engine.verifying import Doubt
from services.publication.repository.attempts import Call, Told, Turn
from services.publication.repository.folding import Touched


class Lane(Turning):
    """What one channel must be told. Its methods without `async` never block."""

    # -- what the fold does, in its own task -------------------------------------------------

    def offer(self, wanted: Sequence[Desired]) -> Call | None:
        """Of values just folded, the call that may go at once; they become busy.

        None unless the lane is free and nothing waits ahead of them.
        """
        if not self._is_free() or len(self.queue):
            return None
        scratch = Queue(self.connector.group_of)
        for desired in wanted:
            # what is shown already, as far as anyone knows, is opened by a turn of the lane's own
            is_told = desired.shown != desired.value
            if is_told and not self.queue.is_busy(desired.listing_id):
                scratch.put(desired)
        batch = self.allowance.take(scratch, self.traffic.batch_max, 0.0)
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
        self.allowance.give_back(d.listing_id for d in call.batch)
        for desired in call.batch:
            if (waiting := self.queue.drop(desired.listing_id)) is not None:
                self.queue.put(waiting)

    def put(self, desired: Desired) -> Desired | None:
        """Queue a value; returns it where its listing shows it already.

        A fold decides, records, and queues only then: an answer that came meanwhile is newer.
        """
        self.wake.set()
        return self.queue.put(self.upon(desired))

    # -- what others ask for -----------------------------------------------------------------

    async def hear(self, listing_ids: Sequence[int]) -> None:
        """Read listings anew, and queue what they should show."""
        await self.take_in(await self._store.listings(listing_ids))

    async def take_in(self, touched: Sequence[Touched], *, is_resync: bool = False) -> None:
        """Queue what rows of the database ask for; a resync asks again for what is shown."""
        into = Sorted()
        for one in touched:
            desired = replace(self.upon(one.desired), is_resync=is_resync)
            sort_out(desired, one.channel_mode, into)
        turn = Turn()
        for desired in (*into.wanted, *into.satisfied):
            if is_resync:
                self.outstanding.add(desired.listing_id)
            if (done := self.put(desired)) is not None:
                self._note_satisfied(done, turn)
        if turn:
            await self.lease.take_turn(turn, None)

    async def look_again(self) -> None:
        """Tell the listings of which less is held back by now; those alone."""
        if listing_ids := self.holding.due():
            found = await self._store.listings(listing_ids)
            await self.take_in([o for o in found if not self.upon(o.desired).is_satisfied])

    async def drop_unheard(self, listing_ids: Sequence[int]) -> None:
        """Forget what no order has explained for too long, and tell the figures without it."""
        touched = await self.lease.listings([n for n in listing_ids if not self.queue.is_busy(n)])
        idle = [one for one in touched if not self.queue.is_busy(one.desired.listing_id)]
        bases = self._bases.drop([o.desired for o in idle], self._clock.now().timestamp())
        await self.lease.rebase(bases)
        for one in idle:
            self.queue.forget(one.desired.listing_id)
        await self.take_in(idle)

    def doubt(self, call_id: UUID, desired: Desired) -> None:
        """An attempt was found open: what became of it must be read back."""
        self.queue.seize(desired)
        doubt = Doubt(call_id=call_id, desired=desired)
        self._doubts.add(doubt, self._clock.monotonic())

    def resume(self, call: Call, receipt: str, seconds: float) -> None:
        """An accepted call was found open: its result is asked for, for `seconds` more."""
        for desired in call.batch:
            self.queue.seize(desired)
        self.receipts.add(call, receipt, seconds, first_seconds=0.0)

    async def close_open(self, told: Sequence[Told]) -> None:
        """Close attempts that an earlier owner left open."""
        await self.lease.take_turn(Turn(closed=list(told)), None)
