"""One batch, one transaction: records and figures folded, attempts opened where a lane is free."""

import json
import logging
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar

from services.publication import metrics
from services.publication.engine import Engine, Plan
from services.publication.repository.attempts import Recorded
from services.publication.repository.folding import (
    ChannelColumns,
    FigureColumns,
    ListingColumns,
    Touched,
)
from services.publication.repository.store import Store, Transaction
from shared.contracts.availability import Availability
from shared.contracts.records import Undecodable
from shared.contracts.reference import Channel, Listing
from shared.contracts.topics import AVAILABILITY, REFERENCE_DATA
from shared.kafka.batches import Batch, Fenced, Message
from shared.postgres.connecting import TRANSIENT
from shared.runtime.clock import Clock

log = logging.getLogger(__name__)

ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)  # before every moment a contract can hold
DETAIL_LENGTH = 4_000
R = TypeVar("R", Channel, Listing)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A message that cannot be applied, and why."""

    message: Message
    reason: str
    detail: str

    def row(self) -> tuple[object, ...]:
        """The columns of `parked`."""
        m = self.message
        headers = {name: value.decode("utf-8", "replace") for name, value in m.headers}
        return (
            m.topic, m.partition, m.offset, self.reason, self.detail, m.key,
            json.dumps(headers).replace("\\u0000", "\ufffd"), m.value,
        )  # fmt: skip


@dataclass(slots=True)
class Reading:
    """A batch that was read; of several states of one key, the one that counts."""

    figures: FigureColumns = field(default_factory=FigureColumns)
    channels: ChannelColumns = field(default_factory=ChannelColumns)
    listings: ListingColumns = field(default_factory=ListingColumns)
    refusals: list[Refusal] = field(default_factory=list)

    @property
    def is_plain(self) -> bool:
        """Figures only: nothing that changes terms, nothing to park."""
        return not (self.channels.channels or self.listings.channels or self.refusals)


class PublicationHandler:
    """What the worker does with a batch, however large."""

    def __init__(
        self, store: Store, engine: Engine, clock: Clock, *, woken: Callable[[], None]
    ) -> None:
        self._store = store
        self._engine = engine
        self._clock = clock
        self._woken = woken

    async def decode(self, batch: Batch) -> Reading:
        """Read the batch; what cannot be read is part of the result."""
        return read(batch)

    async def apply(self, batch: Batch, decoded: Reading) -> None:
        """Fold, decide, record; then calls go. Raises Fenced, and then nothing has changed."""
        try:
            with metrics.FOLD_SECONDS.time():
                if decoded.is_plain:
                    plan = await self._apply_figures(batch, decoded)
                else:
                    plan = await self._apply_all(batch, decoded)
        except (Fenced, *TRANSIENT):
            # A commit whose answer was lost may have moved the position: what it folded is in
            # the database, and in nobody's queue.
            self._engine.reload_all()
            raise
        if plan.settling:
            self._woken()
        self._tell(batch, decoded)

    async def _apply_figures(self, batch: Batch, decoded: Reading) -> Plan:
        """Figures alone: one statement folds, another opens attempts where a lane is free."""
        engine = self._engine
        folded = await self._store.fold(batch, decoded.figures, engine.ownership())
        plan = engine.plan(folded.touched)
        recorded = Recorded(opened=frozenset(), held=folded.held)
        if not plan.is_silent:
            try:
                recorded = await self._store.record(
                    plan.held, plan.calls, plan.settling, plan.shadowed, engine.new_call_id()
                )
            except BaseException as error:
                engine.requeue(plan)
                if isinstance(error, TRANSIENT):
                    return plan
                raise
        engine.accept(plan, recorded)
        return plan

    async def _apply_all(self, batch: Batch, decoded: Reading) -> Plan:
        """Records and refusals too: one transaction."""
        plan: Plan | None = None
        try:
            async with self._store.transaction() as transaction:
                channels, touched = await self._fold(transaction, batch, decoded)
                plan = self._engine.plan(touched)
                recorded = await transaction.record(
                    plan.held, plan.calls, plan.settling, plan.shadowed, plan.wanted,
                    self._engine.new_call_id(),
                )  # fmt: skip
                if decoded.refusals:
                    await transaction.park([refusal.row() for refusal in decoded.refusals])
        except BaseException:
            if plan is not None:
                self._engine.cancel(plan)
            raise
        self._engine.accept(plan, recorded)
        self._engine.reload(channels)
        return plan

    async def park(self, batch: Batch, error: BaseException) -> None:
        """Keep the batch's one message as `internal_error`, and move past it."""
        text = "".join(traceback.format_exception(error))[-DETAIL_LENGTH:].replace("\x00", "")
        refusal = Refusal(message=next(batch.messages()), reason="internal_error", detail=text)
        async with self._store.transaction() as transaction:
            await transaction.fold_figures(batch, FigureColumns())
            await transaction.park([refusal.row()])
        metrics.MESSAGES.labels("parked").inc()

    async def _fold(
        self, transaction: Transaction, batch: Batch, decoded: Reading
    ) -> tuple[list[str], list[Touched]]:
        """Records first, so that figures of the same batch meet the terms that came with them."""
        if not (decoded.channels.channels or decoded.listings.channels):
            return [], await transaction.fold_figures(batch, decoded.figures)
        channels, listing_ids = await transaction.fold_references(
            batch, decoded.channels, decoded.listings, self._clock.now()
        )
        touched = {t.desired.listing_id: t for t in await transaction.listings(listing_ids)}
        for one in await transaction.fold_figures(None, decoded.figures):
            touched[one.desired.listing_id] = one
        return channels, list(touched.values())

    def _tell(self, batch: Batch, decoded: Reading) -> None:
        parked = len(decoded.refusals)
        metrics.MESSAGES.labels("folded").inc(len(batch) - parked)
        metrics.MESSAGES.labels("parked").inc(parked)
        for refusal in decoded.refusals:
            log.warning(
                "message parked",
                extra={"action": "parked", "reason": refusal.reason,
                       "topic": refusal.message.topic, "offset": refusal.message.offset},
            )  # fmt: skip


