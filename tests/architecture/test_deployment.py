"""docker-compose.yml and deploy/ fit the services: each is there, with settings that exist."""

import json
import re
from pathlib import Path

import pytest

from services.cli.registry import SERVICES
from shared.runtime.settings import PREFIX
from tests.architecture import deployment
from tests.architecture.source import ROOT
from tests.architecture.test_documents import settings_classes

COMPOSE = deployment.COMPOSE.read_text()
BLOCKS = deployment.compose_services(COMPOSE)
KNOWN = {cls.variable(field) for cls in settings_classes() for field in cls.model_fields}
BY_NAME = {service.name: service for service in SERVICES}
# Ports are the container's own affair: `ports` says where the machine sees them.
PORTS = {service.port_variable for service in SERVICES}


def own_settings(schema: str | None) -> set[str]:
    """The settings that only the service of this schema reads, less its ports."""
    section = f"{PREFIX}{schema}_".upper()
    return {name for name in KNOWN if name.startswith(section)} - PORTS


def settings_of(name: str) -> set[str]:
    """What a service's container is given; the roles of one folder share an environment."""
    block = BLOCKS[name]
    alias = re.search(r"environment: \*(\w+)$", block, re.MULTILINE)
    if alias:
        block = next(one for one in BLOCKS.values() if f"environment: &{alias[1]}\n" in one)
    return deployment.variables_set(block)


@pytest.mark.parametrize("name", sorted(BY_NAME))
def test_every_service_runs_in_compose(name: str) -> None:
    assert f'    command: ["run", "{name}"]\n' in BLOCKS[name]
    assert "    <<: *service\n" in BLOCKS[name]


def test_simulators_and_what_watches_start_only_with_their_profile() -> None:
    profiles = {
        name: found[1]
        for name, block in BLOCKS.items()
        if (found := re.search(r'^    profiles: \["(\w+)"\]$', block, re.MULTILINE))
    }

    assert profiles == {
        "shop": "demo", "demo": "demo", "prometheus": "observability", "grafana": "observability",
    }  # fmt: skip


def test_compose_sets_and_takes_only_settings_that_exist() -> None:
    named = deployment.variables_set(COMPOSE) | deployment.variables_taken(COMPOSE)

    assert named
    assert named - KNOWN == set()


@pytest.mark.parametrize("name", sorted(BY_NAME))
def test_every_setting_of_a_service_reaches_its_container(name: str) -> None:
    assert settings_of(name) == own_settings(BY_NAME[name].schema)


def test_nothing_is_published_beyond_loopback() -> None:
    published = deployment.published_ports(COMPOSE)

    assert COMPOSE.count("ports:") == len(published)
    assert {address for address, _ in published} == {"127.0.0.1"}


@pytest.mark.parametrize("name", sorted(BY_NAME))
def test_a_service_is_published_from_the_port_it_listens_on(name: str) -> None:
    published = deployment.published_ports(BLOCKS[name])

    assert [port for _, port in published] in ([], [BY_NAME[name].port])


def test_prometheus_watches_every_service() -> None:
    watched = deployment.targets(deployment.PROMETHEUS.read_text())

    assert watched == {service.name: service.port for service in SERVICES}


@pytest.mark.parametrize(
    ("place", "expression"),
    [*deployment.expressions(), ("alert rules", deployment.RULES.read_text())],
)
def test_every_metric_that_is_shown_is_exported(place: str, expression: str) -> None:
    named = {name for name in deployment.METRIC.findall(expression) if name != "stocktide_"}

    assert named - deployment.exported() == set(), place


@pytest.mark.parametrize("path", sorted(deployment.DASHBOARDS.glob("*.json")), ids=lambda p: p.stem)
def test_a_dashboard_asks_the_datasource_that_is_provisioned(path: Path) -> None:
    dashboard = json.loads(path.read_text())
    provisioned = deployment.DATASOURCES.read_text()

    panels = dashboard["panels"]

    assert {panel["datasource"]["uid"] for panel in panels} == {"prometheus"}
    assert "\n    uid: prometheus\n" in provisioned
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert all(panel["description"] for panel in panels)


def test_the_image_holds_no_secret_and_no_data() -> None:
    kept = (ROOT / ".dockerignore").read_text().splitlines()[1:]

    assert kept[0] == "*"
    assert {line for line in kept if line.startswith("!")} == {
        "!pyproject.toml", "!requirements", "!services", "!shared", "!deploy/probe.py",
    }  # fmt: skip
