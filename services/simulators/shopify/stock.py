"""Inventory items and what each location has of them, as Shopify keeps it."""

import re
from dataclasses import dataclass, field
from typing import Any

GID = re.compile(r"gid://shopify/([A-Za-z]+)/(\d{1,18})")


class ShopError(Exception):
    """What a store-front or the control refuses, with a status of its own."""

    def __init__(self, message: str, status: int = 422) -> None:
        super().__init__(message)
        self.message, self.status = message, status


@dataclass(slots=True)
class Level:
    """One item at one location: for sale, and sold but not sent. Both make up what is on hand."""

    available: int = 0
    committed: int = 0

    @property
    def on_hand(self) -> int:
        return self.available + self.committed


@dataclass(slots=True, kw_only=True)
class Item:
    """An inventory item, which belongs to one product variant. A bundle's parent has no stock."""

    id: int
    variant_id: int
    sku: str
    levels: dict[int, Level] = field(default_factory=dict)
    is_bundle: bool = False

    @property
    def shown(self) -> int:
        """What the store-front offers: the sum over the locations."""
        return sum(level.available for level in self.levels.values())

    def view(self) -> dict[str, Any]:
        """The product list's entry."""
        return {
            "variant_id": self.variant_id, "inventory_item_id": self.id, "sku": self.sku,
            "available": self.shown, "in_stock": self.shown > 0,
        }  # fmt: skip

    def resolved(self) -> dict[str, Any]:
        """The item as GraphQL objects."""
        return {
            "__typename": "InventoryItem", "id": gid("InventoryItem", self.id), "sku": self.sku,
            "inventoryLevel": self._level_resolved,
        }  # fmt: skip

    def _level_resolved(self, arguments: dict[str, Any]) -> dict[str, Any] | None:
        location = number_of("Location", arguments.get("locationId"))
        level = self.levels.get(location or 0)
        if level is None:
            return None

        def quantities(asked: dict[str, Any]) -> list[dict[str, Any]]:
            return [
                {"__typename": "InventoryQuantity", "name": name, "quantity": getattr(level, name)}
                for name in asked.get("names", ())
                if name in ("available", "committed", "on_hand")
            ]

        return {"__typename": "InventoryLevel", "quantities": quantities}


class Stock:
    """All items of a shop, at its locations."""

    def __init__(self, locations: tuple[int, ...]) -> None:
        assert locations, "a shop has a location"
        self.locations = locations
        self.items: dict[int, Item] = {}
        self._variants: dict[int, Item] = {}

    def add(self, item: Item) -> Item:
        """Put an item in, under the ids it has."""
        self.items[item.id] = item
        self._variants[item.variant_id] = item
        return item

    def variant(self, variant_id: object) -> Item:
        """The item of a variant. Raises ShopError for one that is not sold here."""
        found = self._variants.get(variant_id) if isinstance(variant_id, int) else None
        if found is None:
            raise ShopError("The variant is not sold here.", 404)
        return found


def gid(kind: str, number: int) -> str:
    """A global id."""
    return f"gid://shopify/{kind}/{number}"


def number_of(kind: str, told: object) -> int | None:
    """The number in a global id of this kind; None for anything else."""
    match = GID.fullmatch(told) if isinstance(told, str) else None
    return int(match[2]) if match is not None and match[1] == kind else None
