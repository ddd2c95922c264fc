"""Marketplaces without webhooks are read page by page, from a watermark that never skips an order.

A list of "updated since" only grows while it is read, and is sorted by creation: an order that
changes meanwhile may appear before the place already reached, so the next list begins where this
one was *begun*, not at the latest update seen. That moment is the marketplace's own clock or ours,
whichever is behind, less an overlap for clocks that disagree. Reading twice changes nothing.
"""

import asyncio
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final, Protocol

from services.ingestion import metrics
from services.ingestion.channels import Declined, MarketplaceAway, Page, Payload, Polled
from services.ingestion.domain.allowing import Json
from services.ingestion.repository.inbox import Delivery
from services.ingestion.repository.polls import Polls, Turn
from shared.postgres.connecting import TRANSIENT
from shared.runtime.clock import Clock
from shared.runtime.waiting import wait_for_event

log = logging.getLogger(__name__)

PAGES_MAX: Final = 50
ACCEPT_MAX: Final = 100
LOOK_SECONDS: Final = 1.0
BACKOFF_SECONDS_MAX: Final = 900.0
DOUBLINGS_MAX: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class PollOptions:
    """How one marketplace is read. A call's `lease_seconds` outlive its timeout."""

    poll_seconds: float
    overlap_seconds: float
    first_days: int
    lease_seconds: float
    accepts: bool = False


class Marketplace(Protocol):
    """The port to a marketplace's orders."""

    async def orders(self, since: datetime, offset: int) -> Page: ...

    async def accept(self, order_id: str, line_ids: Sequence[str]) -> None: ...


class Polling:
    """One marketplace, in one of the processes that take turns."""

    def __init__(
        self, channel: str, protocol: Polled, marketplace: Marketplace, polls: Polls, clock: Clock,
        owner: str, options: PollOptions, customer_key: bytes | None, woken: Callable[[], None],
    ) -> None:  # fmt: skip
        self._channel = channel
        self._protocol = protocol
        self._marketplace = marketplace
        self._polls = polls
        self._clock = clock
        self._owner = owner
        self._options = options
        self._customer_key = customer_key
        self._woken = woken

    async def run(self, closing: asyncio.Event) -> None:
        """Read and accept until told to close, whatever the marketplace does."""
        pause = min(LOOK_SECONDS, self._options.poll_seconds / 4)
        while not closing.is_set():
            try:
                await self.take_turn(closing)
                if self._options.accepts:
                    await self.accept_waiting()
                for state in await self._polls.states([self._channel]):
                    metrics.POLL_AGE.labels(self._channel).set(state.age_seconds)
            except TRANSIENT as error:
                log.warning(
                    "polling waits for its database",
                    extra={"action": "poll_retry", "channel": self._channel, "reason": repr(error)},
                )
            await wait_for_event(closing, pause)

    async def take_turn(self, closing: asyncio.Event) -> bool:
        """Read on where the list has come to, if it is due and nobody else's turn."""
        options = self._options
        first = self._clock.now() - timedelta(days=options.first_days)
        turn = await self._polls.take(
            self._channel,
            self._owner,
            first=first,
            lease_seconds=options.lease_seconds,
            seconds=options.poll_seconds,
        )
        if turn is None:
            return False
        try:
            await self._read_pages(turn, closing)
            await self._polls.release(self._channel, self._owner)
        except MarketplaceAway as away:
            await self._put_off(turn, away)
        return True

    async def accept_waiting(self) -> None:
        """Take what waits to be accepted, once its state is in the database: the stock is held by
        what folding has told the others, and an unknown offer never gets this far.
        """
        retry = 3 * self._options.poll_seconds
        waiting = await self._polls.to_accept(self._channel, retry, ACCEPT_MAX)
        for order_id, lines in waiting.items():
            is_away, problem = False, None
            try:
                await self._marketplace.accept(order_id.removeprefix(f"{self._channel}:"), lines)
            except (Declined, MarketplaceAway) as error:
                is_away, problem = isinstance(error, MarketplaceAway), str(error)
            await self._polls.accepted(order_id, problem)
            metrics.ACCEPTANCES.labels(self._channel, "no" if problem else "yes").inc()
            log.info(
                "order accepted" if problem is None else "order not accepted",
                extra={"action": "order_acceptance", "order_id": order_id, "reason": problem},
            )
            if is_away:
                return  # the others come again when their time is over

    async def _read_pages(self, turn: Turn, closing: asyncio.Event) -> None:
        offset, began_at = turn.next_offset, turn.began_at
        for _ in range(PAGES_MAX):
            if closing.is_set():
                return
            now = self._clock.now()
            page = await self._marketplace.orders(turn.since, offset)
            began_at = began_at or min(page.at or now, now)
            deliveries = [self._delivery(order) for order in page.orders]
            is_last = not deliveries or offset + len(deliveries) >= page.total
            overlap = timedelta(seconds=self._options.overlap_seconds)
            kept = await self._polls.keep(
                self._channel, self._owner, deliveries, at=offset, began_at=began_at,
                lease_seconds=self._options.lease_seconds,
                since=began_at - overlap if is_last else None,
            )  # fmt: skip
            if kept is None:
                log.warning("the list has become another's", extra=self._about("poll_lost"))
                return
            if kept:
                metrics.DELIVERIES.labels(self._protocol.name, "stored").inc(kept)
                self._woken()
            if is_last:
                metrics.POLLS.labels(self._channel, "complete").inc()
                return
            offset += len(deliveries)

    def _delivery(self, order: Json) -> Delivery:
        """Nothing is passed over: what cannot be read is kept by its number, and refused there."""
        try:
            payload = self._protocol.redact(order, self._channel, self._customer_key)
        except Exception:
            # A bug on one order must stop neither the others nor the watermark.
            log.exception("an order could not be read", extra=self._about("poll_bug"))
            payload = None
        payload = payload or _stub(order)
        told = json.dumps(payload, sort_keys=True).encode()
        return Delivery(
            channel=self._channel, protocol=self._protocol.name, body_sha256=sha256(told).digest(),
            delivery_id=None, topic=None, payload=payload,
        )  # fmt: skip

    async def _put_off(self, turn: Turn, away: MarketplaceAway) -> None:
        doublings = min(turn.failures, DOUBLINGS_MAX)
        backoff = min(self._options.poll_seconds * 2**doublings, BACKOFF_SECONDS_MAX)
        seconds = max(backoff, self._options.poll_seconds, away.retry_after_seconds or 0.0)
        await self._polls.fail(self._channel, self._owner, seconds=seconds, problem=str(away))
        metrics.POLLS.labels(self._channel, "away").inc()
        log.warning(
            "marketplace not read",
            extra=self._about("poll_away") | {"reason": str(away), "seconds": seconds},
        )

    def _about(self, action: str) -> dict[str, object]:
        return {"action": action, "channel": self._channel}


def _stub(order: Json) -> Payload:
    name = order.get("order_id") if isinstance(order, dict) else None
    is_name = isinstance(name, str | int) and len(str(name)) <= 64 and str(name).isprintable()
    return {"order": {"order_id": str(name)} if is_name else {}}
