"""From the inbox to orders: kept deliveries are read, resolved and folded, in one transaction.

A delivery with a code that nobody has told us of waits. It is looked for again in a statement of
its own after every transaction that kept one or made a code known, so that neither can miss the
other; and once in a while, for what another process did.
"""

import asyncio
import logging
import traceback
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import assert_never

from services.ingestion import metrics
from services.ingestion.channels import Reads, Told, ToldOrder, ToldRefund
from services.ingestion.handlers.resolving import (
    Known,
    codes_of,
    fold,
    refund,
    resolve,
    unknown_code,
)
from services.ingestion.repository import inbox, listings, orders, parking
from services.ingestion.repository.inbox import Inbox, InboxRow, Settlement
from services.ingestion.repository.listings import Code
from services.ingestion.repository.orders import KeptOrder
from shared.contracts.records import Undecodable
from shared.postgres.connecting import TRANSIENT, Pool
from shared.runtime.clock import Clock
from shared.runtime.waiting import wait_for_event

log = logging.getLogger(__name__)

SLICE = 200
RELEASE_MAX = 1_000
POLL_SECONDS = 1.0
DETAIL_LENGTH = 4_000


@dataclass(slots=True)
class Folded:
    """What a slice of the inbox has come to."""

    orders: dict[str, KeptOrder]
    changed: set[str] = field(default_factory=set)
    settlements: list[Settlement] = field(default_factory=list)


class Folding:
    """The forwarder's first half; the relay is the second, and knows no inbox."""

    def __init__(
        self,
        pool: Pool,
        protocols: Mapping[str, Reads],
        clock: Clock,
        closing: asyncio.Event,
        *,
        sweep_seconds: float,
        woken: Callable[[], None],
    ) -> None:
        self._pool = pool
        self._inbox = Inbox(pool)
        self._protocols = protocols
        self._clock = clock
        self._closing = closing
        self._sweep_seconds = sweep_seconds
        self._woken = woken
        self._due = asyncio.Event()
        self._look_again = True

    def wake(self) -> None:
        """A delivery was kept."""
        self._due.set()

    def learned(self) -> None:
        """A code has become known."""
        self._look_again = True
        self._due.set()

    async def run(self) -> None:
        """Fold until told to close."""
        swept_at = self._clock.monotonic()
        while not self._closing.is_set():
            try:
                if self._clock.monotonic() - swept_at >= self._sweep_seconds:
                    swept_at, self._look_again = self._clock.monotonic(), True
                await self.work_off()
            except TRANSIENT as error:
                log.warning(
                    "the inbox waits for its database",
                    extra={"action": "fold_retry", "reason": repr(error)},
                )
                await wait_for_event(self._closing, POLL_SECONDS)
            await self._wait()

    async def work_off(self) -> int:
        """Everything that can be folded now; returns how many rows were settled."""
        total = 0
        while not self._closing.is_set():
            released = 0
            if self._look_again:
                self._look_again = False
                released = await self._inbox.release(RELEASE_MAX)
                self._look_again = released == RELEASE_MAX
            settled = await self.fold_slice()
            total += settled
            if not (released or settled or self._look_again):
                break
        return total

    async def fold_slice(self) -> int:
        """One transaction: rows settled, orders folded, and what is to be published noted."""
        async with self._pool.acquire(timeout=5) as connection, connection.transaction():
            if not await inbox.lock(connection):
                return 0
            rows = await inbox.received(connection, SLICE)
            if not rows:
                return 0
            told = {row.inbox_id: self._read(row) for row in rows}
            known = await listings.known(connection, _codes(told.values()))
            kept = await orders.read(connection, _order_ids(told.values()))
            folded = decide(rows, told, known, kept)
            changed = [folded.orders[order_id] for order_id in sorted(folded.changed)]
            await orders.write(connection, changed, self._clock.now())
            await inbox.settle(connection, folded.settlements)
            await parking.park_deliveries(connection, folded.settlements)
        self._tell(folded)
        return len(rows)

    def _read(self, row: InboxRow) -> Told | Settlement:
        """What the delivery says. A bug on one delivery keeps that one back, and no other."""
        try:
            return self._protocols[row.protocol].read(row.payload, row.channel)
        except Exception as error:
            return _bug(row, error)

    def _tell(self, folded: Folded) -> None:
        if folded.changed:
            self._look_again = True  # a refund may have waited for its order
            self._woken()
        for settlement in folded.settlements:
            metrics.FOLDED.labels(settlement.status).inc()
            if settlement.status == "refused":
                metrics.PARKED.labels(metrics.SERVICE, settlement.reason or "unknown").inc()
            if settlement.status == "folded":
                continue
            self._look_again = self._look_again or settlement.status == "waiting"
            log.warning(
                "delivery kept back",
                extra={"action": settlement.status, "inbox_id": settlement.inbox_id,
                       "reason": settlement.reason, "waits_for": settlement.waits_for},
            )  # fmt: skip

    async def _wait(self) -> None:
        await wait_for_event(self._due, POLL_SECONDS)
        self._due.clear()


