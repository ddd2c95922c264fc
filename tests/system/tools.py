"""Programs that are no Python packages: from the PATH, else from Debian's packages, unpacked into
the user's cache. Nothing is installed and no root is needed.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from shared.runtime.infrastructure.embedded import cache_folder

APT_SECONDS = 180.0
COMPOSE_PLUGIN = "usr/libexec/docker/cli-plugins/docker-compose"


class MissingToolError(Exception):
    """A program that this machine neither has nor can fetch; says which and what to install."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A command line, and what its environment needs beside."""

    arguments: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)

    def run(self, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        """Run it to its end; the caller looks at the status."""
        return subprocess.run(
            [*self.arguments, *arguments], capture_output=True, text=True, timeout=60, check=False,
            env={**os.environ, **self.environment, **environment},
        )  # fmt: skip


def program(name: str, *, package: str) -> Tool:
    """A program by its name. Raises MissingToolError."""
    found = shutil.which(name)
    # Written in Go, it needs nothing beside itself.
    return Tool(arguments=[found or str(unpacked(package, alone=True) / "usr" / "bin" / name)])


def compose() -> Tool:
    """Docker Compose: Docker's plugin, the program alone, or Debian's package of either.

    None of them needs an engine to read a file. Raises MissingToolError.
    """
    plugin = Tool(arguments=["docker", "compose"])
    if shutil.which("docker") and plugin.run("version").returncode == 0:
        return plugin
    found = shutil.which("docker-compose")
    if found:
        return Tool(arguments=[found])
    folder = unpacked("docker-compose", alone=False)
    if (folder / COMPOSE_PLUGIN).exists():
        return Tool(arguments=[str(folder / COMPOSE_PLUGIN)])
    # The first generation is written in Python, and belongs to Debian's own.
    return Tool(
        arguments=["/usr/bin/python3", str(folder / "usr" / "bin" / "docker-compose")],
        environment={"PYTHONPATH": str(folder / "usr" / "lib" / "python3" / "dist-packages")},
    )


def unpacked(package: str, *, alone: bool) -> Path:
    """The folder of a Debian package, unpacked once; with what it needs and the machine lacks
    unless it is wanted `alone`. Raises MissingToolError.
    """
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise MissingToolError(
            f"Install {package}: it isn't on the PATH, and there is no apt-get here."
        )
    home = cache_folder(None, Path(".stocktide")) / "tools"
    folder = home / package
    if folder.exists():
        return folder
    fresh = home / f"{package}.{os.getpid()}"
    shutil.rmtree(fresh, ignore_errors=True)
    debs = fresh / "debs"
    debs.mkdir(parents=True)
    options = _lists(home / "apt")
    _apt(["update", *options], debs)
    plan = _apt(["install", "--simulate", "--no-install-recommends", *options, package], debs)
    names = [package] if alone else re.findall(r"^Inst (\S+)", plan, re.MULTILINE)
    _apt(["download", *options, *names], debs)
    for archive in debs.glob("*.deb"):
        subprocess.run(["dpkg-deb", "--extract", archive, fresh], check=True, timeout=60)
    shutil.rmtree(debs)
    fresh.rename(folder)  # whole or not at all
    return folder


def _lists(folder: Path) -> list[str]:
    """apt's lists in a folder of ours: the machine's own can only be brought up to date by root."""
    (folder / "lists" / "partial").mkdir(parents=True, exist_ok=True)
    return ["-o", f"Dir::State::lists={folder / 'lists'}", "-o", f"Dir::Cache={folder}",
            "-o", "APT::Sandbox::User=root"]  # fmt: skip


def _apt(arguments: Sequence[str], folder: Path) -> str:
    done = subprocess.run(
        ["apt-get", "--quiet", *arguments], cwd=folder, capture_output=True, text=True,
        timeout=APT_SECONDS, check=False, env={**os.environ, "LC_ALL": "C"},
    )  # fmt: skip
    if done.returncode != 0:
        raise MissingToolError(f"apt-get {arguments[0]} failed: {done.stderr.strip()[-400:]}")
    return done.stdout
