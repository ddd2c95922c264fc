"""Failures of what a command uses, as a sentence with its way out and an exit status."""

import errno

import asyncpg
from aiokafka.errors import KafkaError
from pydantic import ValidationError

from services.cli.exits import Exit
from services.cli.texts import tr
from shared.postgres.migrations import MigrationError
from shared.runtime.infrastructure import InfrastructureError
from shared.runtime.settings import SettingsError

AWAY = (
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.TooManyConnectionsError,
    asyncpg.InterfaceError,
)
WAYS_OUT = {
    errno.ENOSPC: "The disk is full: free some space, or set STOCKTIDE_DATA to another disk.",
    errno.EADDRINUSE: "Another program has the port: end it, or set the service's port variable "
    "(`stocktide config show` lists them).",
    errno.EACCES: "You may not write there: name a folder of yours with STOCKTIDE_DATA.",
    errno.EROFS: "The file system is read-only: name another folder with STOCKTIDE_DATA.",
}


def explained(error: Exception) -> tuple[str, Exit]:
    """The sentence and the status of an error that nobody else has turned into a CommandError.

    What isn't expected is raised again: a bug should show its traceback.
    """
    if isinstance(error, InfrastructureError):
        return str(error), Exit.NO_SERVERS
    if isinstance(error, SettingsError):
        return str(error), Exit.USAGE
    if isinstance(error, ValidationError) and error.title.endswith("Settings"):
        return _wrong_setting(error), Exit.USAGE
    if isinstance(error, MigrationError):
        return str(error), Exit.FAILED
    if isinstance(error, KafkaError):
        told = tr("Kafka: {error!r}. Look whether it runs: `stocktide status`.", error=error)
        return told, Exit.NO_SERVERS
    if isinstance(error, AWAY):
        told = tr("PostgreSQL: {error}. Look whether it runs: `stocktide status`.", error=error)
        return told, Exit.NO_SERVERS
    if isinstance(error, OSError) and error.errno in WAYS_OUT:
        what = f"{error.strerror} ({error.filename or tr('no file')})."
        return f"{what} {tr(WAYS_OUT[error.errno])}", Exit.FAILED
    raise error


def _wrong_setting(error: ValidationError) -> str:
    """Which variable, and what it may be; never its value, which may be a secret."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    section = error.title.removesuffix("Settings").upper()
    parts = [] if section == "STACK" else [section]
    name = "_".join(["STOCKTIDE", *parts, *(str(part).upper() for part in first["loc"][:1])])
    return tr("{name} is wrong: {why}. .env.example tells what it may be.", name=name,
              why=first["msg"])  # fmt: skip
