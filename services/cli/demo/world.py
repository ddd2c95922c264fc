"""The demo's world: places, articles, listings, policies, and the stock that it opens with."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.cli.demo.sales import Article, Line, Sales
from services.cli.demo.shops import Shop
from shared.contracts.accounts import MovementType
from shared.contracts.movements import StockMovement
from shared.contracts.records import Message
from shared.contracts.reference import (
    Capability,
    Channel,
    Location,
    LocationKind,
    Policy,
    Product,
    Source,
    SourceKind,
)
from shared.contracts.references import Document

CENTRAL = "central"
WEBSHOP = "woocommerce"
LOCATION_BUFFER, CHANNEL_BUFFER = 1, 2
WAREHOUSE = "demo/wms"
OPENING = "demo/opening"
# Of what a SKU opens with, in tenths: the stores' shelves get the rest.
CENTRAL_TENTHS = 2

Place = tuple[str, str]  # sku, location


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What exists before anything moves; `entries` are the shops' own numbers, from 1 on."""

    articles: Sequence[Article]
    stores: Sequence[str]
    entries: Mapping[str, int]
    openings: Mapping[Place, int]

    @property
    def locations(self) -> list[str]:
        """Every location, the central warehouse first: the order of the shops' pools."""
        return [CENTRAL, *self.stores]


def till_of(store: str) -> str:
    """The source of a store's sales: its till."""
    return f"demo/till/{store}"


def make_world(sales: Sales, span: Sequence[Line]) -> World:
    """The world for a span of sales; it opens with half of what the span asks for."""
    entries = {article.sku: number for number, article in enumerate(sales.articles, start=1)}
    return World(
        articles=sales.articles,
        stores=sales.stores,
        entries=entries,
        openings=opening_stock(span),
    )


def opening_stock(span: Sequence[Line]) -> dict[Place, int]:
    """Half of what each SKU will sell, rounded up: two tenths of it in the central warehouse, the
    rest on the shelves by the squares of their sales, since a unit in each of twenty stores is
    mostly a unit that the buffers hide. Places that get nothing are left out.
    """
    asked: dict[str, Counter[str]] = defaultdict(Counter)
    for line in span:
        asked[line.sku][line.store] += line.units
    opening: dict[Place, int] = {}
    for sku, stores in asked.items():
        half = (stores.total() + 1) // 2
        central = half * CENTRAL_TENTHS // 10
        if central:
            opening[sku, CENTRAL] = central
        squares = {store: units * units for store, units in stores.items()}
        opening |= {(sku, s): n for s, n in share_out(half - central, squares).items() if n}
    return opening


def share_out(units: int, weights: Mapping[str, int]) -> dict[str, int]:
    """Whole units in proportion to the weights; what rounding leaves goes to the largest
    remainders, ties to the name that sorts first. The parts add up to `units`.
    """
    total = sum(weights.values())
    assert total > 0, weights
    parts = {name: units * weight // total for name, weight in weights.items()}
    left = units - sum(parts.values())
    order = sorted(weights, key=lambda name: (-(units * weights[name] % total), name))
    for name in order[:left]:
        parts[name] += 1
    return parts


def reference_data(world: World, shops: Iterable[Shop]) -> Iterator[Message]:
    """Every record of the world; places, channels and policies before what refers to them."""
    shops = list(shops)
    for name in world.locations:
        yield Location(
            kind="location", location_id=name, country="US", time_zone="America/New_York",
            location_kind=LocationKind.CENTRAL if name == CENTRAL else LocationKind.STORE,
            capabilities=(Capability.SHIP, Capability.COLLECT),
        )  # fmt: skip
    for source, kind in sources(world).items():
        yield Source(kind="source", source_id=source, source_kind=kind)
    for shop in shops:
        yield Channel(kind="channel", channel=shop.channel, pool=tuple(world.locations))
    for term, value in (("location_buffer", LOCATION_BUFFER), ("channel_buffer", CHANNEL_BUFFER)):
        yield Policy(kind="policy", policy_id=f"demo-{term}", term=term, value=value)
    for article in world.articles:
        yield Product(kind="product", sku=article.sku, name=article.name, category=article.category)
    for shop in shops:
        for sku, entry in world.entries.items():
            yield shop.listing(entry, sku)


def sources(world: World) -> dict[str, SourceKind]:
    """Who tells what moves."""
    tills = dict.fromkeys(map(till_of, world.stores), SourceKind.POS)
    return {WAREHOUSE: SourceKind.WMS, OPENING: SourceKind.ERP, **tills}


def opening_movements(world: World, at: datetime) -> Iterator[StockMovement]:
    """The switch-over of every location, as of `at`."""
    for (sku, location), units in world.openings.items():
        yield StockMovement(
            type=MovementType.OPENING, sku=sku, location=location, quantity=units, occurred_at=at,
            document=Document(kind="opening", number=f"{location}/{sku}"),
        )  # fmt: skip
