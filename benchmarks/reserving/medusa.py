"""Peer: Medusa's own reservation workflow, from npm; null with the reason where it cannot run."""

import asyncio
import hashlib
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from benchmarks.reserving.outcome import Outcome
from benchmarks.stack import FOLDER
from shared.postgres.connecting import connect
from shared.runtime.infrastructure.embedded import cache_folder

SOURCE = Path(__file__).parents[1] / "peers" / "medusa"
DATABASE = "stocktide_peer_medusa"
INSTALL_SECONDS = 300.0
ITEMS_MAX = 500  # its own creation of more takes longer than the measurement

Run = Callable[[Sequence[str], str, Path], Outcome]


class CannotRunError(Exception):
    """Why Medusa is not measured here."""


def measured(
    dsn: str, runs: Sequence[tuple[int, int, int]], run: Run, say: Callable[[str], None]
) -> list[Outcome]:
    """Each run's outcome (SKUs, callers, seconds), in a database that is made and dropped.

    `run` starts a program with a DSN in a folder. Raises CannotRunError and what `run` raises.
    """
    node = shutil.which("node")
    if node is None:
        raise CannotRunError("Node.js is not installed")
    folder = _installed(say)
    own = urlunsplit(urlsplit(dsn)._replace(path=f"/{DATABASE}"))
    found = []
    for skus, callers, seconds in runs:
        asyncio.run(_execute(dsn, f"drop database if exists {DATABASE} with (force)"))
        asyncio.run(_execute(dsn, f"create database {DATABASE}"))
        arguments = map(str, (min(skus, ITEMS_MAX), callers, seconds))
        found.append(run([node, "holds.js", *arguments], own, folder))
    asyncio.run(_execute(dsn, f"drop database {DATABASE} with (force)"))
    return found


def _installed(say: Callable[[str], None]) -> Path:
    """The folder with Medusa in it: in the user's cache, by what it was made from."""
    npm = shutil.which("npm")
    if npm is None:
        raise CannotRunError("npm is not installed")
    lock = (SOURCE / "package-lock.json").read_bytes()
    folder = cache_folder(None, FOLDER) / f"medusa-{hashlib.sha256(lock).hexdigest()[:12]}"
    if not (folder / "installed").exists():
        say("peer: Medusa is installed, once (some 300 MB)")
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(SOURCE / name, folder / name)
        try:
            done = subprocess.run(
                [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder,
                capture_output=True, text=True, check=False, timeout=INSTALL_SECONDS,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise CannotRunError(f"npm was not done in {INSTALL_SECONDS:.0f} s") from error
        if done.returncode:
            raise CannotRunError(f"npm ended with {done.returncode}: {done.stderr[-300:]}")
        (folder / "installed").touch()
    shutil.copy(SOURCE / "holds.js", folder / "holds.js")
    return folder


async def _execute(dsn: str, statement: str) -> None:
    connection = await connect(dsn, application="stocktide-benchmarks", statement_timeout="60s")
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
