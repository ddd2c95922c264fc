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
