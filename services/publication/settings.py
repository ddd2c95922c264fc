"""Settings of publication: `STOCKTIDE_PUBLICATION_…` or the table `[publication]`."""

from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr
from pydantic_settings import SettingsConfigDict

from shared.runtime.settings import Settings


class WooCommerceShop(BaseModel):
    """How one WooCommerce shop is reached. The key pair comes from its settings page."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["woocommerce"]
    url: str = Field(pattern=r"^https?://[^\s]+$")
    key: SecretStr
    secret: SecretStr
    batch_max: int = Field(100, ge=1, le=100)
    calls_at_once: int = Field(1, ge=1, le=8)
    calls_per_second: float | None = Field(None, gt=0)
    timeout_seconds: float = Field(5.0, gt=0, le=60)


class PublicationSettings(Settings):
    """Which channels are told, how, and where publication's HTTP listens."""

    section: ClassVar[str] = "publication"
    model_config = SettingsConfigDict(env_prefix="STOCKTIDE_PUBLICATION_")

    port: int = Field(8731, ge=0, le=65535, description="HTTP of publication")
    channels: dict[str, WooCommerceShop] = Field(
        default_factory=dict,
        description='JSON: {"<channel>": {"kind": "woocommerce", "url": …, "key": …, "secret": …}}',
    )
    batch_max: int = Field(2_000, ge=1, le=20_000, description="messages of one batch at most")
    lease_seconds: float = Field(9.0, gt=0, description="how long a channel stays owned unrenewed")
    renew_seconds: float = Field(2.0, gt=0, description="how often its lease is renewed")