def decide(
    rows: Sequence[InboxRow],
    told: Mapping[int, Told | Settlement],
    known: Known,
    kept: Mapping[str, KeptOrder],
) -> Folded:
    """Each row's fate, in the order of arrival."""
    folded = Folded(orders=dict(kept))
    for row in rows:
        try:
            settlement = _settle(row, told[row.inbox_id], known, folded)
        except Exception as error:
            settlement = _bug(row, error)
        folded.settlements.append(settlement)
    return folded


def _settle(row: InboxRow, told: Told | Settlement, known: Known, folded: Folded) -> Settlement:
    match told:
        case Settlement():
            return told
        case Undecodable():
            return _refused(row, told)
        case ToldRefund():
            return _settle_refund(row, told, folded)
        case ToldOrder():
            return _settle_order(row, told, known, folded)
        case _:
            assert_never(told)


def _settle_order(row: InboxRow, told: ToldOrder, known: Known, folded: Folded) -> Settlement:
    if (code := unknown_code(told, known)) is not None:
        return _waiting(row, f"listing:{code}")
    resolved = resolve(told, known)
    if isinstance(resolved, Undecodable):
        return _refused(row, resolved)
    before = folded.orders.get(told.order.order_id)
    return _changed(row, before, fold(before, resolved), folded)


def _settle_refund(row: InboxRow, told: ToldRefund, folded: Folded) -> Settlement:
    before = folded.orders.get(told.order_id)
    if before is None:
        return _waiting(row, f"order:{told.order_id}")
    return _changed(row, before, refund(before, told), folded)


def _changed(
    row: InboxRow, before: KeptOrder | None, after: KeptOrder, folded: Folded
) -> Settlement:
    """What changes nothing is settled and not published again."""
    if after != before:
        folded.orders[after.order.order_id] = after
        folded.changed.add(after.order.order_id)
    return Settlement(inbox_id=row.inbox_id, status="folded")


def _waiting(row: InboxRow, name: str) -> Settlement:
    return Settlement(inbox_id=row.inbox_id, status="waiting", waits_for=name)


def _refused(row: InboxRow, why: Undecodable) -> Settlement:
    return Settlement(
        inbox_id=row.inbox_id, status="refused", reason=why.reason.value, detail=why.detail
    )


def _bug(row: InboxRow, error: Exception) -> Settlement:
    text = "".join(traceback.format_exception(error))[-DETAIL_LENGTH:].replace("\0", "\\0")
    return Settlement(inbox_id=row.inbox_id, status="refused", reason="internal_error", detail=text)


def _codes(told: Collection[Told | Settlement]) -> set[Code]:
    return {code for one in told if isinstance(one, ToldOrder) for code in codes_of(one)}


def _order_ids(told: Collection[Told | Settlement]) -> set[str]:
    ids = {one.order.order_id for one in told if isinstance(one, ToldOrder)}
    return ids | {one.order_id for one in told if isinstance(one, ToldRefund)}
