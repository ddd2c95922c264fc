"""Lots that expire: what has is taken off sale, what soon will is offered at no distance."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from hashlib import sha256
from zoneinfo import ZoneInfo

from aiokafka.errors import KafkaError

from services.ledger.domain.lots import ONE_DAY, Lot
from services.ledger.domain.terms import TermBook
from services.ledger.handlers.announcing import SOURCE, Send, policy_message
from services.ledger.handlers.terming import facts_of, reference_of
from services.ledger.repository import lots, terms
from services.ledger.repository.costs import location_records
from services.ledger.repository.lots import Looked, Shelved
from shared.contracts.accounts import Bucket, MovementType
from shared.contracts.cloudevents import headers_for
from shared.contracts.movements import StockMovement
from shared.contracts.places import Location
from shared.contracts.policies import Policy, Scope
from shared.contracts.references import AccountRef, Document, Reason
from shared.contracts.references import Lot as LotRef
from shared.contracts.topics import REFERENCE_DATA, STOCK_MOVEMENTS
from shared.kafka.producing import Outgoing
from shared.postgres.connecting import TRANSIENT, Connection, Pool
from shared.runtime.clock import Clock
from shared.runtime.waiting import wait_for_event
from shared.stock.policies import Term

log = logging.getLogger(__name__)

POLL_SECONDS = 2.0
SLICE = 500
EXPIRED = "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What a shelf is judged by: its own days, and how many of them goods need for a distance."""

    zone: ZoneInfo
    days: int


class Shelving:
    """Every two seconds, by the worker that is the first. Whatever it tells, it may tell twice: the
    movement has the same identity, and the policy says the same.
    """

    def __init__(
        self,
        pool: Pool,
        send: Send,
        clock: Clock,
        closing: asyncio.Event,
        *,
        is_first: Callable[[], bool],
    ) -> None:
        self._pool = pool
        self._send = send
        self._clock = clock
        self._closing = closing
        self._is_first = is_first
        self._book: TermBook | None = None
        self._zones: dict[str, ZoneInfo] = {}

    async def run(self) -> None:
        """Work until told to close."""
        while not await wait_for_event(self._closing, POLL_SECONDS):
            try:
                while self._is_first() and await self.turn() == SLICE:
                    pass
            except (KafkaError, *TRANSIENT) as error:
                log.warning("lots wait", extra={"action": "retry", "reason": repr(error)})

    async def turn(self) -> int:
        """Look at shelves that have changed or are due, and tell what follows; how many."""
        now = self._clock.now()
        async with self._pool.acquire(timeout=5) as connection:
            levels = await lots.to_look_at(connection, now, SLICE)
            if not levels:
                return 0
            await self._learn(connection, now)
            found = await lots.read_shelves(connection, levels)
            about = await terms.records_of_skus(connection, sorted({one.sku for one in found}))
            judged = [(one, self._place_of(one, about.get(one.sku, ()), now)) for one in found]
            await self._send([told for one in judged for told in messages_of(*one, now)])
            await lots.note_looked(connection, [looked_at(*one, now) for one in judged])
        return len(levels)

    async def _learn(self, connection: Connection, now: datetime) -> None:
        version = await terms.terms_version(connection)
        if self._book is None or not self._book.holds(version, now):
            version, records = await terms.shared_records(connection)
            self._book = TermBook(reference_of(version, records), now)
            self._zones = {
                told.location_id: ZoneInfo(told.time_zone)
                for record in await location_records(connection)
                if isinstance(told := REFERENCE_DATA.decode(record), Location)
            }

    def _place_of(self, one: Shelved, records: Sequence[bytes], now: datetime) -> Place:
        assert self._book is not None, "terms are learnt before anything is judged"
        facts = facts_of(one.sku, 0, records)
        days = self._book.at_location(facts, one.location, Term.EXPIRY_DAYS, now)
        return Place(zone=self._zones.get(one.location, ZoneInfo("UTC")), days=days)


def messages_of(one: Shelved, place: Place, now: datetime) -> list[Outgoing]:
    """What has to be told of a shelf: lots that have expired, and units that soon will."""
    today = now.astimezone(place.zone).date()
    told = [_block(one, lot, place.zone, now) for lot in one.shelf.expired(today)]
    units = one.shelf.short_dated(today, place.days)
    if units != one.short_dated:
        told.append(_short_dated(one, units, now))
    return told


def looked_at(one: Shelved, place: Place, now: datetime) -> Looked:
    """What was told of a shelf. Where anything expires it is looked at again the next day."""
    today = now.astimezone(place.zone).date()
    tomorrow = _begins(today + ONE_DAY, place.zone)
    return Looked(
        level_id=one.level_id, version=one.version,
        again_at=tomorrow if one.shelf.expires else None,
        short_dated=one.shelf.short_dated(today, place.days),
    )  # fmt: skip


def _block(one: Shelved, lot: Lot, zone: ZoneInfo, now: datetime) -> Outgoing:
    """Off sale from the day after its last, or from the last count on, which found it on sale.

    The same for the same version of the level, so that it is posted once.
    """
    assert lot.code is not None, "units of no lot never expire"
    assert lot.expires_on is not None, "nor do those without a day"
    moment = _begins(lot.expires_on + ONE_DAY, zone)
    if one.counted_at is not None and one.counted_at >= moment:
        moment = one.counted_at.replace(microsecond=0) + timedelta(seconds=1)
    named = sha256(f"{one.sku}|{one.location}|{lot.code}|{one.version}".encode()).hexdigest()[:32]
    movement = StockMovement(
        type=MovementType.INSPECTION, sku=one.sku, location=one.location, quantity=lot.units,
        occurred_at=moment, from_=AccountRef(bucket=Bucket.SELLABLE),
        to=AccountRef(bucket=Bucket.QUALITY_HOLD),
        document=Document(kind="expiry", number=lot.code, line=named),
        reason=Reason(code=EXPIRED), lot=LotRef(code=lot.code, expires_on=lot.expires_on),
    )  # fmt: skip
    log.info(
        "a lot has expired",
        extra={"action": "lot_expired", "sku": one.sku, "location_id": one.location,
               "lot": lot.code, "units": lot.units},
    )  # fmt: skip
    return Outgoing(
        topic=STOCK_MOVEMENTS.name, partition=STOCK_MOVEMENTS.partition_of(movement),
        key=movement.key(), value=movement.encode(),
        headers=headers_for(
            id_=f"expiry/{named}", source=SOURCE, type_=STOCK_MOVEMENTS.ce_type, time=now
        ),
    )  # fmt: skip


def _short_dated(one: Shelved, units: int, now: datetime) -> Outgoing:
    """The units as a policy of this SKU and place; 0 takes it back."""
    named = sha256(f"{one.location}|{one.sku}".encode()).hexdigest()[:32]
    revision = max(one.version, int(now.timestamp() * 1_000_000))
    policy = Policy(
        kind="policy", policy_id=f"short-dated-{named}", term=Term.SHORT_DATED.value, value=units,
        scope=Scope(sku=one.sku, location=one.location), revision=revision, deleted=units == 0,
    )  # fmt: skip
    return policy_message(policy, now)


def _begins(day: date, zone: ZoneInfo) -> datetime:
    """When a day begins somewhere."""
    return datetime.combine(day, time(), zone).astimezone(UTC)
