"""Servers in Docker containers, through testcontainers; only when asked for."""

from collections.abc import Callable, Mapping
from contextlib import suppress

# Any: testcontainers ships no types that mypy can follow.
from typing import Any

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

IMAGES: Mapping[Part, str] = {
    "kafka": "confluentinc/cp-kafka:7.9.0",
    "postgres": "postgres:18-alpine",
    "redis": "valkey/valkey:8-alpine",
}
KAFKA_START_SECONDS = 90
NAME = "stocktide"  # role, password and database: the container lives as long as we do


class Docker:
    """Containers for the parts that are not given; they are removed with their data at the end."""

    def __init__(self, *, given: Mapping[Part, str]) -> None:
        self._given = dict(given)
        self._containers: list[Any] = []

    @property
    def name(self) -> str:
        return "given + docker" if self._given else "docker"

    @property
    def providers(self) -> Providers:
        return {part: "given" if part in self._given else "docker" for part in PARTS}

    def start(self, progress: Progress = silent) -> Addresses:
        """Pull what is missing, start, wait. Raises InfrastructureError without an engine."""
        starters: Mapping[Part, Callable[[], str]] = {
            "kafka": self._kafka,
            "postgres": self._postgres,
            "redis": self._redis,
        }
        found = dict(self._given)
        for part in PARTS:
            if part in found:
                continue
            progress(f"Starting {IMAGES[part]} in Docker.")
            try:
                found[part] = starters[part]()
            except ImportError as error:
                raise InfrastructureError(
                    "testcontainers is not installed. Install `stocktide[docker]`, or leave "
                    "STOCKTIDE_DOCKER unset to have embedded servers."
                ) from error
            except Exception as error:  # whatever the engine's client raises, it means: no server
                self.stop()
                raise InfrastructureError(
                    f"Docker cannot run {IMAGES[part]} ({error}). Start the Docker engine, let "
                    "this user use it (DOCKER_HOST), or leave STOCKTIDE_DOCKER unset to have "
                    "embedded servers, which need no Docker."
                ) from error
        return addresses_of(found)

    def stop(self) -> None:
        """Remove the containers, the last one first."""
        while self._containers:
            container = self._containers.pop()
            with suppress(Exception):  # it may never have started
                container.stop()

    def _run(self, container: Any, **options: int) -> Any:
        self._containers.append(container)
        return container.start(**options)

    def _kafka(self) -> str:
        from testcontainers.community.kafka import KafkaContainer

        container = KafkaContainer(IMAGES["kafka"]).with_kraft()
        container.with_env("KAFKA_AUTO_CREATE_TOPICS_ENABLE", "false")
        container.with_env("KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR", "1")
        container.with_env("KAFKA_TRANSACTION_STATE_LOG_MIN_ISR", "1")
        return str(self._run(container, timeout=KAFKA_START_SECONDS).get_bootstrap_server())

    def _postgres(self) -> str:
        from testcontainers.community.postgres import PostgresContainer

        container = PostgresContainer(
            IMAGES["postgres"], username=NAME, password=NAME, dbname=NAME, driver=None
        )
        return str(self._run(container).get_connection_url())

    def _redis(self) -> str:
        from testcontainers.community.redis import RedisContainer

        container = self._run(RedisContainer(IMAGES["redis"]))
        host, port = container.get_container_host_ip(), container.get_exposed_port(6379)
        return f"redis://{host}:{port}/0"
