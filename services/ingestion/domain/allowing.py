"""An allow-list for JSON: what has a place in the shape is kept, everything else never was.

A value is kept only where it also looks like what belongs there, so that a name typed into a
status field does not get in by the field's name.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias, Union

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
Fits = Callable[[Json], bool]
# Quoted: a shape holds shapes.
Shape: TypeAlias = Union["Each", Fits, Mapping[str, "Shape"]]

_WORD: Final = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_DIGITS: Final = re.compile(r"[0-9]{1,20}", re.ASCII)
_MOMENT: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?"
    r"(Z|[+-][0-9]{2}:[0-9]{2})?",
    re.ASCII,
)
_DECIMAL: Final = re.compile(r"[0-9]{1,12}(\.[0-9]{1,8})?", re.ASCII)
_CURRENCY: Final = re.compile(r"[A-Z]{3}", re.ASCII)
_WHOLE_MAX: Final = 2**63


@dataclass(frozen=True, slots=True)
class Each:
    """A list whose entries all have one shape."""

    shape: Shape


def kept(value: Json, shape: Shape) -> Json:
    """What of `value` the shape has a place for; None where nothing fits."""
    if isinstance(shape, Each):
        if not isinstance(value, list):
            return None
        found = (kept(entry, shape.shape) for entry in value)
        return [entry for entry in found if entry is not None]
    if isinstance(shape, Mapping):
        if not isinstance(value, dict):
            return None
        parts = {name: kept(value.get(name), part) for name, part in shape.items()}
        return {name: part for name, part in parts.items() if part is not None}
    return value if shape(value) else None


def is_whole(value: Json) -> bool:
    """A whole number that fits 64 bits; never true or false."""
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < _WHOLE_MAX


def is_id(value: Json) -> bool:
    """A number that names something, as a number or as text."""
    return is_whole(value) or (isinstance(value, str) and _DIGITS.fullmatch(value) is not None)


def is_word(value: Json) -> bool:
    """A protocol's own word, such as a status: lower case, no blank, at most 40 letters."""
    return isinstance(value, str) and _WORD.fullmatch(value) is not None


def is_moment(value: Json) -> bool:
    """A date with a time in ISO 8601, with or without a zone."""
    return isinstance(value, str) and _MOMENT.fullmatch(value) is not None


def is_decimal(value: Json) -> bool:
    """An amount as text."""
    return isinstance(value, str) and _DECIMAL.fullmatch(value) is not None


def is_currency(value: Json) -> bool:
    """Three capitals of ISO 4217."""
    return isinstance(value, str) and _CURRENCY.fullmatch(value) is not None
