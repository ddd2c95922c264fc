"""Settings of publication: `STOCKTIDE_PUBLICATION_…` or the table `[publication]`."""

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr
from pydantic_settings import SettingsConfigDict

from shared.runtime.settings import Settings

LAG_SECONDS_MAX = 900.0


class BlindShop(BaseModel):
    """A channel that is told a quantity whatever it shows: its next sales are allowed for.

    `hold_back` is how likely the sales on their way to us are covered; 0 holds nothing back.
    `lag_seconds`, from an order at the shop to its figure, is assumed until it has been measured.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    hold_back: float = Field(0.95, ge=0, le=0.9999)
    lag_seconds: float = Field(5.0, gt=0, le=LAG_SECONDS_MAX)


class WooCommerceShop(BlindShop):
    """How one WooCommerce shop is reached. The key pair comes from its settings page."""

    kind: Literal["woocommerce"]
    url: str = Field(pattern=r"^https?://[^\s]+$")
    key: SecretStr
    secret: SecretStr
    batch_max: int = Field(100, ge=1, le=100)
    calls_at_once: int = Field(1, ge=1, le=8)
    calls_per_second: float | None = Field(None, gt=0)
    timeout_seconds: float = Field(5.0, gt=0, le=60)


# From 2026-01 on a quantity is compared with `changeFromQuantity`, and a call has its key.
VERSIONS = r"^((202[6-9]|20[3-9][0-9])-(01|04|07|10)|unstable)$"


class ShopifyShop(BaseModel):
    """How one Shopify shop is reached, and its location that is fed.

    The token is that of an app with `read_inventory` and `write_inventory`; the name of its header
    is (unverified).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["shopify"]
    url: str = Field(pattern=r"^https?://[^\s]+$")
    access_token: SecretStr
    location_id: str = Field(pattern=r"^(gid://shopify/Location/)?[0-9]{1,18}$")
    api_version: str = Field("2026-04", pattern=VERSIONS)
    token_header: str = Field("X-Shopify-Access-Token", pattern=r"^[A-Za-z0-9-]+$")
    batch_max: int = Field(250, ge=1, le=250)
    calls_at_once: int = Field(1, ge=1, le=8)
    timeout_seconds: float = Field(5.0, gt=0, le=60)


class MiraklShop(BlindShop):
    """How a shop on one Mirakl marketplace is reached, and how often.

    The documented limits are one import and one report a minute and one look at a status in 15
    seconds. Shorter intervals are for simulators: a marketplace's operator would object.
    """

    kind: Literal["mirakl"]
    url: str = Field(pattern=r"^https?://[^\s]+$")
    api_key: SecretStr
    shop_id: int | None = Field(None, ge=1)
    warehouse_code: str = Field("", max_length=100)
    batch_max: int = Field(50_000, ge=1, le=100_000)
    import_seconds: float = Field(61.0, gt=0)
    status_seconds: float = Field(16.0, gt=0)
    report_seconds: float = Field(61.0, gt=0)
    patience_seconds: float = Field(1_800.0, ge=60)
    timeout_seconds: float = Field(30.0, gt=0, le=60)
    lag_seconds: float = Field(120.0, gt=0, le=LAG_SECONDS_MAX)


Shop = Annotated[WooCommerceShop | ShopifyShop | MiraklShop, Field(discriminator="kind")]


class PublicationSettings(Settings):
    """Which channels are told, how, and where publication's HTTP listens."""

    section: ClassVar[str] = "publication"
    model_config = SettingsConfigDict(env_prefix="STOCKTIDE_PUBLICATION_")

    port: int = Field(8731, ge=0, le=65535, description="HTTP of publication")
    channels: dict[str, Shop] = Field(
        default_factory=dict,
        description='JSON: {"<channel>": {"kind": "woocommerce", "url": …, "key": …, "secret": …}}',
    )
    batch_max: int = Field(2_000, ge=1, le=20_000, description="messages of one batch at most")
    lease_seconds: float = Field(9.0, gt=0, description="how long a channel stays owned unrenewed")
    renew_seconds: float = Field(2.0, gt=0, description="how often its lease is renewed")
    heard_after_seconds: float = Field(
        1.0, gt=0, le=60,
        description="how long after the ledger's answer every figure includes an order",
    )  # fmt: skip
    unheard_seconds_max: float = Field(
        900.0, gt=0, description="how long a channel's sale may stay unheard before it is dropped"
    )
    demand_seconds: float = Field(
        600.0, ge=1, le=86_400,
        description="how long a sale counts as demand where a channel cannot compare",
    )  # fmt: skip
    keep_days: int = Field(
        30, ge=2, le=3_650, description="how long closed attempts and order lines are kept"
    )
