"""docker-compose.yml as Docker Compose itself reads it."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from services.cli.registry import SERVICES
from tests.system.conftest import ROOT
from tests.system.tools import Tool

GIVEN = {
    "POSTGRES_PASSWORD": "one",
    "STOCKTIDE_INGESTION_API_KEY": "two",
    "STOCKTIDE_CATALOG_API_KEY": "three",
}
SERVERS = {"kafka", "postgres", "redis", "init"}

Compose = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def compose(docker_compose: Tool, tmp_path: Path) -> Compose:
    """Asks Compose about the project's file; no .env of this machine is looked at."""
    nothing = tmp_path / "env"
    nothing.touch()

    def ask(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        return docker_compose.run(
            "--file", str(ROOT / "docker-compose.yml"), "--env-file", str(nothing),
            *arguments, **{**GIVEN, **environment},
        )  # fmt: skip

    return ask


def test_compose_accepts_the_file(compose: Compose) -> None:
    done = compose("config", "--quiet")

    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_all_profiles_together_are_the_servers_the_services_and_what_watches_them(
    compose: Compose,
) -> None:
    # Compose's first generation lists every profile anyway: which has what is looked at in
    # tests/architecture/test_deployment.py.
    done = compose("--profile", "demo", "--profile", "observability", "config", "--services")

    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) == SERVERS | {service.name for service in SERVICES} | {
        "shop", "demo", "prometheus", "grafana",
    }  # fmt: skip


@pytest.mark.parametrize("name", sorted(GIVEN))
def test_a_secret_that_is_not_given_is_asked_for_by_name(compose: Compose, name: str) -> None:
    done = compose("config", "--quiet", **{name: ""})

    assert done.returncode != 0
    assert f"set {name}" in done.stderr


def test_a_setting_of_the_environment_reaches_its_service_alone(compose: Compose) -> None:
    done = compose("config", STOCKTIDE_ORDERS_BATCH_MAX="123")

    assert done.returncode == 0, done.stderr
    assert done.stdout.count("STOCKTIDE_ORDERS_BATCH_MAX: ") == 1
    assert done.stdout.count("123") == 1
