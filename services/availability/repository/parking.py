"""The parked messages of availability: the only record of what was refused."""

from shared.postgres.parking import Parking

PARKING = Parking("availability")
