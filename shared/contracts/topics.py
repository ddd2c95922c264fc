"""The catalogue: one entry per topic, with who writes and reads it, its key and its keeping."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property, reduce
from operator import or_
from typing import Annotated, Final

from pydantic import Field, TypeAdapter, ValidationError

from .allocations import Allocation
from .availability import Availability
from .commands import StockCommand
from .hold_requests import HOLD_REQUESTS_MODELS, HoldAnswer
from .levels import StockLevel
from .movements import StockMovement
from .orders import Order
from .partitions import partition_for
from .publications import Publication
from .records import Message, Undecodable, undecodable
from .reference import REFERENCE_RECORDS
from .republishing import Republish
from .returns import Return
from .supply import SupplyOrder

PARTITIONS: Final = 8
_DAY_MS: Final = 86_400_000


class Carries(StrEnum):
    """What a topic's messages are."""

    EVENTS = "events"
    STATE = "state"


@dataclass(frozen=True, kw_only=True)
class Topic:
    """One topic; `example` names a file below `examples/<name>/`.

    Events are kept for `retention_ms`; state is compacted, without tombstones.

    Topics partitioned by SKU have the same number of partitions, so that one worker sees all of a
    SKU; the number never changes for the life of the topic's version.
    """

    name: str
    purpose: str
    carries: Carries
    models: tuple[type[Message], ...]
    example: str
    ce_type: str
    producers: tuple[str, ...]
    consumers: tuple[str, ...]
    partitions: int = PARTITIONS
    retention_ms: int | None = None

    def __post_init__(self) -> None:
        assert self.models, self.name
        assert (self.retention_ms is None) is (self.carries is Carries.STATE), self.name
        assert len({(m.KEY, m.PARTITION_KEY) for m in self.models}) == 1, self.name

    @property
    def key_rule(self) -> str:
        """The message key in words: `sku|location`."""
        return "|".join(self.models[0].KEY)

    @property
    def partition_rule(self) -> str:
        """What shares a partition: `sku`."""
        return "|".join(self.models[0].PARTITION_KEY)

    def partition_of(self, message: Message) -> int:
        """The partition that a message belongs on."""
        return partition_for(message.partition_key(), self.partitions)

    @property
    def dataschema(self) -> str:
        """Where the payload's JSON Schema is, relative to `docs/contracts/`."""
        return f"schemas/{self.name}.json"

    @property
    def schema(self) -> TypeAdapter[Message]:
        """What validates and describes the payload."""
        return self._adapter

    def configuration(self) -> Mapping[str, str]:
        """The broker's settings for this topic."""
        if self.retention_ms is None:
            return {"cleanup.policy": "compact"}
        return {"cleanup.policy": "delete", "retention.ms": str(self.retention_ms)}

    def decode(self, value: bytes | None) -> Message | Undecodable:
        """The message that a value holds, or why it holds none."""
        try:
            return self._adapter.validate_json(value or b"", by_alias=True, by_name=False)
        except ValidationError as error:
            return undecodable(error)

    @cached_property
    def _adapter(self) -> TypeAdapter[Message]:
        if len(self.models) == 1:
            return TypeAdapter(self.models[0])
        union = reduce(or_, self.models)
        told_apart = Field(discriminator="kind")
        # The union is made at run time, from the catalogue's own models: mypy cannot read it.
        return TypeAdapter(Annotated[union, told_apart])  # type: ignore[arg-type]  # see above


