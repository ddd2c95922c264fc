"""Settings of ingestion: `STOCKTIDE_INGESTION_…` or the table `[ingestion]`."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from shared.runtime.settings import Settings


class Shop(BaseModel):
    """A shop that sends webhooks. Two secrets are accepted while one replaces the other."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["woocommerce", "shopify"]
    secrets: Annotated[tuple[SecretStr, ...], Field(min_length=1, max_length=2)]

    @model_validator(mode="after")
    def _has_real_secrets(self) -> Self:
        if any(len(secret.get_secret_value()) < 16 for secret in self.secrets):
            raise ValueError("a webhook's secret has at least 16 characters")
        return self


class Marketplace(BaseModel):
    """A shop on a marketplace that sends no webhooks, and how often its orders are read.

    Mirakl's documented limit of OR11 is one list a minute: `pace_seconds` is shorter for
    simulators only. `first_days` is how far back the very first list goes. With `accepts` every
    order that waits for it is accepted once it is in the database.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["mirakl"]
    url: str = Field(pattern=r"^https?://[^\s]+$")
    api_key: SecretStr
    shop_id: int | None = Field(None, ge=1)
    accepts: bool = False
    poll_seconds: float = Field(61.0, gt=0)
    pace_seconds: float = Field(60.0, gt=0)
    overlap_seconds: float = Field(300.0, ge=0)
    first_days: int = Field(30, ge=0, le=3650)
    page_size: int = Field(100, ge=1, le=100)
    timeout_seconds: float = Field(10.0, gt=0, le=60)

    @model_validator(mode="after")
    def _keeps_the_pace(self) -> Self:
        if self.poll_seconds < self.pace_seconds:
            raise ValueError(f"poll_seconds is under the marketplace's pace, {self.pace_seconds} s")
        return self


class IngestionSettings(Settings):
    """Who may send what, how much of it, and where ingestion's HTTP listens."""

    section: ClassVar[str] = "ingestion"
    model_config = SettingsConfigDict(env_prefix="STOCKTIDE_INGESTION_")

    port: int = Field(8751, ge=0, le=65535, description="HTTP of ingestion")
    api_key: SecretStr | None = Field(
        None, description="asked of POST /v1/events as a bearer token; none: whoever gets here may"
    )
    shops: dict[str, Shop] = Field(
        default_factory=dict,
        description='JSON: {"<channel>": {"kind": "woocommerce"|"shopify", "secrets": ["…"]}}',
    )
    marketplaces: dict[str, Marketplace] = Field(
        default_factory=dict,
        description='JSON: {"<channel>": {"kind": "mirakl", "url": …, "api_key": …}}',
    )
    customer_key: SecretStr | None = Field(
        None, description="key of the hash that stands for a customer; none: nothing stands for him"
    )
    body_bytes_max: int = Field(1_048_576, ge=1_024, description="body of POST /v1/events")
    webhook_bytes_max: int = Field(4_194_304, ge=1_024, description="body of a webhook")
    read_seconds: float = Field(10.0, gt=0, description="how long a body may take to arrive")
    send_seconds: float = Field(5.0, gt=0, description="how long Kafka may take to acknowledge")
    sweep_seconds: float = Field(30.0, gt=0, description="how often waiting messages are tried")
    keep_hours: float = Field(72.0, gt=0, description="how long a delivery is kept after its use")

    @model_validator(mode="after")
    def _keeps_shops_apart(self) -> Self:
        """A body signed for one shop must not pass for another's."""
        secrets = [s.get_secret_value() for shop in self.shops.values() for s in shop.secrets]
        if len(set(secrets)) < len(secrets):
            raise ValueError("two shops, or one shop twice, have the same webhook secret")
        return self

    @model_validator(mode="after")
    def _hears_of_a_channel_by_one_road(self) -> Self:
        if both := set(self.shops) & set(self.marketplaces):
            raise ValueError(f"{min(both)!r} is a shop and a marketplace")
        return self
