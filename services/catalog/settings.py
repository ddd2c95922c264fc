"""Settings of the catalog: `STOCKTIDE_CATALOG_…` or the table `[catalog]`."""

from typing import ClassVar

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from shared.runtime.settings import Settings


class CatalogSettings(Settings):
    """Where HTTP listens, who may import, and how much a file may hold."""

    section: ClassVar[str] = "catalog"
    model_config = SettingsConfigDict(env_prefix="STOCKTIDE_CATALOG_")

    port: int = Field(8761, ge=0, le=65535, description="HTTP of the catalog, and its probes")
    api_key: SecretStr | None = Field(
        None, description="asked of imports as a bearer token; none: whoever gets here may"
    )
    batch_max: int = Field(2_000, ge=1, le=10_000, description="messages of one batch at most")
    file_bytes_max: int = Field(
        268_435_456, ge=1_024, description="a file that is imported, as it is sent"
    )
    unpacked_bytes_max: int = Field(
        2_147_483_648, ge=1_024, description="a file that is imported, unpacked"
    )
    read_seconds: float = Field(600.0, gt=0, description="how long a file may take to arrive")
    answer_seconds: float = Field(
        10.0, ge=0, description="how long an import's report is waited for, before 202"
    )