STOCK_MOVEMENTS: Final = Topic(
    name="stock-movements-v1",
    purpose="What moved: receipts, sales, shipments, returns, transfers, counts, adjustments.",
    carries=Carries.EVENTS,
    models=(StockMovement,),
    example="minimal.json",
    ce_type="io.stocktide.movement.v1",
    producers=("ingestion", "any adapter"),
    consumers=("ledger", "planning", "simulation"),
    retention_ms=30 * _DAY_MS,
)
ORDERS: Final = Topic(
    name="orders-v1",
    purpose="What customers ordered: the latest full state of each order.",
    carries=Carries.STATE,
    models=(Order,),
    example="minimal.json",
    ce_type="io.stocktide.order.v1",
    producers=("ingestion", "any adapter"),
    consumers=("orders", "publication", "planning", "insights"),
)
RETURNS: Final = Topic(
    name="returns-v1",
    purpose="What customers send back: the latest full state of each return.",
    carries=Carries.STATE,
    models=(Return,),
    example="minimal.json",
    ce_type="io.stocktide.return.v1",
    producers=("ingestion", "any adapter"),
    consumers=("orders", "insights"),
)
SUPPLY_ORDERS: Final = Topic(
    name="supply-orders-v1",
    purpose="What is on its way: purchase orders, transfer orders, returns to supplier.",
    carries=Carries.STATE,
    models=(SupplyOrder,),
    example="minimal.json",
    ce_type="io.stocktide.supply-order.v1",
    producers=("ingestion", "planning", "any adapter"),
    consumers=("ledger", "availability", "orders", "planning"),
)
REFERENCE_DATA: Final = Topic(
    name="reference-data-v1",
    purpose="Products, codes, listings, locations, calendars, channels, sources, policies.",
    carries=Carries.STATE,
    models=REFERENCE_RECORDS,
    example="policy.minimal.json",
    ce_type="io.stocktide.reference.v1",
    producers=("catalog", "ingestion", "any adapter"),
    consumers=(
        "catalog",
        "ingestion",
        "orders",
        "ledger",
        "availability",
        "publication",
        "planning",
    ),
)
STOCK_COMMANDS: Final = Topic(
    name="stock-commands-v1",
    purpose="What each order line wants from stock, and where it may be taken.",
    carries=Carries.STATE,
    models=(StockCommand,),
    example="minimal.json",
    ce_type="io.stocktide.stock-command.v1",
    producers=("orders",),
    consumers=("ledger",),
)
HOLD_REQUESTS: Final = Topic(
    name="hold-requests-v1",
    purpose="What is asked of holds: reserve, extend, confirm, release.",
    carries=Carries.EVENTS,
    models=HOLD_REQUESTS_MODELS,
    example="reserve.minimal.json",
    ce_type="io.stocktide.hold-request.v1",
    producers=("any adapter",),
    consumers=("ledger",),
    partitions=1,  # first come, first served: one queue for all
    retention_ms=7 * _DAY_MS,
)
HOLD_ANSWERS: Final = Topic(
    name="hold-answers-v1",
    purpose="What became of each request of `hold-requests-v1`.",
    carries=Carries.EVENTS,
    models=(HoldAnswer,),
    example="minimal.json",
    ce_type="io.stocktide.hold-answer.v1",
    producers=("ledger",),
    consumers=("any reader",),
    retention_ms=7 * _DAY_MS,
)
ALLOCATIONS: Final = Topic(
    name="allocations-v1",
    purpose="What the ledger gave each order line.",
    carries=Carries.STATE,
    models=(Allocation,),
    example="minimal.json",
    ce_type="io.stocktide.allocation.v1",
    producers=("ledger",),
    consumers=("orders", "availability", "publication", "insights"),
)
STOCK_LEVELS: Final = Topic(
    name="stock-levels-v1",
    purpose="What is where: the latest level of each SKU at each location.",
    carries=Carries.STATE,
    models=(StockLevel,),
    example="minimal.json",
    ce_type="io.stocktide.level.v1",
    producers=("ledger",),
    consumers=("availability", "alerting", "reconciliation", "planning"),
)
AVAILABILITY: Final = Topic(
    name="availability-v1",
    purpose="How many of each SKU each channel may sell, and why that many.",
    carries=Carries.STATE,
    models=(Availability,),
    example="minimal.json",
    ce_type="io.stocktide.availability.v1",
    producers=("availability",),
    consumers=("publication", "reconciliation", "alerting", "insights", "any reader"),
)
PUBLICATIONS: Final = Topic(
    name="publications-v1",
    purpose="What each channel was last told about each listing, and whether it took.",
    carries=Carries.STATE,
    models=(Publication,),
    example="minimal.json",
    ce_type="io.stocktide.publication.v1",
    producers=("publication",),
    consumers=("reconciliation", "alerting", "insights"),
)
REPUBLISHES: Final = Topic(
    name="republishes-v1",
    purpose="Readers that start from nothing ask for every state of a topic, and are answered.",
    carries=Carries.STATE,
    models=(Republish,),
    example="minimal.json",
    ce_type="io.stocktide.republish.v1",
    producers=("availability", "ledger", "any reader"),
    consumers=("ledger", "availability"),
    partitions=1,
)

TOPICS: Final = (
    STOCK_MOVEMENTS,
    ORDERS,
    RETURNS,
    SUPPLY_ORDERS,
    REFERENCE_DATA,
    STOCK_COMMANDS,
    HOLD_REQUESTS,
    HOLD_ANSWERS,
    ALLOCATIONS,
    STOCK_LEVELS,
    AVAILABILITY,
    PUBLICATIONS,
    REPUBLISHES,
)
