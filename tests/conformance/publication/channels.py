"""Two channels in memory: one that works a file off later, one that compares before it sets."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from services.publication.channels import Answer, ChannelAway
from services.publication.domain.capabilities import Descriptor
from services.publication.domain.outcomes import Accepted, Acknowledged, Outcome, Stale, Unknown
from services.publication.domain.wanting import Desired, Listing


@dataclass(kw_only=True)
class ImportingChannel:
    """Takes a batch as a file under a receipt, and applies it when a test finishes it."""

    descriptor: Descriptor
    shown: dict[str, int] = field(default_factory=dict)
    files: dict[str, dict[str, int]] = field(default_factory=dict)
    results: dict[str, Mapping[str, Outcome]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    is_away: bool = False
    hold: asyncio.Event | None = None

    def group_of(self, listing: Listing) -> str:
        del listing
        return ""

    async def publish(self, batch: Sequence[Desired], key: str) -> Answer:
        if self.hold is not None:
            await self.hold.wait()
        receipt = f"import-{len(self.files) + 1}"
        self.files[receipt] = {d.listing.code: d.value for d in batch}
        del key
        return Answer(outcomes={d.listing_id: Accepted(receipt=receipt) for d in batch})

    async def result(self, receipt: str, batch: Sequence[Desired]) -> Answer | None:
        self.asked.append(receipt)
        if self.is_away:
            raise ChannelAway("HTTP 503")
        told = self.results.get(receipt)
        if told is None:
            return None
        return Answer(outcomes={d.listing_id: told[d.listing.code] for d in batch
                                if d.listing.code in told})  # fmt: skip

    def finish(self, receipt: str, **outcomes: Outcome) -> None:
        """Apply a file; every line is taken but for those with another outcome."""
        found: dict[str, Outcome] = {}
        for code, value in self.files[receipt].items():
            found[code] = outcomes.get(code, Acknowledged())
            if isinstance(found[code], Acknowledged):
                self.shown[code] = value
        self.results[receipt] = found

    async def read_back(self, listings: Sequence[Listing]) -> Mapping[int, int | None]:
        return {one.listing_id: self.shown.get(one.code) for one in listings}

    async def close(self) -> None:
        pass


@dataclass(kw_only=True)
class ComparingChannel:
    """Sets a quantity only where it shows what the caller thinks; buyers take from it."""

    descriptor: Descriptor
    shown: dict[str, int] = field(default_factory=dict)
    writes: list[tuple[str, int | None, int]] = field(default_factory=list)
    stale: int = 0
    hold: asyncio.Event | None = None
    loses_answers: bool = False

    def group_of(self, listing: Listing) -> str:
        del listing
        return ""

    async def publish(self, batch: Sequence[Desired], key: str) -> Answer:
        del key
        if self.hold is not None:
            await self.hold.wait()
        outcomes = {d.listing_id: self._set(d) for d in batch}
        if self.loses_answers:
            self.loses_answers = False
            outcomes = dict.fromkeys(outcomes, Unknown(code="lost"))
        return Answer(outcomes=outcomes)

    def _set(self, desired: Desired) -> Outcome:
        code, shows = desired.listing.code, self.shown.get(desired.listing.code, 0)
        if desired.shown is not None and desired.shown != shows:
            self.stale += 1
            return Stale(found=shows)
        self.shown[code] = desired.value
        self.writes.append((code, desired.shown, desired.value))
        return Acknowledged()

    def buy(self, code: str, units: int = 1) -> None:
        """A sale as the shop counts it: at once, before anyone hears of it."""
        assert self.shown[code] >= units, "nobody buys what is not shown"
        self.shown[code] -= units

    async def read_back(self, listings: Sequence[Listing]) -> Mapping[int, int | None]:
        return {one.listing_id: self.shown.get(one.code) for one in listings}

    async def close(self) -> None:
        pass


def an_importing_channel(**descriptor: Any) -> ImportingChannel:
    """Impatient: results are asked for every 20 ms, for 5 s at most."""
    options: dict[str, Any] = {
        "kind": "importing", "is_synchronous": False, "batch_max": 10_000,
        "call_seconds_max": 0.5, "result_seconds": 0.02, "result_seconds_max": 5.0,
    }  # fmt: skip
    return ImportingChannel(descriptor=Descriptor(**options | descriptor))


def a_comparing_channel(**descriptor: Any) -> ComparingChannel:
    """One call at a time."""
    options: dict[str, Any] = {
        "kind": "comparing", "can_compare_and_set": True, "call_seconds_max": 0.5,
    }  # fmt: skip
    return ComparingChannel(descriptor=Descriptor(**options | descriptor))
