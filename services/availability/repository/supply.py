"""Availability's supply orders."""

from shared.postgres.supply import SupplyRows

SUPPLY = SupplyRows(schema="availability")
