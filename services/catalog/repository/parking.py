"""The parked messages of the catalog."""

from shared.postgres.parking import Parking

PARKING = Parking("catalog")
