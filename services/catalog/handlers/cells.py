"""From a row of cells to a record: each cell by its column, the whole by its contract."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo

from pydantic import ValidationError
from pydantic_core import to_json

from services.catalog.handlers.columns import Column, Layout, Leaf, Shape
from shared.contracts.records import Record

YES: Final = frozenset({"true", "yes", "1"})
NO: Final = frozenset({"false", "no", "0"})
WHOLE: Final = re.compile(r"[+-]?[0-9]{1,18}", re.ASCII)
DECIMAL: Final = re.compile(r"[+-]?[0-9]{1,9}(\.[0-9]{1,12})?", re.ASCII)
SHEET_ERRORS: Final = frozenset(
    {"#N/A", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NUM!", "#NULL!"}
)
ITEMS: Final = "|"
STEPS: Final = ">"

# What a cell or record can be in JSON; pydantic judges it by the contract.
Value = Any
R = TypeVar("R", bound=Record)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What is wrong with a row, or worth a word: its line, the column where there is one."""

    line: int
    column: str | None
    reason: str
    detail: str


class WrongCell(Exception):  # noqa: N818  (it names what was found)
    """A cell that isn't what its column holds."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason, self.detail = reason, detail


def text_of(cell: object) -> str:
    """A cell of a sheet as a CSV file would have it. What is no moment in Python has no zone."""
    match cell:
        case None:
            return ""
        case bool():
            return "true" if cell else "false"
        case float():
            return str(int(cell)) if cell.is_integer() else format(Decimal(repr(cell)), "f")
        case datetime() | date():
            return cell.isoformat()
        case time():
            return cell.isoformat(timespec="minutes")
        case _:
            return str(cell)


def read_row(
    layout: Layout[R],
    header: Sequence[Column | None],
    line: int,
    cells: Sequence[str],
    zone: ZoneInfo,
) -> R | list[Finding]:
    """The record that a row tells, or all that is wrong with it. An empty cell tells nothing; a
    column that is None is passed over.
    """
    found: list[Finding] = []
    told: dict[str, Value] = dict(layout.given)
    parts: dict[str, dict[str, list[Value]]] = {}
    for column, cell in zip(header, cells, strict=False):
        text = cell.strip()
        if column is None or not text:
            continue
        try:
            _put(told, parts, column, _value(column, text, zone))
        except WrongCell as error:
            found.append(_finding(line, column.name, error.reason, error.detail))
    for field, columns in parts.items():
        lengths = {len(values) for values in columns.values()}
        if len(lengths) > 1:
            detail = f"the columns {field}.… have different numbers of items between |"
            found.append(_finding(line, field, "unequal_lists", detail))
        else:
            told[field] = [_part(columns, place) for place in range(*lengths)]
    return found or _record(layout, line, told)


def _put(
    told: dict[str, Value], parts: dict[str, dict[str, list[Value]]], column: Column, value: Value
) -> None:
    if column.shape in (Shape.PARTS, Shape.PATHS):
        parts.setdefault(column.path[0], {})[column.path[1]] = value
    elif len(column.path) == 1:
        told[column.path[0]] = value
    else:
        told.setdefault(column.path[0], {})[column.path[1]] = value


def _part(columns: dict[str, list[Value]], place: int) -> dict[str, Value]:
    told = {name: values[place] for name, values in columns.items()}
    return {name: value for name, value in told.items() if value is not None}


def _value(column: Column, text: str, zone: ZoneInfo) -> Value:
    if text in SHEET_ERRORS:
        raise WrongCell("sheet_error", "the sheet shows an error here, not a value")
    if column.shape is Shape.ONE:
        return _one(column.leaf, text, zone)
    items = [item.strip() for item in text.split(ITEMS)]
    if column.shape is Shape.LIST:
        return [_one(column.leaf, item, zone) for item in items]
    if column.shape is Shape.PATHS:
        return [[step.strip() for step in item.split(STEPS)] for item in items]
    return [_one(column.leaf, item, zone) if item else None for item in items]


def _one(leaf: Leaf, text: str, zone: ZoneInfo) -> Value:
    match leaf:
        case Leaf.WHOLE:
            if WHOLE.fullmatch(text) is None:
                raise WrongCell("wrong_type", "not a whole number")
            return int(text)
        case Leaf.DEGREES:
            if DECIMAL.fullmatch(text) is None:
                raise WrongCell("wrong_type", "not a decimal number with a point")
            return float(text)
        case Leaf.SWITCH:
            return _switch(text.lower())
        case Leaf.MOMENT:
            return moment_in(text, zone)
        case Leaf.DAY:
            return text.split("T", 1)[0]
        case _:
            return text


def _switch(text: str) -> bool:
    if text not in YES | NO:
        raise WrongCell("wrong_type", "neither true nor false")
    return text in YES


def moment_in(text: str, zone: ZoneInfo) -> str:
    """A moment with its zone; without one it is the import's, and a date is its midnight."""
    try:
        told = datetime.fromisoformat(text)
    except ValueError as error:
        raise WrongCell(
            "wrong_type", "not a moment such as 2026-03-01T08:00:00+01:00, nor a date"
        ) from error
    return (told.replace(tzinfo=zone) if told.tzinfo is None else told).isoformat()


def _record(layout: Layout[R], line: int, told: dict[str, Value]) -> R | list[Finding]:
    try:
        return layout.model.decode(to_json(told))
    except ValidationError as error:
        return [
            _finding(line, _column(fault["loc"]), _reason(fault["type"]), fault["msg"])
            for fault in error.errors(include_url=False, include_context=False, include_input=False)
        ]
    except UnicodeError:
        return [_finding(line, None, "not_text", "a cell holds half a character")]


def _column(place: tuple[int | str, ...]) -> str | None:
    return ".".join(part for part in place if isinstance(part, str)) or None


def _reason(kind: str) -> str:
    if kind == "missing":
        return "missing_value"
    return "unknown_word" if kind in ("enum", "literal_error") else "wrong_value"


def _finding(line: int, column: str | None, reason: str, detail: str) -> Finding:
    return Finding(line=line, column=column, reason=reason, detail=detail)
