"""The checker: works out from outside whether the invariants hold, once everything is quiet.

It has its own SQL and its own reads of Redis, Kafka and the shops, and shares no code with the
services: what it knows of them are their tables and keys.
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from redis.asyncio import Redis

from services.cli.demo import kafka_reading
from services.cli.demo.formula import Level, available_to_sell
from services.cli.demo.orders_checking import OrderChecks, Parcels
from services.cli.demo.repository import checking as sql
from services.cli.demo.shops import Shop
from services.cli.demo.views import VIEW_KEY, View, difference, view_of
from shared.postgres.connecting import Connection

EVIDENCE_MAX = 5
UNPUBLISHED_SECONDS_MAX = 5
SLICE = 500

SCHEMAS = ("ledger", "availability", "publication", "orders", "ingestion")

Place = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether an invariant holds; `evidence` are its first violations."""

    name: str
    evidence: Sequence[str] = ()

    @property
    def holds(self) -> bool:
        return not self.evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """The ledger's levels as the checker read them."""

    levels: Mapping[Place, Level]
    versions: Mapping[Place, int]
    unsourced: Mapping[str, int]

    def by_sku(self) -> Mapping[str, list[Level]]:
        """The levels of each SKU."""
        found: dict[str, list[Level]] = defaultdict(list)
        for (sku, _), level in self.levels.items():
            found[sku].append(level)
        return found

    def figures(self) -> dict[str, int]:
        """What every shop should show of each SKU, by the checker's own formula."""
        return {
            sku: available_to_sell(levels, self.unsourced.get(sku, 0))
            for sku, levels in self.by_sku().items()
        }


