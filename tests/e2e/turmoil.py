"""Turmoil: a stack under load, and the test's own book of everything that was said to it.

Movements are told twice (30 %) and out of order (5 %); orders and cancellations go from the
simulated shop to ingestion as signed webhooks. The book counts each fact once.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiokafka import AIOKafkaProducer

from services.cli.demo.sales import Article
from services.cli.demo.sending import Sender
from services.cli.demo.shops.woocommerce import Purchase
from services.cli.demo.world import WAREHOUSE, World, reference_data
from shared.contracts.accounts import MovementType
from shared.contracts.cloudevents import headers_for
from shared.contracts.movements import StockMovement
from shared.contracts.references import Document
from shared.contracts.topics import STOCK_MOVEMENTS
from shared.kafka.producing import Outgoing, open_producer, send_all
from shared.runtime.clock import SystemClock, new_id
from shared.runtime.waiting import wait_for_event
from shared.testing.courier import Courier, a_courier
from tests.e2e.ground import CHANNEL, SETTLE_SECONDS, Ground

SKUS = tuple(f"storm-{number:03}" for number in range(300))
# Tills sell what is in season, some SKUs at a time, and the season moves on: what is lost on its
# way would else be healed by the next change of the same SKU.
IN_SEASON, FACTS_A_SKU = 30, 10
PLACES = ("central", "store-1", "store-2")
FIRST_ENTRY = 1_001
OPENING_UNITS = 300  # far from nothing: a figure of 0 is a mistake, whenever it is seen

TICK_SECONDS = 0.02  # short, so that a random moment finds every service at work
FACTS_A_TICK = 5
TOLD_AGAIN, OUT_OF_ORDER = 0.3, 0.05
ORDERS_A_SECOND = 4.0
CANCELLED, KEPT_ORDERS = 0.2, 8

POSTED = "select count(*) from ledger.movements where restates is null and type <> 'opening'"
# An order that was cancelled before we heard of it never got as far as the ledger.
WANTED = """
select order_id, sum(wanted)::bigint as units from ledger.order_lines where wanted > 0 group by 1
"""


@dataclass(slots=True, kw_only=True)
class Turmoil:
    """The load, and what becomes of it. One for a session; `load()` for each test."""

    ground: Ground
    rng: random.Random
    producer: AIOKafkaProducer
    courier: Courier
    run: str
    facts: int = 0
    messages: int = 0
    orders: dict[str, int] = field(default_factory=dict)  # order id → units still wanted
    _told: list[StockMovement] = field(default_factory=list)

    @asynccontextmanager
    async def load(self) -> AsyncIterator[None]:
        """Tills and buyers at work; both have stopped at exit."""
        closing = asyncio.Event()
        async with asyncio.TaskGroup() as working:
            working.create_task(self._tills(closing))
            working.create_task(self._buyers(closing))
            try:
                yield
            finally:
                closing.set()

    async def open_stock(self) -> None:
        """A pile of every SKU in every place."""
        piles = [self._fact(sku, place, OPENING_UNITS) for sku in SKUS for place in PLACES]
        await self._tell(piles)

    async def check(self) -> None:
        """Come to rest, and compare: every invariant holds, nothing is lost, nothing is twice."""
        await self._rest()
        broken = await self.ground.broken()
        assert not broken, broken
        assert await self.ground.connection.fetchval(POSTED) == self.facts
        rows = await self.ground.connection.fetch(WANTED)
        held = {(row["order_id"], row["units"]) for row in rows}
        sold = {(order, units) for order, units in self.orders.items() if units}
        assert held - sold == set()  # (order, units) that the ledger holds for nobody
        assert sold - held == set()  # …and that the shop has sold, but the ledger has lost
        assert self.courier.refused == []
        print(self.summary())  # noqa: T201  (shown with -s, and when something fails later)

    def summary(self) -> str:
        """What was said so far."""
        return (
            f"{self.facts} facts in {self.messages} messages, {len(self.orders)} orders, "
            f"{self.courier.carried} webhooks carried, {self.courier.retries} tried again"
        )

    async def _rest(self) -> None:
        await self.courier.join(seconds=SETTLE_SECONDS)
        await self.ground.rest()

    async def _tills(self, closing: asyncio.Event) -> None:
        late: list[StockMovement] = []
        while not closing.is_set():
            fresh = [self._random_fact() for _ in range(FACTS_A_TICK)]
            held_back = [fact for fact in fresh if self.rng.random() < OUT_OF_ORDER]
            in_time = [fact for fact in fresh if fact not in held_back]
            known = self._told[-2_000:]
            again = [
                self.rng.choice(known) for _ in fresh if known and self.rng.random() < TOLD_AGAIN
            ]
            await self._tell([*in_time, *late, *again])
            self._told += fresh
            late = held_back
            await wait_for_event(closing, TICK_SECONDS)
        await self._tell(late)

    async def _tell(self, facts: list[StockMovement]) -> None:
        await send_all(self.producer, [self._message(fact) for fact in facts])

    def _random_fact(self) -> StockMovement:
        units = self.rng.choice((-2, -1, -1, 1, 1, 2))
        number = self.facts // FACTS_A_SKU + self.rng.randrange(IN_SEASON)
        return self._fact(SKUS[number % len(SKUS)], self.rng.choice(PLACES), units)

    def _fact(self, sku: str, place: str, units: int) -> StockMovement:
        """A receipt, or a sale of less than nothing: the book has it from now on, once."""
        self.facts += 1
        self.ground.shelves[sku, place] += units
        return StockMovement(
            type=MovementType.RECEIPT if units > 0 else MovementType.SALE, sku=sku,
            location=place, quantity=abs(units), occurred_at=SystemClock().now(),
            document=Document(kind="ticket", number=f"{self.run}/{self.facts}"),
        )  # fmt: skip

    def _message(self, fact: StockMovement) -> Outgoing:
        """The same fact told again has another message id."""
        self.messages += 1
        headers = headers_for(
            id_=f"{self.run}/m{self.messages}", source=WAREHOUSE, type_=STOCK_MOVEMENTS.ce_type,
            time=fact.occurred_at,
        )  # fmt: skip
        return Outgoing(
            topic=STOCK_MOVEMENTS.name, partition=STOCK_MOVEMENTS.partition_of(fact),
            key=fact.key(), value=fact.encode(), headers=headers,
        )  # fmt: skip

    async def _buyers(self, closing: asyncio.Event) -> None:
        kept: list[Purchase] = []
        while not closing.is_set():
            if len(kept) > KEPT_ORDERS and self.rng.random() < CANCELLED:
                purchase = kept.pop(0)
                await self.ground.shop.cancel(purchase)
                self.orders[purchase.order_id] = 0
            else:
                kept += await self._buy()
            await wait_for_event(closing, self.rng.expovariate(ORDERS_A_SECOND))

    async def _buy(self) -> list[Purchase]:
        entries = self.rng.sample(list(self.ground.entries.values()), 2)
        cart = {entry: self.rng.randint(1, 2) for entry in entries}
        purchase = await self.ground.shop.buy(cart)
        if purchase is None:  # sold out
            return []
        self.orders[purchase.order_id] = sum(cart.values())
        return [purchase]


@asynccontextmanager
async def raised(ground: Ground, seed: int) -> AsyncIterator[Turmoil]:
    """The stock, and the shop's webhooks by way of a courier."""
    rng = random.Random(seed)
    producer = await open_producer(ground.addresses.kafka)
    try:
        target = f"{ground.url('ingestion')}/v1/webhooks/woocommerce/{CHANNEL}"
        async with a_courier(target, rng) as courier:
            made = Turmoil(
                ground=ground, rng=rng, producer=producer, courier=courier, run=new_id()[:13]
            )
            await _list_articles(ground, Sender(producer, made.run))
            await made.open_stock()
            await ground.rest()
            await _subscribe(ground, courier)
            yield made
    finally:
        await producer.stop()


async def _list_articles(ground: Ground, sender: Sender) -> None:
    ground.entries.update({sku: number for number, sku in enumerate(SKUS, start=FIRST_ENTRY)})
    world = World(
        articles=tuple(Article(sku=sku, name=sku, category=("storm",)) for sku in SKUS),
        stores=PLACES[1:], entries=ground.entries, openings={},
    )  # fmt: skip
    await ground.shop.fill((entry, sku, 0) for sku, entry in ground.entries.items())
    await sender.records(reference_data(world, [ground.shop]), SystemClock().now())


async def _subscribe(ground: Ground, courier: Courier) -> None:
    await ground.shop.subscribe(courier.url)


def drawn(rng: random.Random, names: list[str], count: int) -> list[str]:
    """`count` names in random order, each about as often as the others."""
    times, rest = divmod(count, len(names))
    chosen = names * times + rng.sample(names, rest)
    rng.shuffle(chosen)
    assert sum(Counter(chosen).values()) == count
    return chosen
