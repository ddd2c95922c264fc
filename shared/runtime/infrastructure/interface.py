"""What every provider gives: addresses, who serves them, and errors that name a way out."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal, Protocol

Part = Literal["kafka", "postgres", "redis"]
PARTS: tuple[Part, ...] = ("kafka", "postgres", "redis")

Provider = Literal["given", "embedded", "docker"]
Providers = Mapping[Part, Provider]  # who serves which part: for printing and for reports

Progress = Callable[[str], None]  # told one sentence at a time; called from the starting thread


class InfrastructureError(Exception):
    """A server that cannot be had; the message says why, and what to do about it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where the three servers are: what every service is given.

    `kafka` is bootstrap servers (host:port), `postgres` a DSN, `redis` a URL with its database.
    The last two may hold passwords and stay out of `repr`.
    """

    kafka: str
    postgres: str = field(repr=False)
    redis: str = field(repr=False)

    def __post_init__(self) -> None:
        assert self.kafka, "Kafka has an address"
        assert self.postgres, "PostgreSQL has an address"
        assert self.redis, "Redis has an address"


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenAddresses:
    """The addresses that the environment names (STOCKTIDE_KAFKA, …); None is "not given"."""

    kafka: str | None = None
    postgres: str | None = field(default=None, repr=False)
    redis: str | None = field(default=None, repr=False)

    def named(self) -> dict[Part, str]:
        """The given parts alone. An empty value counts as not given."""
        pairs: tuple[tuple[Part, str | None], ...] = (
            ("kafka", self.kafka),
            ("postgres", self.postgres),
            ("redis", self.redis),
        )
        return {part: address for part, address in pairs if address}


class Infrastructure(Protocol):
    """A provider, or several side by side: started once, stopped once, both blocking."""

    @property
    def name(self) -> str:
        """ "given", "embedded", "docker", or several joined by " + "."""
        ...

    @property
    def providers(self) -> Providers:
        """Which provider serves which part."""
        ...

    def start(self, progress: Progress = ...) -> Addresses:
        """Start what is not given and return when all three answer a real query.

        Raises InfrastructureError, after having stopped what was already started.
        """
        ...

    def stop(self) -> None:
        """Stop what was started here, keeping its data; nothing to do is no error."""
        ...


def addresses_of(parts: Mapping[Part, str]) -> Addresses:
    """The three addresses by name; all must be there."""
    return Addresses(kafka=parts["kafka"], postgres=parts["postgres"], redis=parts["redis"])


def silent(sentence: str) -> None:
    """Progress that nobody listens to."""
    del sentence


@contextmanager
def started(infrastructure: Infrastructure, progress: Progress = silent) -> Iterator[Addresses]:
    """Start on entry, stop on exit, however the block ends."""
    addresses = infrastructure.start(progress)
    try:
        yield addresses
    finally:
        infrastructure.stop()


def described(providers: Providers) -> str:
    """One line for a person: "kafka embedded, postgres given, redis embedded"."""
    return ", ".join(f"{part} {providers[part]}" for part in PARTS)
