"""Settings of the ledger: `STOCKTIDE_LEDGER_…` or the table `[ledger]`."""

from datetime import timedelta
from decimal import Decimal
from typing import ClassVar

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from shared.contracts.holds import Purpose
from shared.runtime.settings import Settings


class LedgerSettings(Settings):
    """How large batches are, and where the ledger's HTTP listens."""

    section: ClassVar[str] = "ledger"
    model_config = SettingsConfigDict(env_prefix="STOCKTIDE_LEDGER_")

    batch_max: int = Field(10_000, ge=1, le=50_000, description="messages of one batch at most")
    batch_max_with_holds: int = Field(1_000, ge=1, description="the same while holds come in")
    worker_port: int = Field(8711, ge=0, le=65535, description="probes of the worker")
    api_port: int = Field(8712, ge=0, le=65535, description="HTTP of the api role")
    sweep_seconds: float = Field(30.0, gt=0, description="how often waiting messages are tried")
    months_ahead: int = Field(3, ge=1, description="months of movements made in advance")
    hold_ahead_hours: float = Field(
        0.0, ge=0, description="how long before it is wanted a line for later holds units"
    )
    hold_seconds: float = Field(
        900.0, gt=0, le=31_536_000, description="how long a hold lasts that doesn't say"
    )
    overdue_hours: dict[Purpose, float] = Field(
        {
            Purpose.CART: 2.0, Purpose.ORDER: 48.0, Purpose.IN_STORE: 96.0,
            Purpose.TRANSFER: 336.0, Purpose.RING_FENCE: 4320.0, Purpose.RECALL: 2160.0,
        },
        description="age in hours from which an open hold is reported, by kind; others never are",
    )  # fmt: skip
    recount_units: int = Field(
        10, ge=1, description="units from which a count that differs is to be done again"
    )
    recount_value: Decimal = Field(
        Decimal(100), gt=0, description="the same in value, in currency units at average cost"
    )
    transit_days: float = Field(
        7.0, gt=0, description="days after which what was dispatched should all have come"
    )
    supply_days: int = Field(
        30, ge=1, description="days for which a supply order that is over is still compared"
    )
    unmatched_hours: float = Field(
        24.0, gt=0, description="how long an observation may wait for the fact that it tells"
    )
    keep_observations_days: int = Field(
        90, ge=1, description="days for which observations are kept"
    )
    gap_seconds: float = Field(
        60.0, ge=0, description="age from which a missing number of a source counts as a gap"
    )
    silence_stop_after: int = Field(
        4, ge=1, description="silences of this many limits stop a location's offer at a distance"
    )
    keep_months: int = Field(
        0, ge=0, description="months of movements kept beside the present one; 0: all of them"
    )

    @property
    def transit_overdue_after(self) -> timedelta:
        """How long a transfer may be on its way."""
        return timedelta(days=self.transit_days)

    @property
    def supply_kept_for(self) -> timedelta:
        """How long a supply order that is over is still looked at."""
        return timedelta(days=self.supply_days)

    @property
    def overdue_after(self) -> dict[str, timedelta]:
        """How long each kind of hold may be open."""
        return {kind.value: timedelta(hours=hours) for kind, hours in self.overdue_hours.items()}
