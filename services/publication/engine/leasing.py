"""What a lane writes while its process holds the channel's lease, and only then."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar
from uuid import UUID

from services.publication.domain.unheard import Basis
from services.publication.repository.attempts import Call, Held, Turn
from services.publication.repository.folding import Touched
from services.publication.repository.store import Store
from shared.postgres.connecting import TRANSIENT
from shared.runtime.clock import Clock

T = TypeVar("T")


class LeaseLost(Exception):  # noqa: N818  (it names what happened, like Fenced)
    """Another process owns the channel now, or could: nothing more may be sent."""


class Lease:
    """The lease as this process knows it; `until` in monotonic seconds.

    Every write is tried while the database is away and the lease lasts. Raises LeaseLost after
    that, and when the database says that the channel is another's.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self.held: Held | None = None
        self.until = 0.0

    def outlives(self, seconds: float) -> bool:
        """A call of so many seconds would end before the lease does."""
        return self.held is not None and self.until - self._clock.monotonic() > seconds

    async def take_turn(self, turn: Turn, call: Call | None) -> frozenset[int]:
        """Write what happened, open what comes; the listings opened."""
        held = self._require()
        opened = await self._patiently(lambda: self._store.take_turn(held, turn, call))
        if opened is None:
            raise LeaseLost
        return opened

    async def keep_receipt(
        self, call_id: UUID, listing_ids: Sequence[int], receipt: str, seconds: float
    ) -> None:
        """Note what an accepted call is asked for with."""
        held = self._require()
        is_ours = await self._patiently(
            lambda: self._store.keep_receipt(held, call_id, listing_ids, receipt, seconds)
        )
        if not is_ours:
            raise LeaseLost

    async def rebase(self, bases: dict[int, Basis]) -> None:
        """Keep new bases."""
        held = self._require()
        await self._patiently(lambda: self._store.rebase(held, bases))

    async def listings(self, listing_ids: Sequence[int]) -> list[Touched]:
        """Listings as they stand."""
        return await self._patiently(lambda: self._store.listings(listing_ids))

    def _require(self) -> Held:
        if self.held is None:
            raise LeaseLost
        return self.held

    async def _patiently(self, attempt: Callable[[], Awaitable[T]]) -> T:
        pause = 0.02
        while True:
            try:
                return await attempt()
            except TRANSIENT as error:
                if self._clock.monotonic() > self.until:
                    raise LeaseLost from error
                await asyncio.sleep(pause)
                pause = min(pause * 2, 1.0)
