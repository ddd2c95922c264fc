"""The checker's questions about orders: what shops sold, what is claimed, sent and come back.

Like the checker it reads tables and the shops' own HTTP, and shares no code with the services.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from services.cli.demo.repository import orders_checking as sql
from services.cli.demo.shops import Orders, Shop
from shared.postgres.connecting import Connection

LineKey = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Sold:
    """A line as its shop has it: what was bought, and the units that are still wanted."""

    sku: str
    wanted: int


@dataclass(slots=True, kw_only=True)
class Parcels:
    """What the warehouse has done by its own books: units sent by line, units graded by bucket."""

    sent: Mapping[LineKey, int] = field(default_factory=dict)
    graded: Mapping[str, int] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class OrderChecks:
    """`parcels` is the warehouse's own bookkeeping, None where there is no warehouse; `earlier` are
    orders that the shops of today know nothing of.
    """

    connection: Connection
    shops: Mapping[str, Shop]
    entries: Mapping[str, int]
    parcels: Parcels | None = None
    earlier: frozenset[str] = frozenset()

    async def unheard(self) -> list[str]:
        """Orders of the shops that are not ours yet as they are there; each exactly once."""
        sold = await self._sold()
        ours = await known_orders(self.connection) - self.earlier
        lines = await self._lines()
        found = [f"{order}: the shop has it, we don't" for order in {o for o, _ in sold} - ours]
        found += [f"{order}: no shop has it" for order in ours - {o for o, _ in sold}]
        found += [f"{key}: a line that no shop has" for key in lines.keys() - sold.keys()]
        found += [
            f"{key}: {line.sku} × {line.wanted} in the shop, {lines.get(key)} in the ledger"
            for key, line in sold.items()
            if lines.get(key, Sold(line.sku, 0)) != line
        ]
        return sorted(found)

    async def without_outcome(self) -> list[str]:
        """Lines whose latest command orders has had no answer to, or another one than it holds."""
        rows = await self.connection.fetch(sql.WITHOUT_OUTCOME)
        return [
            f"{r['order_id']}|{r['line_id']}: wanted {r['wanted']}, answered {r['answered']}"
            for r in rows
        ]

    async def parcels_unbooked(self) -> Iterable[str]:
        """Units sent by the warehouse's books against those that the ledger has as shipped."""
        if self.parcels is None:
            return []
        rows = await self.connection.fetch(sql.SHIPPED)
        booked = {(row["order_id"], row["line_id"]): row["shipped"] for row in rows}
        sent = {key: units for key, units in self.parcels.sent.items() if units}
        return [
            f"{key}: {sent.get(key, 0)} sent, {booked.get(key, 0)} in the ledger"
            for key in sorted(sent.keys() | booked.keys())
            if sent.get(key, 0) != booked.get(key, 0)
        ]

    async def returns_unbooked(self) -> Iterable[str]:
        """Units graded by the warehouse's books against the ledger's return movements."""
        if self.parcels is None:
            return []
        booked = await returned_units(self.connection)
        graded = self.parcels.graded
        return [
            f"{bucket}: {graded.get(bucket, 0)} graded, {booked.get(bucket, 0)} in the ledger"
            for bucket in sorted(graded.keys() | booked.keys())
            if graded.get(bucket, 0) != booked.get(bucket, 0)
        ]

    async def _sold(self) -> dict[LineKey, Sold]:
        skus = {entry: sku for sku, entry in self.entries.items()}
        told: list[Orders] = [await shop.orders() for shop in self.shops.values()]
        return {
            (order_id, line_id): Sold(skus[bought.entry], bought.wanted)
            for orders in told
            for order_id, lines in orders.items()
            for line_id, bought in lines.items()
        }

    async def _lines(self) -> dict[LineKey, Sold]:
        rows = await self.connection.fetch(sql.LINES)
        return {
            (row["order_id"], row["line_id"]): Sold(row["sku"], row["wanted"])
            for row in rows
            if row["order_id"] not in self.earlier
        }


async def known_orders(connection: Connection) -> frozenset[str]:
    """The orders that are ours."""
    return frozenset(row["order_id"] for row in await connection.fetch(sql.ORDERS))


async def returned_units(connection: Connection) -> dict[str, int]:
    """Units that have come back, by the bucket they went into."""
    return {row["bucket"]: row["units"] for row in await connection.fetch(sql.RETURNED)}
