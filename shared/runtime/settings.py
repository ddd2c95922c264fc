"""Settings: flags, then environment, then `.env`, then `stocktide.toml`, then defaults."""

import os
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from dotenv import dotenv_values
from pydantic import Field, SecretStr
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

PREFIX = "STOCKTIDE_"
ENV_FILE = ".env"
TOML_FILE = "stocktide.toml"


class SettingsError(Exception):
    """A setting that nobody knows, or a value that does not fit; says which and what to do."""


class _Section(TomlConfigSettingsSource):
    """One table of `stocktide.toml`: the top level for the stack, `[name]` for a service."""

    def __init__(self, settings_cls: type[BaseSettings], section: str) -> None:
        super().__init__(settings_cls, Path(TOML_FILE))
        values: dict[str, Any] = self.init_kwargs  # pydantic-settings' own type
        found = values.get(section, {}) if section else values
        self.init_kwargs = {k: v for k, v in found.items() if not isinstance(v, dict)}


class Settings(BaseSettings):
    """Base of every settings class. A subclass names its `section`: "" for the stack itself."""

    section: ClassVar[str] = ""
    model_config = SettingsConfigDict(
        frozen=True, env_prefix=PREFIX, env_file=ENV_FILE, extra="ignore"
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The order of precedence, highest first."""
        del file_secret_settings
        section = _Section(settings_cls, cls.section)
        return init_settings, env_settings, dotenv_settings, section

    @classmethod
    def variable(cls, field: str) -> str:
        """The environment variable that sets `field`."""
        return (str(cls.model_config.get("env_prefix")) + field).upper()


class StackSettings(Settings):
    """What every process is told: where the servers are, and how to speak."""

    kafka: str | None = Field(None, description="bootstrap servers, host:port[,host:port]")
    postgres: SecretStr | None = Field(None, description="DSN, postgresql://user:password@host/db")
    redis: SecretStr | None = Field(None, description="URL of Redis or Valkey, redis://host:port/0")
    docker: bool = Field(
        default=False, description="start what is not given in Docker, not embedded"
    )
    data: Path = Field(Path(".stocktide"), description="folder of embedded data and logs")
    host: str = Field("127.0.0.1", description="where HTTP servers listen")
    log_level: str = Field("INFO", description="DEBUG, INFO, WARNING or ERROR")
    language: Literal["en", "fr"] | None = Field(
        None, description="en or fr: what people see; default: the locale's"
    )
    supervisor: str | None = Field(None, description="set by `stocktide up` in its children")
    cache: Path | None = Field(None, description="folder of downloads; default: the user's cache")


def unknown_settings(
    classes: Iterable[type[Settings]],
    environ: Mapping[str, str] = os.environ,
    folder: Path = Path(),
) -> list[str]:
    """Every name in the environment, `.env` and `stocktide.toml` that no settings class knows."""
    known = {cls.variable(field) for cls in classes for field in cls.model_fields}
    names = dict.fromkeys(environ) | dict.fromkeys(dotenv_values(folder / ENV_FILE))
    found = [n for n in names if n.startswith(PREFIX) and n.upper() not in known]
    return [n for n in found if not n.startswith(f"{PREFIX}TEST_")] + _unknown_in_toml(
        classes, folder / TOML_FILE
    )


def _unknown_in_toml(classes: Iterable[type[Settings]], path: Path) -> list[str]:
    if not path.exists():
        return []
    try:
        content = tomllib.loads(path.read_text())
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path}: not valid TOML: {error}. Mend or remove the file.") from error
    sections = {cls.section: set(cls.model_fields) for cls in classes}
    unknown: list[str] = []
    for name, value in content.items():
        if isinstance(value, dict):
            fields = sections.get(name, set())
            unknown += [f"{path}: [{name}] {field}" for field in value if field not in fields]
        elif name not in sections.get("", set()):
            unknown.append(f"{path}: {name}")
    return unknown


def required(value: SecretStr | str | None, name: str) -> str:
    """The value of a setting that a service cannot do without. Raises SettingsError."""
    if value is None:
        raise SettingsError(
            f"{PREFIX}{name.upper()} is not set. `stocktide up` sets it for its children; a "
            f"service run alone needs the address in the environment, .env or {TOML_FILE}."
        )
    return value.get_secret_value() if isinstance(value, SecretStr) else value
