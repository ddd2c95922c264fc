"""What the embedded servers are told: settings, ports, identities, and the list of jars."""

import random
import socket
from pathlib import Path

import pytest
from requests import ConnectionError as NoConnection

from shared.runtime.infrastructure import InfrastructureError, jars
from shared.runtime.infrastructure.identity import NOBODY, candidates
from shared.runtime.infrastructure.interface import silent
from shared.runtime.infrastructure.jars import Jar, class_path, is_whole, pinned_jars
from shared.runtime.infrastructure.kafka import properties
from shared.runtime.infrastructure.ports import HIGHEST, LOWEST, free_ports
from shared.runtime.infrastructure.postgres import server_arguments

EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
JAR = Jar(group="org.example", artifact="thing", version="1.0", sha256=EMPTY_SHA256)


def test_kafka_listens_on_loopback_at_its_ports() -> None:
    text = properties({"kafka": 21001, "controller": 21002}, Path("/data"))

    settings = dict(line.split("=", 1) for line in text.splitlines())

    assert settings["listeners"] == "BROKER://127.0.0.1:21001,CONTROLLER://127.0.0.1:21002"
    assert settings["advertised.listeners"] == "BROKER://127.0.0.1:21001"
    assert settings["controller.quorum.voters"] == "1@127.0.0.1:21002"
    assert settings["group.initial.rebalance.delay.ms"] == "0"
    assert settings["auto.create.topics.enable"] == "false"
    assert int(settings["group.min.session.timeout.ms"]) <= 6000


@pytest.mark.parametrize(
    "setting",
    [
        "listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=on",
        "synchronous_commit=on", "client_connection_check_interval=2s",
    ],
)  # fmt: skip
def test_postgres_is_durable_and_on_loopback(setting: str) -> None:
    arguments = server_arguments(21003)

    assert arguments[:2] == ["-p", "21003"]
    assert arguments[arguments.index(setting) - 1] == "-c"


def test_a_port_is_kept_where_it_is_free_and_replaced_where_it_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        free = free_ports(["a"], before={}, source=random.Random(1))["a"]

        chosen = free_ports(["a", "b"], before={"a": free, "b": taken}, source=random.Random(2))

    assert chosen["a"] == free
    assert chosen["b"] not in (taken, free)
    assert LOWEST <= chosen["b"] <= HIGHEST


@pytest.mark.parametrize(
    ("uid", "known", "launches"),
    [
        pytest.param(1000, [0, 1000, NOBODY], ["-"], id="an_ordinary_user_runs_it_itself"),
        pytest.param(
            0, [0, 1000, NOBODY], [f"namespace:{NOBODY}:7", f"user:{NOBODY}:{NOBODY}"],
            id="root_takes_a_namespace_or_else_gives_up_its_rights",
        ),
        pytest.param(
            0, [0, 1000], ["namespace:1000:7", f"user:1000:{NOBODY}"], id="there_is_no_nobody"
        ),
        pytest.param(4242, [0, NOBODY], [f"namespace:{NOBODY}:7"], id="a_user_nobody_knows"),
        pytest.param(0, [0], [], id="no_other_user_at_all"),
    ],
)  # fmt: skip
def test_postgres_runs_as_the_first_identity_that_works(
    uid: int, known: list[int], launches: list[str]
) -> None:
    assert [one.launch for one in candidates(uid=uid, gid=7, known=known)] == launches


def test_the_pinned_jars_are_kafka_4_and_a_logger_with_distinct_paths() -> None:
    found = pinned_jars(jars.LIST.read_text())

    versions = {one.artifact: one.version for one in found}
    assert versions["kafka_2.13"].startswith("4.")
    assert "slf4j-simple" in versions
    assert len({one.path for one in found}) == len(found)


def test_a_jar_is_whole_only_with_the_bytes_that_we_know(tmp_path: Path) -> None:
    path = tmp_path / "org/example/thing/1.0/thing-1.0.jar"
    absent = is_whole(JAR, tmp_path)
    path.parent.mkdir(parents=True)
    path.touch()
    whole = is_whole(JAR, tmp_path)
    path.write_bytes(b"half")

    assert (absent, whole, is_whole(JAR, tmp_path)) == (False, True, False)


@pytest.fixture
def one_jar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The list names one jar only; returns an empty cache."""
    listing = tmp_path / "listing"
    listing.write_text(f"# one\n{EMPTY_SHA256}  org.example:thing:1.0\n")
    monkeypatch.setattr(jars, "LIST", listing)
    return tmp_path / "cache"


def test_without_a_network_the_first_download_says_the_way_out(
    one_jar: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(jar: Jar, folder: Path) -> None:
        raise NoConnection("no route")

    monkeypatch.setattr(jars, "_ask_jgo", refuse)

    with pytest.raises(InfrastructureError, match="STOCKTIDE_KAFKA") as error:
        class_path(one_jar, silent)

    assert "no route" in str(error.value)
    assert list((one_jar / "maven").iterdir()) == [], "no half download stays"


def test_a_download_with_another_sum_is_tried_again_and_never_used(
    one_jar: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([b"tampered", b""])

    def download(jar: Jar, folder: Path) -> None:
        (folder / jar.path).parent.mkdir(parents=True)
        (folder / jar.path).write_bytes(next(answers))

    monkeypatch.setattr(jars, "_ask_jgo", download)

    (path,) = class_path(one_jar, silent)

    assert path.read_bytes() == b""
    assert next(answers, None) is None


def test_a_download_that_stays_wrong_is_refused(
    one_jar: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def download(jar: Jar, folder: Path) -> None:
        (folder / jar.path).parent.mkdir(parents=True)
        (folder / jar.path).write_bytes(b"tampered")

    monkeypatch.setattr(jars, "_ask_jgo", download)

    with pytest.raises(InfrastructureError, match="SHA-256 differs"):
        class_path(one_jar, silent)
