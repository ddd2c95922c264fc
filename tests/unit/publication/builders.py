"""Builders of listings and wanted values."""

from typing import Any

from services.publication.domain.wanting import Desired, Listing


def a_listing(listing_id: int = 1, **overrides: Any) -> Listing:
    """A live listing of our own stock."""
    fields: dict[str, Any] = {
        "listing_id": listing_id, "channel": "shop", "code": str(listing_id),
        "sku": f"S{listing_id}",
    }  # fmt: skip
    return Listing(**fields | overrides)


def wanted(listing_id: int = 1, value: int = 10, version: int = 1, **overrides: Any) -> Desired:
    """A wanted value of a listing that shows something else."""
    fields: dict[str, Any] = {
        "listing": a_listing(listing_id), "version": version, "value": value, "shown": 99,
    }  # fmt: skip
    return Desired(**fields | overrides)
