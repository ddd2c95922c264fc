"""P1's events: seeded, Zipf over SKU × location, with duplicates and late ones, as CloudEvents."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import accumulate
from random import Random
from typing import Literal, NamedTuple

from shared.contracts.cloudevents import Headers, headers_for
from shared.contracts.partitions import partition_for
from shared.contracts.topics import STOCK_MOVEMENTS

SOURCES = 20
DUPLICATE_DISTANCE_MAX = 10_000
CHUNK = 50_000
RECEIPT_PERMILLE = 350


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What is drawn. `events` counts the messages, duplicates among them; `exponent` is Zipf's."""

    events: int
    skus: int = 5_000
    locations: int = 20
    exponent: float = 1.0
    duplicates_permille: int = 100
    late_permille: int = 20
    seed: int = 1

    def __post_init__(self) -> None:
        assert self.events > 0, self
        assert self.skus > 0, self
        assert self.locations > 0, self
        assert 0 <= self.duplicates_permille < 1000, self
        assert 0 <= self.late_permille <= 1000, self


class Event(NamedTuple):
    """One movement as a till or a warehouse tells it; `sku` and `location` are numbers."""

    id: str
    sku: int
    location: int
    type: Literal["receipt", "sale"]
    quantity: int
    occurred_at: datetime


class Encoded(NamedTuple):
    """An event as bytes for Kafka."""

    partition: int
    key: bytes
    value: bytes
    headers: Headers


@dataclass(slots=True)
class Expected:
    """What must stand in the books after the events, told by this module alone."""

    events: int = 0
    distinct: int = 0
    late: int = 0
    sellable: dict[tuple[int, int], int] = field(default_factory=dict)


def sku_name(number: int) -> str:
    """The SKU of a number."""
    return f"SKU-{number:06d}"


def location_name(number: int) -> str:
    """The location of a number."""
    return f"store-{number:03d}"


def source_name(number: int) -> str:
    """Each location's facts come from the till or warehouse beside it."""
    return f"/pos/{number % SOURCES:02d}"


def events(shape: Shape, base: datetime) -> Iterator[Event]:
    """The stream, one event a millisecond before `base`, the same for the same seed.

    A duplicate repeats one of the last 10,000 distinct events, bit for bit. A late event happened
    1 to 48 hours before it is told.
    """
    rng = Random(shape.seed)
    pairs = [(sku, place) for sku in range(shape.skus) for place in range(shape.locations)]
    rng.shuffle(pairs)
    weights = list(accumulate(1 / rank**shape.exponent for rank in range(1, len(pairs) + 1)))
    recent: deque[Event] = deque(maxlen=DUPLICATE_DISTANCE_MAX)
    begin = base - timedelta(milliseconds=shape.events)
    drawn: Iterator[tuple[int, int]] = iter(())
    for number in range(shape.events):
        if recent and rng.random() * 1000 < shape.duplicates_permille:
            yield recent[rng.randrange(len(recent))]
            continue
        pair = next(drawn, None)
        if pair is None:
            drawn = iter(rng.choices(pairs, cum_weights=weights, k=CHUNK))
            pair = next(drawn)
        occurred_at = begin + timedelta(milliseconds=number)
        if rng.random() * 1000 < shape.late_permille:
            occurred_at -= timedelta(minutes=rng.randint(60, 48 * 60))
        event = _event(rng, pair, occurred_at)
        recent.append(event)
        yield event


def _event(rng: Random, pair: tuple[int, int], occurred_at: datetime) -> Event:
    is_receipt = rng.random() * 1000 < RECEIPT_PERMILLE
    quantity = rng.randint(1, 12) if is_receipt else rng.randint(1, 3)
    text = f"{rng.getrandbits(128):032x}"
    id_ = f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
    return Event(id_, *pair, "receipt" if is_receipt else "sale", quantity, occurred_at)


def encode(event: Event) -> Encoded:
    """The five fields as JSON, the CloudEvents headers, key and partition by SKU."""
    sku = sku_name(event.sku)
    key = sku.encode()
    value = (
        f'{{"type":"{event.type}","sku":"{sku}",'
        f'"location":"{location_name(event.location)}","quantity":{event.quantity},'
        f'"occurred_at":"{event.occurred_at.isoformat()}"}}'
    ).encode()
    headers = headers_for(
        id_=event.id, source=source_name(event.location), type_=STOCK_MOVEMENTS.ce_type,
        time=event.occurred_at,
    )  # fmt: skip
    return Encoded(partition_for(key, STOCK_MOVEMENTS.partitions), key, value, headers)


def expect(stream: Iterable[Event], base: datetime) -> Expected:
    """Fold the stream by itself: an independent model of the ledger, a fact counted once."""
    expected = Expected()
    seen: set[str] = set()
    for event in stream:
        expected.events += 1
        if event.id in seen:
            continue
        seen.add(event.id)
        pair = (event.sku, event.location)
        change = event.quantity if event.type == "receipt" else -event.quantity
        expected.sellable[pair] = expected.sellable.get(pair, 0) + change
        expected.late += event.occurred_at < base - timedelta(minutes=60)
    expected.distinct = len(seen)
    return expected
