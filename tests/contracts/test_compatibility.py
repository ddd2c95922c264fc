"""A breaking change is caught, and a harmless one is let through."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from shared.contracts import compatibility
from shared.contracts.compatibility import breaking_changes, described, released
from shared.contracts.topics import TOPICS

# JSON documents are changed by hand here, at places that mypy cannot follow.
Document = dict[str, Any]
MOVEMENTS, REFERENCE = "stock-movements-v1", "reference-data-v1"


def the_contracts() -> Document:
    """The present contracts, as they would be released."""
    return {topic.name: json.loads(json.dumps(described(topic))) for topic in TOPICS}


def fields(contracts: Document, topic: str = MOVEMENTS) -> Document:
    """The payload's fields."""
    found: Document = contracts[topic]["schema"]["properties"]
    return found


def definition(contracts: Document, name: str, topic: str = MOVEMENTS) -> Document:
    """A nested record's or an enum's schema."""
    found: Document = contracts[topic]["schema"]["$defs"][name]
    return found


BREAKING: dict[str, Callable[[Document], object]] = {
    "a_topic_removed": lambda c: c.pop(MOVEMENTS),
    "a_field_removed": lambda c: fields(c).pop("lot"),
    "a_nested_field_removed": lambda c: definition(c, "Lot")["properties"].pop("expires_on"),
    "a_field_required": lambda c: c[MOVEMENTS]["schema"]["required"].append("channel"),
    "a_nested_field_required": lambda c: definition(c, "Document")["required"].append("line"),
    "an_enum_value_removed": lambda c: definition(c, "MovementType")["enum"].remove("pick"),
    "an_enum_for_any_value": lambda c: fields(c)["sku"].update(enum=["a"]),
    "a_type_changed": lambda c: fields(c)["quantity"].update(type="string"),
    "an_alternative_removed": lambda c: fields(c)["channel"]["anyOf"].pop(0),
    "null_no_longer_allowed": lambda c: fields(c)["channel"]["anyOf"].pop(),
    "a_maximum_lowered": lambda c: fields(c)["quantity"].update(maximum=10),
    "a_minimum_raised": lambda c: fields(c)["quantity"].update(minimum=1),
    "a_minimum_appeared": lambda c: fields(c)["quantity"].update(exclusiveMinimum=0),
    "a_length_lowered": lambda c: fields(c)["sku"].update(maxLength=32),
    "a_nested_bound_narrowed": lambda c: fields(c)["serials"]["anyOf"][0].update(maxItems=3),
    "an_item_narrowed": lambda c: fields(c)["serials"]["anyOf"][0]["items"].update(maxLength=3),
    "a_pattern_changed": lambda c: fields(c)["sku"].update(pattern="^[A-Z]+$"),
    "a_format_changed": lambda c: fields(c)["occurred_at"].update(format="date"),
    "a_default_changed": lambda c: definition(c, "AccountRef")["properties"]["owner"].update(
        default="other"
    ),
    "a_record_kind_removed": lambda c: c[REFERENCE]["schema"]["oneOf"].pop(),
    "the_key_changed": lambda c: c["stock-levels-v1"].update(key="sku"),
    "the_partition_changed": lambda c: c["stock-levels-v1"].update(partition_by="location"),
    "the_partition_count_changed": lambda c: c["stock-levels-v1"].update(partitions=16),
    "the_ce_type_changed": lambda c: c["stock-levels-v1"].update(ce_type="other"),
    "state_became_events": lambda c: c["stock-levels-v1"].update(carries="events"),
}
HARMLESS: dict[str, Callable[[Document], object]] = {
    "nothing": lambda c: c,
    "an_optional_field": lambda c: fields(c).update(colour={"type": "string", "default": "none"}),
    "a_nested_optional_field": lambda c: definition(c, "Lot")["properties"].update(
        made_on={"anyOf": [{"type": "string"}, {"type": "null"}], "default": None}
    ),
    "a_new_enum_value": lambda c: definition(c, "MovementType")["enum"].append("loan"),
    "a_wider_bound": lambda c: fields(c)["sku"].update(maxLength=100),
    "no_bound": lambda c: fields(c)["sku"].pop("maxLength"),
    "no_longer_required": lambda c: c[MOVEMENTS]["schema"]["required"].remove("sku"),
    "another_description": lambda c: fields(c)["sku"].update(description="other"),
    "a_new_topic": lambda c: c.update({"alerts-v1": c[MOVEMENTS]}),
    "a_new_record_kind": lambda c: c[REFERENCE]["schema"]["oneOf"].append({"type": "object"}),
}


def test_the_contracts_break_nothing_that_was_released() -> None:
    changes = list(breaking_changes(released(), the_contracts()))

    assert changes == []
    assert released().keys() <= the_contracts().keys()


@pytest.mark.parametrize("change", BREAKING.values(), ids=BREAKING.keys())
def test_a_breaking_change_is_caught(change: Callable[[Document], object]) -> None:
    before = the_contracts()
    now = copy.deepcopy(before)

    change(now)

    assert list(breaking_changes(before, now))


@pytest.mark.parametrize("change", HARMLESS.values(), ids=HARMLESS.keys())
def test_a_harmless_change_is_let_through(change: Callable[[Document], object]) -> None:
    before = the_contracts()
    now = copy.deepcopy(before)

    change(now)

    assert list(breaking_changes(before, now)) == []


def test_a_breaking_change_fails_the_command_and_is_not_recorded(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = the_contracts()
    before[MOVEMENTS]["schema"]["properties"]["gone"] = {"type": "string"}
    monkeypatch.setattr(compatibility, "released", lambda: before)

    status = compatibility.main(["--release"])

    assert status == 1
    assert "gone: the field was removed" in capsys.readouterr().err


def test_every_topic_has_been_released() -> None:
    assert released().keys() == {topic.name for topic in TOPICS}
