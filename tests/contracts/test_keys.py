"""Keys: what must survive compaction has its own, and everyone computes the same partition."""

import json

import pytest
from aiokafka.partitioner import DefaultPartitioner
from aiokafka.partitioner import murmur2 as kafkas_murmur2
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts import topics
from shared.contracts.partitions import murmur2, partition_for
from shared.contracts.records import Message
from shared.contracts.topics import REFERENCE_DATA, TOPICS, Carries, Topic

from .hostile import EXAMPLES


def the_message(topic: Topic, example: str, changes: dict[str, object]) -> Message:
    """An example of a topic with some fields changed."""
    told = json.loads((EXAMPLES / topic.name / f"{example}.json").read_bytes())
    message = topic.decode(json.dumps(told | changes).encode())
    assert isinstance(message, Message), message
    return message


@pytest.mark.parametrize(
    ("topic", "example", "changes"),
    [
        pytest.param(topics.ORDERS, "minimal", {"order_id": "2"}, id="two_orders"),
        pytest.param(topics.RETURNS, "minimal", {"return_id": "2"}, id="two_returns"),
        pytest.param(topics.SUPPLY_ORDERS, "minimal", {"supply_id": "2"}, id="two_supply_orders"),
        pytest.param(topics.STOCK_COMMANDS, "minimal", {"line_id": "2"}, id="two_lines"),
        pytest.param(topics.ALLOCATIONS, "minimal", {"line_id": "2"}, id="two_lines_allocated"),
        pytest.param(topics.STOCK_LEVELS, "minimal", {"location": "L2"}, id="two_places"),
        pytest.param(topics.AVAILABILITY, "minimal", {"channel": "c2"}, id="two_channels"),
        pytest.param(topics.PUBLICATIONS, "minimal", {"listing_id": "2"}, id="two_listings"),
        pytest.param(topics.PUBLICATIONS, "minimal", {"location": "L"}, id="fed_by_place"),
        pytest.param(
            REFERENCE_DATA, "product.minimal", {"from": "2026-04-01T00:00:00Z"},
            id="a_product_now_and_next_month",
        ),
        pytest.param(
            REFERENCE_DATA, "identifier.minimal", {"from": "2026-04-01T00:00:00Z", "sku": "S2"},
            id="a_code_that_moves",
        ),
        pytest.param(REFERENCE_DATA, "identifier.minimal", {"scheme": "supplier"}, id="schemes"),
        pytest.param(REFERENCE_DATA, "identifier.minimal", {"issuer": "SUP-9"}, id="two_issuers"),
        pytest.param(REFERENCE_DATA, "listing.minimal", {"channel": "c"}, id="two_shops"),
        pytest.param(REFERENCE_DATA, "policy.minimal", {"policy_id": "P-9"}, id="two_policies"),
        pytest.param(REFERENCE_DATA, "assortment.minimal", {"location": "L2"}, id="two_shelves"),
    ],
)  # fmt: skip
def test_two_states_that_must_both_survive_have_two_keys(
    topic: Topic, example: str, changes: dict[str, object]
) -> None:
    first = the_message(topic, example, {})
    second = the_message(topic, example, changes)

    assert topic.carries is Carries.STATE
    assert first.key() != second.key()


@pytest.mark.parametrize(
    ("topic", "example", "changes"),
    [
        pytest.param(topics.STOCK_LEVELS, "minimal", {"version": 9}, id="a_level"),
        pytest.param(topics.STOCK_COMMANDS, "minimal", {"sku": "S2"}, id="a_line_that_changes_sku"),
        pytest.param(topics.PUBLICATIONS, "minimal", {"value": 1}, id="a_publication"),
        pytest.param(REFERENCE_DATA, "policy.full", {"from": "2026-05-01T00:00:00Z"}, id="policy"),
        pytest.param(
            REFERENCE_DATA, "product.full", {"from": "2025-12-31T23:00:00Z"},
            id="the_same_moment_in_another_zone",
        ),
    ],
)  # fmt: skip
def test_a_newer_state_of_the_same_thing_has_the_same_key(
    topic: Topic, example: str, changes: dict[str, object]
) -> None:
    assert the_message(topic, example, {}).key() == the_message(topic, example, changes).key()


@pytest.mark.parametrize(
    ("topic", "key", "partition_key"),
    [
        pytest.param(topics.STOCK_MOVEMENTS, b"TEE-BLUE-M", b"TEE-BLUE-M", id="movements"),
        pytest.param(topics.ORDERS, b"WEB-1001", b"WEB-1001", id="orders"),
        pytest.param(topics.STOCK_COMMANDS, b"WEB-1001|1", b"TEE-BLUE-M", id="commands"),
        pytest.param(topics.ALLOCATIONS, b"WEB-1001|1", b"WEB-1001", id="allocations"),
        pytest.param(topics.STOCK_LEVELS, b"TEE-BLUE-M|STORE-PARIS-1", b"TEE-BLUE-M", id="levels"),
        pytest.param(topics.AVAILABILITY, b"webshop-fr|TEE-BLUE-M", b"TEE-BLUE-M", id="offers"),
        pytest.param(topics.PUBLICATIONS, b"webshop-fr|gid-42|", b"webshop-fr|gid-42", id="told"),
    ],
)  # fmt: skip
def test_a_key_and_what_it_is_partitioned_by_are_as_released(
    topic: Topic, key: bytes, partition_key: bytes
) -> None:
    message = the_message(topic, "minimal", {})

    assert message.key() == key
    assert message.partition_key() == partition_key
    assert topic.partition_of(message) == partition_for(partition_key, topic.partitions)


def test_all_of_a_sku_is_on_one_partition_of_every_topic_partitioned_by_it() -> None:
    found = {
        topic.partition_of(the_message(topic, "minimal", {}))
        for topic in TOPICS
        if topic.partition_rule == "sku"
    }

    assert len(found) == 1


@given(st.binary(max_size=80), st.integers(1, 64))
def test_the_partition_is_the_one_that_kafkas_clients_choose(key: bytes, count: int) -> None:
    partitions = list(range(count))

    assert murmur2(key) == kafkas_murmur2(key) & 0xFFFFFFFF
    assert partition_for(key, count) == DefaultPartitioner()(key, partitions, partitions)


@pytest.mark.parametrize(
    ("key", "expected"),
    [(b"21", -973932308), (b"foobar", -790332482), (b"a-little-bit-long-string", -985981536),
     (b"a-little-bit-longer-string", -1486304829), (b"abc", 479470107)],
)  # fmt: skip
def test_murmur2_gives_what_kafkas_own_tests_expect(key: bytes, expected: int) -> None:
    """The vectors of Apache Kafka's `UtilsTest.testMurmur2`."""
    assert murmur2(key) == expected & 0xFFFFFFFF
