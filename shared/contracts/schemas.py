"""Compares two JSON Schemas, of the shapes that our models have: what does the second refuse?"""

from collections.abc import Iterator
from operator import gt, lt
from typing import Final

from pydantic import JsonValue

from .documents import JsonObject

# A bound that appears, or moves inwards, refuses what was allowed.
_LOWER: Final = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_UPPER: Final = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_SAME: Final = ("type", "const", "pattern", "format")


def narrowings(before: JsonObject, now: JsonObject) -> list[str]:
    """The ways in which `now` is narrower than `before`, each with the path of its field."""
    return list(_Comparison(before, now).compare(before, now, "$"))


class _Comparison:
    """Two whole schemas, for resolving references while their parts are compared."""

    def __init__(self, before: JsonObject, now: JsonObject) -> None:
        self._before = before
        self._now = now

    def compare(self, before: JsonValue, now: JsonValue, path: str) -> Iterator[str]:
        old, new = _resolved(before, self._before), _resolved(now, self._now)
        many_before, many_now = _alternatives(old), _alternatives(new)
        # A field that had no default was required: giving it one changes no message.
        if "default" in old and old["default"] != new.get("default"):
            yield f"{path}: default was {old['default']} and is {new.get('default')}"
        if len(many_before) > 1 or len(many_now) > 1:
            yield from self._compare_alternatives(many_before, many_now, path)
            return
        for rule in (_compare_fixed, _compare_enum, _compare_bounds):
            yield from rule(old, new, path)
        yield from self._compare_fields(old, new, path)
        for part in ("items", "additionalProperties", "propertyNames"):
            if isinstance(old.get(part), dict) or isinstance(new.get(part), dict):
                yield from self.compare(old.get(part, {}), new.get(part, {}), f"{path}.{part}")

    def _compare_alternatives(
        self, before: list[JsonValue], now: list[JsonValue], path: str
    ) -> Iterator[str]:
        for old in before:
            found = [list(self.compare(old, new, path)) for new in now]
            # The nearest alternative says best what has changed.
            yield from min(found, key=len)

    def _compare_fields(self, old: JsonObject, new: JsonObject, path: str) -> Iterator[str]:
        fields, fields_now = _object(old, "properties"), _object(new, "properties")
        for name in fields:
            if name not in fields_now:
                yield f"{path}.{name}: the field was removed"
            else:
                yield from self.compare(fields[name], fields_now[name], f"{path}.{name}")
        for name in sorted(_names(new, "required") - _names(old, "required")):
            yield f"{path}.{name}: the field has become required"


def _compare_fixed(old: JsonObject, new: JsonObject, path: str) -> Iterator[str]:
    for word in _SAME:
        if old.get(word) != new.get(word) and not (word == "pattern" and word not in new):
            yield f"{path}: {word} was {old.get(word)} and is {new.get(word)}"


def _compare_enum(old: JsonObject, new: JsonObject, path: str) -> Iterator[str]:
    if "enum" in new:
        if "enum" not in old:
            yield f"{path}: any value was allowed and now only some are"
        for value in sorted(_names(old, "enum") - _names(new, "enum")):
            yield f"{path}: the value {value} was removed"


def _compare_bounds(old: JsonObject, new: JsonObject, path: str) -> Iterator[str]:
    for words, is_narrower in ((_LOWER, gt), (_UPPER, lt)):
        for word in words:
            was, is_ = old.get(word), new.get(word)
            if not isinstance(is_, int | float):
                continue
            if not isinstance(was, int | float) or is_narrower(is_, was):
                yield f"{path}: {word} was {was} and is {is_}"


def _resolved(schema: JsonValue, root: JsonObject) -> JsonObject:
    if not isinstance(schema, dict):
        return {}
    reference = schema.get("$ref")
    if not isinstance(reference, str):
        return schema
    target = _object(root, "$defs")[reference.rsplit("/", 1)[-1]]
    assert isinstance(target, dict), reference
    beside = {word: value for word, value in schema.items() if word != "$ref"}
    return {**target, **beside}


def _alternatives(schema: JsonObject) -> list[JsonValue]:
    for word in ("anyOf", "oneOf"):
        found = schema.get(word)
        if isinstance(found, list):
            return found
    return [schema]


def _object(schema: JsonObject, word: str) -> JsonObject:
    found = schema.get(word)
    return found if isinstance(found, dict) else {}


def _names(schema: JsonObject, word: str) -> set[str]:
    found = schema.get(word)
    return {str(name) for name in found} if isinstance(found, list) else set()
