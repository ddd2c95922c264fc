"""The parked messages of publication."""

from shared.postgres.parking import Parking

PARKING = Parking("publication")
