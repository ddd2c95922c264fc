"""Migrations: numbered SQL files of one service, each applied once, in order."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from shared.postgres.connecting import Connection

NAME = re.compile(r"^(\d{4})_[a-z0-9_]+\.sql$")
LOCK_KEY = 0x57_0C_4B_71_DE  # any fixed number: one migration at a time in one database

CREATE_JOURNAL = """
create table if not exists public.stocktide_migrations (
    service text not null, number integer not null, name text not null, sha256 text not null,
    applied_at timestamptz not null default now(), primary key (service, number))
"""


class MigrationError(Exception):
    """A migration that was changed after it had been applied, or a gap in the numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One file `NNNN_verb_noun.sql`."""

    number: int
    name: str
    sql: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrations_of(folder: Path) -> list[Migration]:
    """The service's migrations in order. Raises MigrationError on a wrong name or a gap."""
    found: list[Migration] = []
    for path in sorted(folder.glob("*.sql")):
        match = NAME.match(path.name)
        if match is None or int(match[1]) != len(found) + 1:
            raise MigrationError(f"{path}: expected {len(found) + 1:04d}_verb_noun.sql")
        found.append(Migration(number=len(found) + 1, name=path.name, sql=path.read_text()))
    return found


async def migrate(connection: Connection, service: str, folder: Path) -> list[str]:
    """Apply what is missing; returns the names applied now.

    Several processes may call it at once: an advisory lock lets one through at a time.
    Raises MigrationError when an applied file was changed since.
    """
    applied_now: list[str] = []
    async with connection.transaction():
        await connection.execute("set local lock_timeout = '60s'; set local statement_timeout = 0")
        await connection.execute("select pg_advisory_xact_lock($1)", LOCK_KEY)
        await connection.execute(CREATE_JOURNAL)
        rows = await connection.fetch(
            "select number, sha256 from public.stocktide_migrations where service = $1", service
        )
        applied = {row["number"]: row["sha256"] for row in rows}
        for migration in migrations_of(folder):
            if migration.number in applied:
                _require_unchanged(service, migration, applied[migration.number])
                continue
            await connection.execute(migration.sql)
            await connection.execute(
                "insert into public.stocktide_migrations (service, number, name, sha256)"
                " values ($1, $2, $3, $4)",
                service, migration.number, migration.name, migration.sha256,
            )  # fmt: skip
            applied_now.append(migration.name)
    return applied_now


def _require_unchanged(service: str, migration: Migration, sha256: str) -> None:
    if migration.sha256 != sha256:
        raise MigrationError(
            f"{service}/{migration.name} was changed after it had been applied. "
            "Restore the file, and put the change into a new migration."
        )
