"""Every topic, movement type and reference record has examples, and they say what is decoded."""

import json
from pathlib import Path
from typing import get_args

import pytest

from shared.contracts.accounts import MovementType
from shared.contracts.records import Message
from shared.contracts.reference import REFERENCE_RECORDS
from shared.contracts.topics import REFERENCE_DATA, STOCK_MOVEMENTS, TOPICS, Topic

from .hostile import EXAMPLES, all_examples

CASES = [pytest.param(t, p, id=f"{t.name}/{p.stem}") for t, p in all_examples()]


def holds(whole: object, part: object) -> bool:
    """Whether everything that `part` says is in `whole` too, which may add defaults."""
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(holds(whole.get(k), v) for k, v in part.items())
    if isinstance(part, list):
        return isinstance(whole, list) and len(whole) == len(part) and all(map(holds, whole, part))
    return whole == part


@pytest.mark.parametrize(("topic", "path"), CASES)
def test_every_example_decodes_and_comes_back_the_same(topic: Topic, path: Path) -> None:
    value = path.read_bytes()

    message = topic.decode(value)

    assert isinstance(message, Message), message
    assert topic.decode(message.encode()) == message
    told, emitted = json.loads(value), json.loads(message.encode())
    assert holds(emitted, told)


@pytest.mark.parametrize(("topic", "path"), [c for c in CASES if "full" in str(c.id)])
def test_a_full_example_gives_every_field(topic: Topic, path: Path) -> None:
    message = topic.decode(path.read_bytes())

    assert isinstance(message, Message)
    either_or = {
        "assortment.full": {"channel"}, "policy.full": {"text"},
        "reserve.full": {"ttl_seconds", "closing_of_next_open_day"},
    }  # fmt: skip
    fields = set(type(message).model_fields) - either_or.get(path.stem, set())
    assert fields == message.model_fields_set


def test_the_smallest_movement_has_five_fields() -> None:
    value = (EXAMPLES / STOCK_MOVEMENTS.name / "minimal.json").read_bytes()

    told = json.loads(value)

    assert list(told) == ["type", "sku", "location", "quantity", "occurred_at"]
    assert all(STOCK_MOVEMENTS.models[0].model_fields[name].is_required() for name in told)
    assert sum(f.is_required() for f in STOCK_MOVEMENTS.models[0].model_fields.values()) == 5
    message = STOCK_MOVEMENTS.decode(value)
    assert isinstance(message, Message)
    assert json.loads(message.encode()).keys() == told.keys()


def test_no_example_is_without_a_topic_and_no_topic_without_its_example() -> None:
    assert {path.name for path in EXAMPLES.iterdir()} == {topic.name for topic in TOPICS}
    for topic in TOPICS:
        assert (EXAMPLES / topic.name / topic.example).is_file(), topic.name


def test_every_movement_type_has_an_example() -> None:
    folder = EXAMPLES / STOCK_MOVEMENTS.name

    told = {json.loads(path.read_bytes())["type"] for path in folder.glob("*.json")}

    assert told == set(MovementType)


def test_every_reference_record_has_a_minimal_and_a_full_example() -> None:
    kinds = [get_args(record.model_fields["kind"].annotation)[0] for record in REFERENCE_RECORDS]

    names = {path.stem for path in (EXAMPLES / REFERENCE_DATA.name).glob("*.json")}

    assert len(set(kinds)) == 12
    assert {f"{kind}.{size}" for kind in kinds for size in ("minimal", "full")} <= names


def test_each_topic_has_its_own_name_type_and_key_rule() -> None:
    assert len({topic.name for topic in TOPICS}) == len(TOPICS)
    assert len({topic.ce_type for topic in TOPICS}) == len(TOPICS)


def test_topics_partitioned_by_sku_have_the_same_number_of_partitions() -> None:
    counts = {topic.partitions for topic in TOPICS if topic.partition_rule == "sku"}

    assert counts == {8}
