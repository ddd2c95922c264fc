"""Values in doubt: what the channel shows is read back before anything else is sent."""

import asyncio
from dataclasses import dataclass
from uuid import UUID

from services.publication.channels import ChannelAway, Connector
from services.publication.domain.outcomes import Consequence, Judging, Stale, consequence
from services.publication.domain.outcomes import read_back as judge_read_back
from services.publication.domain.wanting import Desired
from services.publication.engine.traffic import Traffic
from services.publication.repository.attempts import Told
from shared.runtime.clock import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """A value whose listing shows nobody knows what, under the call that carried it.

    After a stale compare it was certainly not applied.
    """

    call_id: UUID
    desired: Desired
    is_stale: bool = False


class Doubts:
    """The listings in doubt of one lane; at most one read-back is out at a time."""

    def __init__(self, connector: Connector, traffic: Traffic, clock: Clock) -> None:
        self._connector = connector
        self._traffic = traffic
        self._clock = clock
        self._doubts: dict[int, Doubt] = {}
        self._at = clock.monotonic()
        self._is_out = False

    def __len__(self) -> int:
        return len(self._doubts)

    def add(self, doubt: Doubt, at: float) -> None:
        """Read back from a moment on (monotonic seconds)."""
        self._doubts[doubt.desired.listing_id] = doubt
        self._at = at

    def is_due(self, now: float) -> bool:
        return bool(self._doubts) and self._at <= now and not self._is_out

    def next_at(self) -> float | None:
        """When the next read-back is due, as far as the doubts say."""
        return self._at if self._doubts and not self._is_out else None

    def begin(self) -> None:
        """A read-back goes."""
        self._is_out = True

    async def read_back(self, judging: Judging) -> list[Told]:
        """What the channel says of one group of listings; nothing while it cannot be read."""
        try:
            return await self._read(judging)
        finally:
            self._is_out = False

    async def _read(self, judging: Judging) -> list[Told]:
        chosen = self._chosen()
        self._traffic.begin(self._clock.monotonic())
        try:
            async with asyncio.timeout(self._connector.descriptor.call_seconds_max):
                found = await self._connector.read_back([d.desired.listing for d in chosen])
        except (ChannelAway, TimeoutError) as error:
            now = self._clock.monotonic()
            after = error.retry_after_seconds if isinstance(error, ChannelAway) else None
            self._at = now + self._traffic.fail(now, after)
            return []
        self._traffic.succeed()
        told: list[Told] = []
        for doubt in chosen:
            del self._doubts[doubt.desired.listing_id]
            what = _judged(doubt, found.get(doubt.desired.listing_id), judging)
            told.append(Told(call_id=doubt.call_id, consequence=what))
        return told

    def _chosen(self) -> list[Doubt]:
        doubts, group_of = list(self._doubts.values()), self._connector.group_of
        group = group_of(doubts[0].desired.listing)
        chosen = [d for d in doubts if group_of(d.desired.listing) == group]
        return chosen[: self._connector.descriptor.read_back_max]


def _judged(doubt: Doubt, found: int | None, judging: Judging) -> Consequence:
    if doubt.is_stale and found is not None:
        return consequence(doubt.desired, Stale(found=found), judging)
    return judge_read_back(doubt.desired, found, judging)
