"""`inventorySetQuantities`: what it refuses and with which code, and what it sets.

Source: shopify.dev, InventorySetQuantitiesInput, InventoryQuantityInput and
InventorySetQuantitiesUserErrorCode. All entries or none are applied. That `field` names the index
of each wrong entry is (unverified): `naming` makes it name the first alone, or none.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.simulators.shopify.parsing import GraphQLError
from services.simulators.shopify.stock import Item, Stock, number_of

QUANTITY_MAX = 1_000_000_000
ENTRIES_MAX = 250
COMPARE_REQUIRED_FROM = "2026-04"
NAMES = frozenset({"available", "on_hand"})
REASONS = frozenset(
    {"correction", "cycle_count_available", "damaged", "movement_canceled", "movement_created",
     "movement_received", "movement_updated", "other", "promotion", "quality_control", "received",
     "reservation_created", "reservation_deleted", "reservation_updated", "restock",
     "safety_stock", "shrinkage"}
)  # fmt: skip
REFERENCE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s]+")
ENTRY_FIELDS = frozenset({"inventoryItemId", "locationId", "quantity", "changeFromQuantity"})
INPUT_FIELDS = frozenset({"name", "reason", "referenceDocumentUri", "quantities"})
NAMINGS = ("each", "first", "none")


@dataclass(frozen=True, slots=True)
class UserError:
    """An error of a mutation: its code, and the path in the input that it speaks of."""

    code: str
    path: tuple[str, ...] = ()

    def view(self) -> dict[str, Any]:
        """As GraphQL objects."""
        text = self.code.replace("_", " ").lower()
        field = list(self.path) or None
        return {"__typename": "UserError", "code": self.code, "field": field, "message": text}


@dataclass(frozen=True, slots=True)
class Entry:
    """One quantity to set, as told."""

    index: int
    told: Mapping[str, Any]

    def error(self, code: str, field: str) -> UserError:
        return UserError(code, ("input", "quantities", str(self.index), field))


def entries_of(told: Any, version: str, entries_max: int) -> list[Entry]:
    """The input's entries, coerced as a server does. Raises GraphQLError for a wrong shape."""
    has_old_forms = version < COMPARE_REQUIRED_FROM
    if not isinstance(told, dict):
        raise _invalid("input", "Expected value to not be null")
    known = INPUT_FIELDS | ({"ignoreCompareQuantity"} if has_old_forms else set())
    if unknown := set(told) - known:
        raise _invalid("input", f"Field is not defined: {min(unknown)}")
    quantities = told.get("quantities")
    if not isinstance(quantities, list):
        raise _invalid("quantities", "Expected value to not be null")
    if len(quantities) > entries_max:
        raise GraphQLError(
            f"The input array size of {len(quantities)} is greater than the maximum allowed of "
            f"{entries_max}.", "MAX_INPUT_SIZE_EXCEEDED",
        )  # fmt: skip
    fields = ENTRY_FIELDS | ({"compareQuantity"} if has_old_forms else set())
    for index, entry in enumerate(quantities):
        _coerce(index, entry, fields)
    return [Entry(index, entry) for index, entry in enumerate(quantities)]


def _coerce(index: int, entry: Any, fields: frozenset[str] | set[str]) -> None:
    at = f"quantities.{index}"
    if not isinstance(entry, dict) or set(entry) - fields:
        raise _invalid(at, "Field is not defined")
    for name, kind in (("inventoryItemId", "InventoryItem"), ("locationId", "Location")):
        if number_of(kind, entry.get(name)) is None:
            raise _invalid(f"{at}.{name}", f"Invalid global id '{entry.get(name)}'")
    if not _is_whole(entry.get("quantity")):
        raise _invalid(f"{at}.quantity", "Could not coerce value to Int")
    for name in ("changeFromQuantity", "compareQuantity"):
        if entry.get(name) is not None and not _is_whole(entry[name]):
            raise _invalid(f"{at}.{name}", "Could not coerce value to Int")


