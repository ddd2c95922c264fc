"""Settings of orders: `STOCKTIDE_ORDERS_…` or the table `[orders]`."""

from typing import ClassVar

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from shared.runtime.settings import Settings


class OrdersSettings(Settings):
    """How large batches are, and where HTTP listens."""

    section: ClassVar[str] = "orders"
    model_config = SettingsConfigDict(env_prefix="STOCKTIDE_ORDERS_")

    batch_max: int = Field(500, ge=1, le=10_000, description="messages of one batch at most")
    port: int = Field(8741, ge=0, le=65535, description="HTTP of orders, and its probes")
