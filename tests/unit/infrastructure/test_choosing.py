"""Addresses where given, else embedded, else Docker when asked for."""

import socket
from pathlib import Path

import pytest

from shared.runtime.infrastructure import (
    GivenAddresses,
    InfrastructureError,
    Providers,
    choose,
    described,
)
from shared.runtime.infrastructure import docker as docker_module
from shared.runtime.infrastructure.given import check_reachable, hosts_of
from shared.runtime.infrastructure.interface import PARTS, Addresses, Part

KAFKA, POSTGRES, REDIS = "host:9092", "postgresql://u:secret@host/db", "redis://:secret@host:6379/0"


@pytest.mark.parametrize(
    ("given", "docker", "name", "providers"),
    [
        pytest.param(
            GivenAddresses(kafka=KAFKA, postgres=POSTGRES, redis=REDIS), True, "given",
            {"kafka": "given", "postgres": "given", "redis": "given"}, id="what_is_given_wins",
        ),
        pytest.param(
            GivenAddresses(), False, "embedded",
            {"kafka": "embedded", "postgres": "embedded", "redis": "embedded"},
            id="embedded_is_the_default",
        ),
        pytest.param(
            GivenAddresses(kafka=KAFKA, redis=""), False, "given + embedded",
            {"kafka": "given", "postgres": "embedded", "redis": "embedded"},
            id="parts_may_be_mixed_and_empty_is_not_given",
        ),
        pytest.param(
            GivenAddresses(redis=REDIS), True, "given + docker",
            {"kafka": "docker", "postgres": "docker", "redis": "given"},
            id="docker_only_when_asked_for",
        ),
    ],
)  # fmt: skip
def test_each_part_has_the_provider_that_the_environment_asks_for(
    tmp_path: Path, given: GivenAddresses, docker: bool, name: str, providers: Providers
) -> None:
    chosen = choose(given=given, data_folder=tmp_path / "data", docker=docker)

    assert chosen.name == name
    assert chosen.providers == providers
    assert not (tmp_path / "data").exists(), "choosing starts nothing"


def test_the_providers_are_said_in_one_line() -> None:
    providers: Providers = {"kafka": "embedded", "postgres": "given", "redis": "docker"}

    assert described(providers) == "kafka embedded, postgres given, redis docker"


def test_passwords_stay_out_of_what_is_printed() -> None:
    addresses = Addresses(kafka=KAFKA, postgres=POSTGRES, redis=REDIS)
    given = GivenAddresses(kafka=KAFKA, postgres=POSTGRES, redis=REDIS)

    assert "secret" not in repr(addresses) + repr(given)


@pytest.mark.parametrize(
    ("part", "address", "hosts"),
    [
        ("kafka", "a:1, b:2", [("a", 1), ("b", 2)]),
        ("kafka", "a", [("a", 9092)]),
        ("postgres", "postgresql://u:p@h/db", [("h", 5432)]),
        ("redis", "redis://h:7000/3", [("h", 7000)]),
    ],
)
def test_an_address_names_its_hosts(part: Part, address: str, hosts: list[object]) -> None:
    assert hosts_of(part, address) == hosts


@pytest.mark.parametrize(
    ("part", "address"), [("kafka", "a:b"), ("redis", "h:6379"), ("kafka", "")]
)
def test_what_is_no_address_is_refused_with_the_right_form(part: Part, address: str) -> None:
    with pytest.raises(InfrastructureError, match=f"STOCKTIDE_{part.upper()} is not an address"):
        hosts_of(part, address)


@pytest.mark.parametrize("part", PARTS)
def test_a_given_server_that_does_not_answer_is_named_with_a_way_out(part: Part) -> None:
    with socket.socket() as nobody_listens:
        nobody_listens.bind(("127.0.0.1", 0))
        port = nobody_listens.getsockname()[1]
        address = f"127.0.0.1:{port}" if part == "kafka" else f"{part}://127.0.0.1:{port}/0"

        with pytest.raises(InfrastructureError, match="unset the variable"):
            check_reachable(part, address)


def test_a_missing_docker_engine_is_said_with_a_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")

    with pytest.raises(InfrastructureError, match="Start the Docker engine"):
        docker_module.Docker(given={}).start()