@dataclass(slots=True)
class Checker:
    """`shelves` and `parcels` are the demo's own bookkeeping: what lies where, what was sent and
    has come back; None where there is none; `earlier` are the orders of runs whose shops are gone.
    """

    connection: Connection
    redis: Redis
    kafka: str
    shops: Mapping[str, Shop]
    entries: Mapping[str, int]
    shelves: Mapping[Place, int] | None = None
    parcels: Parcels | None = None
    earlier: frozenset[str] = frozenset()

    async def check(self) -> list[Verdict]:
        """Every invariant, in the order of the design."""
        books = await self.books()
        views = await self._views()
        orders = self.orders()
        checks: Sequence[tuple[str, Callable[[], Awaitable[Iterable[str]]]]] = (
            ("levels_equal_movements", self._books_add_up),
            ("accounts_sum_to_zero", self._accounts_sum_to_zero),
            ("allocated_equals_wanted_less_shipped", self._claims_add_up),
            ("every_message_has_one_fate", self._fates),
            ("positions_reached_the_ends", self._positions),
            ("view_equals_ledger", lambda: _told(_view_against(books, views))),
            ("view_follows_the_formula", lambda: _told(self._figures_against(books, views))),
            ("redis_equals_postgres", lambda: self._redis_against(views)),
            ("listings_show_the_figure", lambda: self._shops_against(books.figures())),
            ("nothing_waits_unpublished", self._unpublished),
            ("ledger_equals_the_shelves", lambda: _told(self._shelves_against(books))),
            ("orders_are_the_shops", orders.unheard),
            ("every_line_has_its_outcome", orders.without_outcome),
            ("parcels_are_in_the_books", orders.parcels_unbooked),
            ("returns_are_in_the_books", orders.returns_unbooked),
        )
        return [Verdict(name=name, evidence=_first(await find())) for name, find in checks]

    def orders(self) -> OrderChecks:
        """The part of it that asks about orders."""
        return OrderChecks(
            connection=self.connection, shops=self.shops, entries=self.entries,
            parcels=self.parcels, earlier=self.earlier,
        )  # fmt: skip

    async def books(self) -> Books:
        """The ledger's levels now."""
        rows = await self.connection.fetch(sql.LEVELS)
        return Books(
            levels={
                (r["sku"], r["location"]): Level(r["sellable"], r["reserved"], r["allocated"])
                for r in rows
            },
            versions={(r["sku"], r["location"]): r["version"] for r in rows},
            unsourced={r["sku"]: r["units"] for r in await self.connection.fetch(sql.UNSOURCED)},
        )

    async def _views(self) -> dict[str, View]:
        rows = await self.connection.fetch(sql.VIEWS)
        return {row["sku"]: view_of(row) for row in rows}

    async def _books_add_up(self) -> Iterable[str]:
        rows = await self.connection.fetch(sql.BOOKS)
        return [
            f"level {r['level_id']} account {r['account_id']}: booked {r['booked']}, "
            f"moved {r['moved']}"
            for r in rows
        ]

    async def _accounts_sum_to_zero(self) -> Iterable[str]:
        rows = await self.connection.fetch(sql.ZERO)
        return [f"{r['sku']}: inside {r['inside']}, outside {r['outside']}" for r in rows]

    async def _claims_add_up(self) -> Iterable[str]:
        rows = await self.connection.fetch(sql.CLAIMS)
        return [f"{r['what']}: {r['does']}, should be {r['should']}" for r in rows]

    async def _fates(self) -> Iterable[str]:
        """Messages in the log = facts posted + the same facts told again + messages parked."""
        log = await kafka_reading.count_facts(self.kafka, kafka_reading.MOVEMENTS)
        posted = await self.connection.fetchval(sql.POSTED)
        parked = await self.connection.fetchval(sql.PARKED, kafka_reading.MOVEMENTS)
        if log.messages != posted + parked + log.told_again:
            return [
                f"{log.messages} messages, {posted} posted, {parked} parked, "
                f"{log.told_again} told again"
            ]
        return []

    async def _positions(self) -> Iterable[str]:
        found: list[str] = []
        for schema in SCHEMAS:
            rows = await self.connection.fetch(sql.POSITIONS.format(schema=schema))
            if not rows:
                found.append(f"{schema}: no position at all")
                continue
            ends = await kafka_reading.end_offsets(self.kafka, {row["topic"] for row in rows})
            held = {(row["topic"], row["partition"]): row["next_offset"] for row in rows}
            found += [
                f"{schema} {topic}/{partition}: at {held.get((topic, partition))}, ends at {end}"
                for (topic, partition), end in ends.items()
                if end > 0 and held.get((topic, partition), -1) < end
            ]
        return found

    async def _redis_against(self, views: Mapping[str, View]) -> Iterable[str]:
        found: list[str] = []
        skus = sorted(sku for sku, view in views.items() if view.shown)
        for start in range(0, len(skus), SLICE):
            part = skus[start : start + SLICE]
            values = await self.redis.mget([VIEW_KEY % sku for sku in part])
            found += [
                f"{sku}: {difference(views[sku], value)}"
                for sku, value in zip(part, values, strict=True)
                if difference(views[sku], value)
            ]
        return found

    async def _shops_against(self, figures: Mapping[str, int]) -> Iterable[str]:
        found: list[str] = []
        for channel, shop in self.shops.items():
            excused = {row["listing"] for row in await self.connection.fetch(sql.EXCUSED, channel)}
            shown = await shop.quantities()
            found += [
                f"{channel} {sku}: shows {shown.get(entry)}, should show {figures[sku]}"
                for sku, entry in self.entries.items()
                if sku in figures
                and (shown.get(entry) or 0) != figures[sku]
                and shop.listing(entry, sku).listing_id not in excused
            ]
        return found

    def _figures_against(self, books: Books, views: Mapping[str, View]) -> Iterable[str]:
        for sku, figure in books.figures().items():
            for channel in self.shops:
                shown = views[sku].shown.get(channel) if sku in views else None
                if shown != figure:
                    yield f"{sku}: {channel} {shown}, by the formula {figure}"

    async def _unpublished(self) -> Iterable[str]:
        found: list[str] = []
        for schema in SCHEMAS:
            seconds = await self.connection.fetchval(sql.OLDEST.format(schema=schema))
            if seconds is not None and seconds > UNPUBLISHED_SECONDS_MAX:
                found.append(f"{schema}: a change has waited for {seconds:.1f} s")
        return found

    def _shelves_against(self, books: Books) -> Iterable[str]:
        if self.shelves is None:
            return []
        places = {place for place, units in self.shelves.items() if units} | set(books.levels)
        return [
            f"{place}: {self.shelves.get(place, 0)} on the shelf, book says {book}"
            for place in sorted(places)
            if (book := books.levels.get(place, Level(0)).sellable) != self.shelves.get(place, 0)
        ]


def _view_against(books: Books, views: Mapping[str, View]) -> Iterable[str]:
    for (sku, location), level in books.levels.items():
        version = books.versions[sku, location]
        told = views[sku].levels.get(location) if sku in views else None
        if told is None and version == 0:  # a level that nothing has ever changed is not told
            continue
        if told != (version, level):
            yield f"{sku} {location}: ledger {version} {tuple(level)}, view {told}"


def _first(evidence: Iterable[str]) -> list[str]:
    found: list[str] = []
    for one in evidence:
        found.append(one)
        if len(found) == EVIDENCE_MAX:
            break
    return found


async def _told(evidence: Iterable[str]) -> Iterable[str]:
    return evidence
