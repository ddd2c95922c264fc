"""Whatever a message holds, it is refused or it fits the database."""

import copy
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from shared.contracts.records import Undecodable, UndecodableReason
from shared.contracts.topics import TOPICS, Topic

from .hostile import HOSTILE, all_examples

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
CASES = all_examples()


def assert_fits(value: object) -> None:
    """Fail unless PostgreSQL can hold every value inside."""
    match value:
        case BaseModel():
            assert_fits(dict(value))
        case dict():
            assert_fits(list(value.items()))
        case list() | tuple():
            for part in value:
                assert_fits(part)
        case str():
            assert len(value) <= 200
            assert all(ord(c) > 0x1F and not 0x7F <= ord(c) <= 0x9F for c in value), value
            value.encode()
        case _:
            assert_number_or_moment_fits(value)


def assert_number_or_moment_fits(value: object) -> None:
    """Fail unless a value without parts is one that somebody has bounded."""
    match value:
        case bool() | None:
            pass
        case int():
            assert -(2**53) < value < 2**53
        case float():
            assert abs(value) <= 180
        case Decimal():
            assert value.is_finite()
            assert 0 <= value < 10**12
        case datetime():
            assert value.tzinfo is not None
            assert 2000 <= value.astimezone(UTC).year <= 2100
        case date():
            assert 2000 <= value.year <= 2100
        case _:
            pytest.fail(f"nobody has bounded {value!r}")


def places(value: object, path: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
    """The path of every value inside a JSON value."""
    inside = (
        list(value.items())
        if isinstance(value, dict)
        else list(enumerate(value))
        if isinstance(value, list)
        else []
    )
    return [path, *(deep for key, part in inside for deep in places(part, (*path, key)))]


def replaced(value: object, path: tuple[object, ...], new: object) -> object:
    """A copy of a JSON value with another value at `path`."""
    if not path:
        return new
    whole = copy.deepcopy(value)
    part = whole
    for key in path[:-1]:
        part = part[key]  # type: ignore[index]  # the path was read from this very value
    part[path[-1]] = new  # type: ignore[index]  # the same path, once more
    return whole


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_a_hostile_value_in_any_place_is_refused_or_fits(topic: Topic) -> None:
    outcomes: set[bool] = set()

    for _, path in (case for case in CASES if case[0] is topic):
        told = json.loads(path.read_bytes())
        for place in places(told):
            text = json.dumps(replaced(told, place, "@@hostile@@"))
            for hostile in HOSTILE:
                read = topic.decode(text.replace('"@@hostile@@"', hostile).encode())
                outcomes.add(isinstance(read, Undecodable))
                if isinstance(read, Undecodable):
                    assert "\x00" not in read.detail
                else:
                    assert_fits(read)
                    assert_fits(read.key().decode())

    assert outcomes == {True, False}


@given(st.sampled_from(CASES), st.data())
@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_any_json_in_any_place_is_refused_or_fits(
    case: tuple[Topic, Path], data: st.DataObject
) -> None:
    topic, path = case
    told = json.loads(path.read_bytes())

    place = data.draw(st.sampled_from(places(told)))
    changed = replaced(told, place, data.draw(JSON_VALUES))
    read = topic.decode(json.dumps(changed).encode())

    if not isinstance(read, Undecodable):
        assert_fits(read)
        assert topic.decode(read.encode()) == read


@given(st.sampled_from(TOPICS), st.binary(max_size=60))
def test_any_bytes_are_refused_with_a_reason(topic: Topic, value: bytes) -> None:
    read = topic.decode(value)

    assert isinstance(read, Undecodable)
    assert read.reason in UndecodableReason
    assert 0 < len(read.detail) <= 500
