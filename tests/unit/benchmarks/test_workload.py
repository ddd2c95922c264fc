"""The stream of P1 is what the goals say, and its model of the books is right."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from benchmarks.workload import Event, Shape, encode, events, expect, sku_name, source_name
from shared.contracts.cloudevents import read_headers
from shared.contracts.movements import StockMovement, decode_movements
from shared.contracts.records import Undecodable
from shared.contracts.topics import STOCK_MOVEMENTS

BASE = datetime(2026, 5, 4, 12, tzinfo=UTC)
SHAPE = Shape(events=8_000, skus=500)


def drawn(shape: Shape = SHAPE) -> list[Event]:
    return list(events(shape, BASE))


def test_the_same_seed_gives_the_same_stream() -> None:
    once, again, other = drawn(), drawn(), drawn(Shape(events=8_000, skus=500, seed=2))

    assert once == again
    assert once != other


def test_a_tenth_of_the_messages_repeats_an_earlier_one_bit_for_bit() -> None:
    stream = drawn()

    told = {event.id: event for event in stream}

    assert 0.09 < 1 - len(told) / len(stream) < 0.11
    assert all(told[event.id] == event for event in stream)


def test_two_in_a_hundred_facts_happened_an_hour_to_two_days_before() -> None:
    facts = list(dict.fromkeys(drawn()))

    behind = [BASE - event.occurred_at for event in facts]

    late = [time for time in behind if time > timedelta(minutes=59)]
    assert 0.015 < len(late) / len(facts) < 0.025
    assert max(late) < timedelta(hours=49)


def test_nothing_happens_in_the_future() -> None:
    assert all(event.occurred_at < BASE for event in drawn())


def test_the_pairs_are_drawn_by_zipfs_law() -> None:
    shape = Shape(events=40_000, skus=50, locations=2, duplicates_permille=0)

    counts = [n for _, n in Counter((e.sku, e.location) for e in drawn(shape)).most_common()]

    assert len(counts) == 100
    assert counts[0] / counts[1] == pytest.approx(2, rel=0.1)
    assert counts[0] / counts[9] == pytest.approx(10, rel=0.1)


def test_an_encoded_event_is_the_movement_that_the_contract_reads() -> None:
    event = drawn(Shape(events=1))[0]

    encoded = encode(event)

    movement = decode_movements([encoded.value])[0]
    assert isinstance(movement, StockMovement)
    assert movement.sku == sku_name(event.sku)
    assert (movement.type, movement.quantity) == (event.type, event.quantity)
    assert movement.occurred_at == event.occurred_at
    assert encoded.key == movement.key()
    assert encoded.partition == STOCK_MOVEMENTS.partition_of(movement)


def test_the_headers_are_those_of_a_cloud_event() -> None:
    event = drawn(Shape(events=1))[0]

    headers = read_headers(encode(event).headers)

    assert not isinstance(headers, Undecodable)
    assert (headers.id, headers.source) == (event.id, source_name(event.location))
    assert headers.type == STOCK_MOVEMENTS.ce_type
    assert headers.time == event.occurred_at


def test_the_model_counts_a_repeated_fact_once() -> None:
    receipt = Event("a", 1, 2, "receipt", 10, BASE - timedelta(minutes=1))
    sale = Event("b", 1, 2, "sale", 3, BASE - timedelta(hours=3))

    expected = expect([receipt, sale, receipt, sale], BASE)

    assert (expected.events, expected.distinct, expected.late) == (4, 2, 1)
    assert expected.sellable == {(1, 2): 7}
