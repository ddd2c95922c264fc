"""Kafka, PostgreSQL and Redis from three providers: given addresses, embedded, Docker."""

from shared.runtime.infrastructure.choosing import choose
from shared.runtime.infrastructure.embedded import Embedded, attach, running, stop_running, wipe
from shared.runtime.infrastructure.interface import (
    PARTS,
    Addresses,
    GivenAddresses,
    Infrastructure,
    InfrastructureError,
    Part,
    Progress,
    Providers,
    described,
    started,
)

__all__ = [
    "PARTS",
    "Addresses",
    "Embedded",
    "GivenAddresses",
    "Infrastructure",
    "InfrastructureError",
    "Part",
    "Progress",
    "Providers",
    "attach",
    "choose",
    "described",
    "running",
    "started",
    "stop_running",
    "wipe",
]
