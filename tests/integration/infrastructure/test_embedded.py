"""The embedded servers end with their parent, find their data again, and heal what was left."""

import json
import os
import signal
import socket
import sys
from pathlib import Path

import asyncpg
import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from shared.runtime.infrastructure import (
    Embedded,
    InfrastructureError,
    attach,
    running,
    started,
    stop_running,
    wipe,
)
from shared.runtime.infrastructure.folder import LOCK, PORTS, STATE, DataFolder
from shared.runtime.infrastructure.supervision import LAUNCH
from tests.integration.infrastructure.conftest import (
    WITHOUT_KAFKA,
    Hold,
    wait_until,
    wait_until_all_ended,
)

NO_NETWORK = {"HTTPS_PROXY": "http://127.0.0.1:1", "HTTP_PROXY": "http://127.0.0.1:1"}


async def _write_row(dsn: str, text: str) -> None:
    connection = await asyncpg.connect(dsn)
    await connection.execute("create table if not exists notes (text text)")
    await connection.execute("insert into notes values ($1)", text)
    await connection.close()


async def _rows(dsn: str) -> list[str]:
    connection = await asyncpg.connect(dsn)
    found = await connection.fetch("select text from notes order by text")
    await connection.close()
    return [row["text"] for row in found]


async def _send(bootstrap: str, topic: str, value: bytes) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(topic, num_partitions=1, replication_factor=1)])
    await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all") as producer:
        await producer.send_and_wait(topic, value, partition=0)


async def _read(bootstrap: str, topic: str) -> object:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    async with consumer:
        consumer.assign([TopicPartition(topic, 0)])
        return (await consumer.getone()).value


async def test_data_survives_kill_9_of_the_parent_and_a_restart(
    folder: Path, hold: Hold, tmp_path: Path
) -> None:
    first = hold(given={}, environment={"PATH": str(tmp_path / "nothing"), **NO_NETWORK})
    await _write_row(first.addresses.postgres, "one")
    await _send(first.addresses.kafka, "notes", b"one")

    first.kill()
    wait_until_all_ended(folder)
    with started(Embedded(folder)) as second:
        rows, message = await _rows(second.postgres), await _read(second.kafka, "notes")
        await _write_row(second.postgres, "two")
    with started(Embedded(folder)) as third:
        rows_later = await _rows(third.postgres)
        message_later = await _read(third.kafka, "notes")

    assert (rows, message) == (["one"], b"one")
    assert (rows_later, message_later) == (["one", "two"], b"one")
    assert first.addresses == second == third, "ports and password are kept"


async def test_servers_listen_on_loopback_only_and_end_with_a_killed_guardian(
    folder: Path, hold: Hold
) -> None:
    holder = hold(given={})
    await _write_row(holder.addresses.postgres, "one")
    state = DataFolder(folder).read_state()
    assert state is not None
    listening = {
        (name, connection.laddr.ip)
        for name, record in state.servers.items()
        for connection in psutil.Process(record.pid).net_connections()
        if connection.status == psutil.CONN_LISTEN
    }

    os.kill(state.guardian.pid, signal.SIGKILL)
    wait_until_all_ended(folder)
    holder.kill()
    with started(Embedded(folder, given=WITHOUT_KAFKA)) as healed:
        rows = await _rows(healed.postgres)

    assert {name for name, _ in listening} == {"kafka", "postgres", "redis"}
    assert {ip.removeprefix("::ffff:") for _, ip in listening} == {"127.0.0.1"}
    assert rows == ["one"]


def test_a_second_start_is_refused_with_the_holder_s_name_and_may_attach(
    folder: Path, hold: Hold
) -> None:
    holder = hold()

    with pytest.raises(InfrastructureError, match=f"process {holder.process.pid} ") as refused:
        Embedded(folder).start()
    with pytest.raises(InfrastructureError, match="in use"):
        wipe(folder)
    found, stopped = attach(folder), stop_running(folder)

    assert "stocktide down" in str(refused.value)
    assert found == holder.addresses
    assert stopped
    assert running(folder) is None
    assert not stop_running(folder)