def _invalid(at: str, problem: str) -> GraphQLError:
    message = f"Variable $input was provided invalid value for {at} ({problem})"
    return GraphQLError(message, "INVALID_VARIABLE", problems=[{"path": at.split(".")}])


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def judged(
    stock: Stock, told: Mapping[str, Any], entries: list[Entry], version: str
) -> list[UserError]:
    """Every error of an input, in the order of its fields; empty where it may be applied."""
    found: list[UserError] = []
    if told.get("name") not in NAMES:
        found.append(UserError("INVALID_NAME", ("input", "name")))
    if told.get("reason") not in REASONS:
        found.append(UserError("INVALID_REASON", ("input", "reason")))
    uri = told.get("referenceDocumentUri")
    if uri is not None and not (isinstance(uri, str) and REFERENCE.fullmatch(uri)):
        found.append(UserError("INVALID_REFERENCE_DOCUMENT", ("input", "referenceDocumentUri")))
    ignores = bool(told.get("ignoreCompareQuantity")) and version < COMPARE_REQUIRED_FROM
    seen: set[tuple[int | None, int | None]] = set()
    for entry in entries:
        pair = _pair(entry)
        if pair in seen:
            code = "NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR"
            found.append(entry.error(code, "inventoryItemId"))
        elif error := (
            _of_place(stock, entry)
            or _of_quantity(entry)
            or _of_compare(stock, told, entry, ignores=ignores)
        ):
            found.append(error)
        seen.add(pair)
    return found


def _pair(entry: Entry) -> tuple[int | None, int | None]:
    item = number_of("InventoryItem", entry.told["inventoryItemId"])
    return item, number_of("Location", entry.told["locationId"])


def _of_place(stock: Stock, entry: Entry) -> UserError | None:
    number, location = _pair(entry)
    item = stock.items.get(number or 0)
    if item is None:
        return entry.error("INVALID_INVENTORY_ITEM", "inventoryItemId")
    if location not in stock.locations:
        return entry.error("INVALID_LOCATION", "locationId")
    if item.is_bundle:
        return entry.error("NON_MUTABLE_INVENTORY_ITEM", "inventoryItemId")
    if location not in item.levels:
        return entry.error("ITEM_NOT_STOCKED_AT_LOCATION", "locationId")
    return None


def _of_quantity(entry: Entry) -> UserError | None:
    quantity = entry.told["quantity"]
    if quantity > QUANTITY_MAX:
        return entry.error("INVALID_QUANTITY_TOO_HIGH", "quantity")
    if quantity < -QUANTITY_MAX:
        return entry.error("INVALID_QUANTITY_TOO_LOW", "quantity")
    return entry.error("INVALID_QUANTITY_NEGATIVE", "quantity") if quantity < 0 else None


def _of_compare(
    stock: Stock, told: Mapping[str, Any], entry: Entry, *, ignores: bool
) -> UserError | None:
    """`changeFromQuantity` is compared, null opts out; left out it is an error from 2026-04 on.
    Before that, `compareQuantity` and `ignoreCompareQuantity` do the same.
    """
    compares, field, code = entry.told, "changeFromQuantity", "CHANGE_FROM_QUANTITY_STALE"
    if field not in compares:
        if ignores:
            return None
        if compares.get("compareQuantity") is None:  # which later versions do not know at all
            return entry.error("COMPARE_QUANTITY_REQUIRED", field)
        field, code = "compareQuantity", "COMPARE_QUANTITY_STALE"
    expected = compares[field]
    level = stock.items[_pair(entry)[0] or 0].levels[_pair(entry)[1] or 0]
    if expected is not None and expected != getattr(level, str(told["name"]), None):
        return entry.error(code, field)
    return None


def apply(
    stock: Stock, name: str, entries: list[Entry]
) -> tuple[list[tuple[Item, int]], list[dict[str, Any]]]:
    """Set every quantity; what was set, and the changes as GraphQL objects."""
    written: list[tuple[Item, int]] = []
    changes: list[dict[str, Any]] = []
    for entry in entries:
        number, location = _pair(entry)
        item, quantity = stock.items[number or 0], int(entry.told["quantity"])
        level = item.levels[location or 0]
        delta = quantity - int(getattr(level, name))
        level.available += delta
        written.append((item, quantity))
        if delta:
            changes.append(
                {"__typename": "InventoryChange", "name": name, "delta": delta,
                 "quantityAfterChange": quantity}
            )  # fmt: skip
    return written, changes


def named(errors: list[UserError], naming: str) -> list[UserError]:
    """The errors as the shop tells them: each, the first alone, or without their index."""
    if naming == "first":
        return errors[:1]
    if naming == "none":
        return [UserError(error.code, error.path[:2]) for error in errors]
    return errors
