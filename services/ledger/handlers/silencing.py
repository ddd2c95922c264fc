"""Sources that say nothing: the demand expected since their last word is held back by policies."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from datetime import date, datetime, time, timedelta
from hashlib import sha256
from zoneinfo import ZoneInfo

from aiokafka.errors import KafkaError

from services.ledger.domain.silence import Hours, Silence, judge_silence, open_seconds
from services.ledger.handlers.announcing import Send, policy_message
from services.ledger.handlers.roles import Roles
from services.ledger.repository import silences
from services.ledger.repository.silences import LastWord, Untold
from shared.contracts.dated import Dated
from shared.contracts.places import Calendar, Location, Weekday
from shared.contracts.policies import Policy, Scope
from shared.contracts.topics import REFERENCE_DATA
from shared.postgres.connecting import TRANSIENT, Connection, Pool
from shared.runtime.clock import Clock
from shared.runtime.waiting import wait_for_event
from shared.stock.policies import Term

log = logging.getLogger(__name__)

POLL_SECONDS = 10.0
SLICE = 1_000
SOLD_FOR = timedelta(days=28)
WEEKDAYS = {day: number for number, day in enumerate(Weekday, start=1)}


class Silencing:
    """Every ten seconds, by the worker that is the first. A silence begins only after the
    worker has heard everything for that long: Kafka answers and nothing waits to be read. So a
    ledger or a broker that was away accuses nobody.
    """

    def __init__(
        self,
        pool: Pool,
        send: Send,
        clock: Clock,
        closing: asyncio.Event,
        *,
        roles: Roles,
        hears_all: Callable[[], Awaitable[bool]],
        stop_after: int,
    ) -> None:
        self._pool = pool
        self._send = send
        self._clock = clock
        self._closing = closing
        self._roles = roles
        self._hears_all = hears_all
        self._stop_after = stop_after
        self._listens_since: datetime | None = None

    async def run(self) -> None:
        """Work until told to close."""
        while not await wait_for_event(self._closing, POLL_SECONDS):
            try:
                await self.turn()
            except (KafkaError, *TRANSIENT) as error:
                log.warning("silences wait", extra={"action": "retry", "reason": repr(error)})

    async def turn(self) -> None:
        """Judge every last word, and tell what has changed."""
        if not await self._hears_all():
            self._listens_since = None
            return
        now = self._clock.now()
        self._listens_since = self._listens_since or now
        limits = self._roles.limits_at(now)
        async with self._pool.acquire(timeout=5) as connection:
            words = await silences.last_words(connection, list(limits))
            if words:
                places = hours_of(await silences.place_records(connection), now)
                for word in words:
                    limit = limits.get(word.source) if word.location in places else None
                    await self._judge(connection, word, limit, places.get(word.location), now)
            await self._tell(connection, now)

    async def _judge(
        self,
        connection: Connection,
        word: LastWord,
        limit: int | None,
        hours: Hours | None,
        now: datetime,
    ) -> None:
        if word.since is not None and (limit is None or word.heard_at > word.since):
            await silences.end(connection, word)
            _log("heard again", "source_heard", word)
        if limit is None or self._listens_since is None:
            return
        silent = open_seconds(hours, word.heard_at, now)
        goes_on = word.since is not None and word.heard_at <= word.since
        sure = silent if goes_on else open_seconds(
            hours, max(word.heard_at, self._listens_since), now
        )  # fmt: skip
        verdict = judge_silence(sure, limit, self._stop_after)
        if verdict is Silence.NONE:
            return
        async with connection.transaction():
            if not goes_on:
                since = word.heard_at - SOLD_FOR
                sold_seconds = max(1, open_seconds(hours, since, word.heard_at))
                await silences.begin(connection, word, since, sold_seconds)
                _log("a source is silent", "source_silent", word)
            await silences.grow(connection, word, silent)
            if verdict is Silence.STOPPED:
                await silences.stop(connection, word)

    async def _tell(self, connection: Connection, now: datetime) -> None:
        """Told twice after a crash in between, with a higher revision."""
        while told := await silences.untold(connection, SLICE):
            await self._send([policy_message(policy_of(one), now) for one in told])
            await silences.note_told(connection, told)


def _log(sentence: str, action: str, word: LastWord) -> None:
    log.info(
        sentence,
        extra={"action": action, "source": word.source, "location_id": word.location,
               "heard_at": word.heard_at.isoformat()},
    )  # fmt: skip


def policy_of(one: Untold) -> Policy:
    """A buffer of a SKU at a location, or the location's stop; 0 takes it back."""
    term = Term.SUSPENDED if one.sku is None else Term.SILENCE_BUFFER
    named = sha256(f"{one.location}|{one.sku or ''}".encode()).hexdigest()[:32]
    return Policy(
        kind="policy", policy_id=f"silence-{named}", term=term.value, value=one.units,
        scope=Scope(sku=one.sku, location=one.location), revision=one.revision,
        deleted=one.units == 0,
    )  # fmt: skip


def hours_of(records: Iterable[bytes], now: datetime) -> dict[str, Hours | None]:
    """Opening hours of every location that there is now; None without a calendar."""
    told = [REFERENCE_DATA.decode(record) for record in records]
    holding = [one for one in told if isinstance(one, Dated) and one.holds_at(now)]
    calendars = {one.calendar_id: one for one in holding if isinstance(one, Calendar)}
    return {
        one.location_id: (
            _hours(calendars[one.calendar], one.time_zone) if one.calendar in calendars else None
        )
        for one in holding
        if isinstance(one, Location)
    }


def _hours(calendar: Calendar, zone: str) -> Hours:
    weekly: dict[int, tuple[tuple[time, time], ...]] = {}
    for one in calendar.opening_hours:
        number = WEEKDAYS[one.day]
        weekly[number] = (*weekly.get(number, ()), (_time(one.opens), _time(one.closes)))
    exceptional: dict[date, tuple[tuple[time, time], ...]] = {}
    for day in calendar.exceptional_days:
        periods = exceptional.get(day.date, ())
        if day.opens is not None and day.closes is not None:
            periods = (*periods, (_time(day.opens), _time(day.closes)))
        exceptional[day.date] = periods
    return Hours(zone=ZoneInfo(zone), weekly=weekly, exceptional=exceptional)


def _time(told: str) -> time:
    """`24:00` is the midnight that ends the day."""
    return time.fromisoformat("00:00" if told == "24:00" else told)
