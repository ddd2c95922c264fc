"""Servers that someone else runs: their addresses come from the environment."""

import socket
from collections.abc import Mapping
from urllib.parse import urlsplit

from shared.runtime.infrastructure.interface import (
    PARTS,
    Addresses,
    InfrastructureError,
    Part,
    Progress,
    Providers,
    addresses_of,
    silent,
)

CONNECT_SECONDS = 5.0
DEFAULT_PORTS: Mapping[Part, int] = {"kafka": 9092, "postgres": 5432, "redis": 6379}


def hosts_of(part: Part, address: str) -> list[tuple[str, int]]:
    """The (host, port) pairs an address names.

    Raises InfrastructureError for an address of another form.
    """
    entries = address.split(",") if part == "kafka" else [address]
    found = []
    for entry in entries:
        parsed = urlsplit(f"//{entry.strip()}" if part == "kafka" else entry)
        try:
            host, port = parsed.hostname, parsed.port
        except ValueError:
            host, port = None, None
        if not host:
            raise InfrastructureError(
                f"STOCKTIDE_{part.upper()} is not an address: write "
                + {
                    "kafka": "host:port[,host:port …]",
                    "postgres": "postgresql://user:password@host:port/database",
                    "redis": "redis://host:port/0",
                }[part]
                + "."
            )
        found.append((host, port or DEFAULT_PORTS[part]))
    return found


def check_reachable(part: Part, address: str) -> None:
    """Open and close one connection. Raises InfrastructureError when no named host takes it."""
    reason = ""
    for host, port in hosts_of(part, address):
        try:
            socket.create_connection((host, port), CONNECT_SECONDS).close()
        except OSError as error:
            reason = f"{host}:{port}: {error}"
        else:
            return
    raise InfrastructureError(
        f"The {part} server that STOCKTIDE_{part.upper()} names does not answer ({reason}). Start "
        "it, correct the address, or unset the variable to have an embedded one."
    )


class Given:
    """All three servers are given."""

    def __init__(self, addresses: Mapping[Part, str]) -> None:
        self._addresses = addresses_of(addresses)

    @property
    def name(self) -> str:
        return "given"

    @property
    def providers(self) -> Providers:
        return dict.fromkeys(PARTS, "given")

    def start(self, progress: Progress = silent) -> Addresses:
        """Look whether all three answer; start nothing."""
        del progress
        check_reachable("kafka", self._addresses.kafka)
        check_reachable("postgres", self._addresses.postgres)
        check_reachable("redis", self._addresses.redis)
        return self._addresses

    def stop(self) -> None:
        """They are not ours."""
