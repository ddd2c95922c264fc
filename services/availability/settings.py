"""Settings of availability: `STOCKTIDE_AVAILABILITY_…` or the table `[availability]`."""

from enum import StrEnum
from typing import ClassVar

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from shared.runtime.settings import Settings


class Role(StrEnum):
    """What a process of availability does."""

    BOTH = "both"
    WORKER = "worker"
    API = "api"


class AvailabilitySettings(Settings):
    """What the process does, how large its batches are, and where it listens."""

    section: ClassVar[str] = "availability"
    model_config = SettingsConfigDict(env_prefix="STOCKTIDE_AVAILABILITY_")

    role: Role = Field(Role.BOTH, description="both, worker or api")
    batch_max: int = Field(10_000, ge=1, le=50_000, description="messages of one batch at most")
    port: int = Field(8721, ge=0, le=65535, description="HTTP, and the probes of every role")
    keys_per_call: int = Field(
        128, ge=1, le=1_000, description="keys in one call to Redis; 1 for Redis Cluster"
    )
    stream_keys_max: int = Field(
        10_000, ge=1, description="figures that wait for one slow reader of the stream at most"
    )
