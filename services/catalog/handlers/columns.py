"""The columns of a kind's file: names of the contract, nested ones dotted, `|` between list items.

A list of parts (a kit's components) is several columns side by side: `kit.sku` = `A|B` beside
`kit.quantity` = `1|2`. A list inside such a part (a category's path) is joined by `>`.
"""

import types
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from functools import cache
from typing import Annotated, Any, Generic, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from services.catalog.handlers.translating import MODELS
from shared.contracts.dated import Dated
from shared.contracts.records import Record

R_co = TypeVar("R_co", bound=Record, covariant=True)


class Leaf(StrEnum):
    """What a cell holds."""

    TEXT = "text"
    WHOLE = "whole number"
    SWITCH = "true or false"
    MOMENT = "moment"
    DAY = "day"
    DEGREES = "decimal number"


class Shape(StrEnum):
    """How often it holds it."""

    ONE = "one"
    LIST = "list"  # items joined by |
    PARTS = "parts"  # one item for each part, joined by |
    PATHS = "paths"  # one path for each part, joined by |, its steps by >


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column: where its value goes in the record."""

    name: str
    path: tuple[str, ...]
    leaf: Leaf
    shape: Shape
    is_required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout(Generic[R_co]):
    """All columns of a kind; `open_fields` take any name after their dot (`ids.variant`). What is
    `given` stands in every row that doesn't say otherwise.
    """

    kind: str
    model: type[R_co]
    columns: Mapping[str, Column]
    open_fields: frozenset[str]
    given: Mapping[str, object] = field(default_factory=dict)

    def column(self, name: str) -> Column | None:
        """The column of this name, if the kind has it."""
        if (found := self.columns.get(name)) is not None:
            return found
        field, dot, rest = name.partition(".")
        if field in self.open_fields and dot and rest:
            return Column(name=name, path=(field, rest), leaf=Leaf.TEXT, shape=Shape.ONE)
        return None

    @property
    def required(self) -> frozenset[str]:
        """Columns that no file can leave out."""
        needed = {name for name, column in self.columns.items() if column.is_required}
        return frozenset(needed - self.given.keys())


@cache
def layout_of(kind: str) -> Layout[Dated]:
    """The layout of a kind of reference data. Raises KeyError for a kind that there isn't."""
    return layout_for(kind, MODELS[kind], given={"kind": kind}, without=("kind",))


def layout_for(
    kind: str, model: type[R_co], *, given: Mapping[str, object], without: Collection[str]
) -> Layout[R_co]:
    """A layout of a contract's fields but those `without`."""
    columns: dict[str, Column] = {}
    open_fields: set[str] = set()
    for name, info in _fields(model):
        if name in without:
            continue
        inner = _bare(info.annotation)
        if get_origin(inner) is dict:
            open_fields.add(name)
            continue
        for column in _columns(name, inner, is_required=info.is_required()):
            columns[column.name] = column
    return Layout(
        kind=kind, model=model, columns=columns, open_fields=frozenset(open_fields), given=given
    )


def _fields(model: type[BaseModel]) -> Iterator[tuple[str, FieldInfo]]:
    """Fields under the names of the contract."""
    for name, info in model.model_fields.items():
        yield str(info.validation_alias or name), info


def _columns(name: str, inner: Any, *, is_required: bool) -> Iterator[Column]:  # an annotation
    if get_origin(inner) is tuple:
        item = _bare(get_args(inner)[0])
        if not _is_record(item):
            yield Column(name=name, path=(name,), leaf=_leaf(item), shape=Shape.LIST)
            return
        for part, field in _fields(item):
            yield _part_column(name, part, _bare(field.annotation))
    elif _is_record(inner):
        for part, field in _fields(inner):
            of_part = _bare(field.annotation)
            is_list = get_origin(of_part) is tuple
            yield Column(
                name=f"{name}.{part}", path=(name, part),
                leaf=_leaf(_bare(get_args(of_part)[0]) if is_list else of_part),
                shape=Shape.LIST if is_list else Shape.ONE,
            )  # fmt: skip
    else:
        yield Column(
            name=name, path=(name,), leaf=_leaf(inner), shape=Shape.ONE, is_required=is_required
        )


def _part_column(name: str, part: str, inner: Any) -> Column:  # an annotation
    is_path = get_origin(inner) is tuple
    return Column(
        name=f"{name}.{part}", path=(name, part),
        leaf=_leaf(_bare(get_args(inner)[0]) if is_path else inner),
        shape=Shape.PATHS if is_path else Shape.PARTS,
    )  # fmt: skip


def _bare(annotation: Any) -> Any:  # an annotation may be anything
    """Without bounds and without `| None`."""
    while True:
        if get_origin(annotation) is Annotated:
            annotation = get_args(annotation)[0]
        elif get_origin(annotation) in (Union, types.UnionType):
            annotation = next(one for one in get_args(annotation) if one is not type(None))
        else:
            return annotation


def _is_record(inner: Any) -> bool:  # an annotation may be anything
    return isinstance(inner, type) and issubclass(inner, BaseModel)


LEAVES: dict[type, Leaf] = {
    bool: Leaf.SWITCH, int: Leaf.WHOLE, float: Leaf.DEGREES, datetime: Leaf.MOMENT,
    date: Leaf.DAY, Decimal: Leaf.TEXT,
}  # fmt: skip


def _leaf(inner: Any) -> Leaf:  # an annotation may be anything
    if inner in LEAVES:
        return LEAVES[inner]
    assert isinstance(inner, type), inner
    assert issubclass(inner, str), inner
    return Leaf.TEXT