def test_a_start_waits_for_a_stack_that_is_just_ending(folder: Path, hold: Hold) -> None:
    first = hold()

    first.kill()
    second = hold()

    assert second.addresses == first.addresses


def test_what_a_crash_left_behind_is_no_obstacle(folder: Path) -> None:
    with started(Embedded(folder, given=WITHOUT_KAFKA)) as first:
        pass
    impostor = {"pid": os.getpid(), "created": 1.0}  # a pid that is someone else's by now
    (folder / LOCK).write_text("12345")
    (folder / STATE).write_text(
        json.dumps(
            {"stage": "ready", "guardian": impostor, "parent": impostor,
             "servers": {"redis": impostor}, "addresses": {}}
        )
    )  # fmt: skip
    (folder / "postgres" / "data" / "postmaster.pid").write_text(f"{os.getppid()}\n")
    (folder / "postgres" / "data.new").mkdir()

    assert running(folder) is None
    with started(Embedded(folder, given=WITHOUT_KAFKA)) as second:
        assert second == first


def test_a_port_that_someone_else_took_is_replaced(folder: Path) -> None:
    with started(Embedded(folder, given=WITHOUT_KAFKA)) as first:
        pass
    port = json.loads((folder / PORTS).read_text())["valkey"]

    taken = socket.create_server(("127.0.0.1", port))
    with taken, started(Embedded(folder, given=WITHOUT_KAFKA)) as second:
        pass

    assert second.postgres == first.postgres
    assert second.redis != first.redis


@pytest.mark.parametrize("way", ["kill", "restart"])
async def test_a_server_that_ends_is_started_again_on_its_port(folder: Path, way: str) -> None:
    infrastructure = Embedded(folder, given=WITHOUT_KAFKA)
    with started(infrastructure) as addresses:
        await _write_row(addresses.postgres, "one")
        before = infrastructure.pid("postgres")

        getattr(infrastructure, way)("postgres")
        wait_until(lambda: infrastructure.pid("postgres") != before, "another PostgreSQL")
        wait_until(lambda: _accepts(addresses.postgres), "PostgreSQL listens again")

        assert infrastructure.is_running()
        assert await _rows_when_ready(addresses.postgres) == ["one"]


def _accepts(dsn: str) -> bool:
    port = int(dsn.rsplit(":", 1)[1].split("/")[0])
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


async def _rows_when_ready(dsn: str) -> list[str]:
    for _ in range(500):  # recovery takes a moment; each try waits for the server's own answer
        try:
            return await _rows(dsn)
        except (asyncpg.CannotConnectNowError, OSError):
            continue
    raise AssertionError("PostgreSQL did not recover")


def test_a_server_that_never_lasts_ends_the_stack_with_a_reason(folder: Path) -> None:
    infrastructure = Embedded(folder, given=WITHOUT_KAFKA)
    with started(infrastructure):
        # Its folder is replaced by a file: no later start can succeed.
        os.rename(folder / "valkey", folder / "gone")
        (folder / "valkey").touch()

        infrastructure.kill("redis")
        wait_until(lambda: not infrastructure.is_running(), "the guardian gives up", seconds=120)

    wait_until_all_ended(folder)
    (folder / "valkey").unlink()
    assert "Valkey ended 11 times" in (folder / "logs" / "guardian.log").read_text()


@pytest.mark.skipif(os.geteuid() != 0, reason="these tests already run without root's rights")
async def test_it_runs_without_root_s_rights_too(folder: Path, hold: Hold) -> None:
    as_someone = (
        sys.executable, "-I", "-S", str(LAUNCH), str(os.getpid()), "9", "namespace:65534:65534",
        str(folder.parent),
    )  # fmt: skip

    holder = hold(prefix=as_someone)
    await _write_row(holder.addresses.postgres, "one")

    assert await _rows(holder.addresses.postgres) == ["one"]


def test_progress_names_each_server(folder: Path) -> None:
    said: list[str] = []
    infrastructure = Embedded(folder, given=WITHOUT_KAFKA)

    infrastructure.start(said.append)
    infrastructure.stop()
    infrastructure.stop()  # nothing to do is no error

    assert sorted(said) == ["PostgreSQL is ready.", "Valkey is ready."]
