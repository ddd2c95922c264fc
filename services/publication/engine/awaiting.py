"""Calls that a channel has accepted and works off later: their results are asked for."""

import asyncio
import random
from dataclasses import dataclass
from typing import cast

from services.publication.channels import Answer, ChannelAway, Connector, DeferredConnector
from services.publication.domain.breaking import retry_seconds
from services.publication.domain.outcomes import Accepted, Unknown
from services.publication.repository.attempts import Call
from shared.runtime.clock import Clock


@dataclass(slots=True, kw_only=True)
class _Awaited:
    call: Call
    receipt: str
    ask_at: float
    until: float
    failures: int = 0


class Receipts:
    """The accepted calls of one lane; one of them is asked for at a time. Moments are monotonic."""

    def __init__(self, connector: Connector, clock: Clock, rng: random.Random) -> None:
        self._connector = connector
        self._clock = clock
        self._rng = rng
        self._awaited: list[_Awaited] = []
        self._asked: _Awaited | None = None

    def __len__(self) -> int:
        return len(self._awaited)

    def add(self, call: Call, receipt: str, seconds: float, *, first_seconds: float) -> None:
        """Ask for a call's result from `first_seconds` on, for `seconds` at most."""
        now = self._clock.monotonic()
        self._awaited.append(
            _Awaited(call=call, receipt=receipt, ask_at=now + first_seconds, until=now + seconds)
        )

    def is_due(self, now: float) -> bool:
        return self._asked is None and any(a.ask_at <= now for a in self._awaited)

    def next_at(self) -> float | None:
        """When the next result is to be asked for."""
        return min((a.ask_at for a in self._awaited if a is not self._asked), default=None)

    def begin(self) -> None:
        """The result that waits longest is asked for."""
        self._asked = min(self._awaited, key=lambda a: a.ask_at)

    async def ask(self) -> tuple[Call, Answer] | None:
        """The result of the call asked for, None while there is none.

        What has not been told in time is unknown, and so is what a result leaves out.
        """
        asked = self._asked
        assert asked is not None, "begin goes before ask"
        try:
            answer = await self._result(asked)
        finally:
            self._asked = None
        if answer is None and self._clock.monotonic() < asked.until:
            return None
        self._awaited.remove(asked)
        missing = Unknown(code="no_result" if answer is None else "not_in_answer")
        told = {} if answer is None else answer.outcomes
        outcomes = {d.listing_id: told.get(d.listing_id, missing) for d in asked.call.batch}
        for listing_id, outcome in outcomes.items():
            if isinstance(outcome, Accepted):  # a result is the channel's last word
                outcomes[listing_id] = Unknown(code="accepted_again")
        return asked.call, Answer(outcomes=outcomes, heard=None if answer is None else answer.heard)

    async def _result(self, asked: _Awaited) -> Answer | None:
        descriptor = self._connector.descriptor
        connector = cast(DeferredConnector, self._connector)
        pause = descriptor.result_seconds
        try:
            async with asyncio.timeout(descriptor.call_seconds_max):
                answer = await connector.result(asked.receipt, asked.call.batch)
            asked.failures = 0
        except (ChannelAway, TimeoutError) as error:
            asked.failures += 1
            after = error.retry_after_seconds if isinstance(error, ChannelAway) else None
            pause = max(pause, after or 0.0, retry_seconds(asked.failures, self._rng))
            answer = None
        asked.ask_at = min(self._clock.monotonic() + pause, asked.until)
        return answer