def read(batch: Batch) -> Reading:
    """Decode every message; the latest state of a key replaces the others in the batch."""
    reading = Reading()
    figures: dict[tuple[str, str], Availability] = {}
    channels: dict[str, Channel] = {}
    listings: dict[str, Listing] = {}
    for message in batch.messages():
        topic = AVAILABILITY if message.topic == AVAILABILITY.name else REFERENCE_DATA
        found = topic.decode(message.value)
        match found:
            case Undecodable():
                reading.refusals.append(
                    Refusal(message=message, reason=found.reason.value, detail=found.detail)
                )
            case Availability():
                key = found.channel, found.sku
                known = figures.get(key)
                if known is None or known.version <= found.version:
                    figures[key] = found
            case Channel():
                _keep_latest(channels, found)
            case Listing():
                _keep_latest(listings, found)
            case _:
                pass  # other reference data is of no concern here
    _fill(reading, figures, channels, listings)
    return reading


def _keep_latest(kept: dict[str, R], record: R) -> None:
    known = kept.get(record.record_id)
    if known is None or known.revision <= record.revision:
        kept[record.record_id] = record


def _fill(
    reading: Reading,
    figures: dict[tuple[str, str], Availability],
    channels: dict[str, Channel],
    listings: dict[str, Listing],
) -> None:
    for figure in figures.values():
        columns = reading.figures
        columns.channels.append(figure.channel)
        columns.skus.append(figure.sku)
        columns.versions.append(figure.version)
        columns.available.append(0 if figure.closed else figure.available_to_sell)
        columns.caused.append(figure.computed_at)
    for channel in channels.values():
        told = reading.channels
        told.channels.append(channel.channel)
        told.begins.append(channel.from_ or ALWAYS)
        told.ends.append(channel.until)
        told.revisions.append(channel.revision)
        told.deleted.append(channel.deleted)
        told.modes.append(channel.mode.value)
    for listing in listings.values():
        rows = reading.listings
        rows.channels.append(listing.channel)
        rows.listings.append(listing.listing_id)
        rows.begins.append(listing.from_ or ALWAYS)
        rows.ends.append(listing.until)
        rows.revisions.append(listing.revision)
        rows.deleted.append(listing.deleted)
        rows.skus.append(listing.sku)
        rows.ids.append(json.dumps(listing.ids))
        rows.fulfilled_by.append(listing.fulfilled_by.value)
        rows.units.append(listing.units_per_listing)
        rows.modes.append(None if listing.mode is None else listing.mode.value)
