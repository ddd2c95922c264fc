"""The dashboards that Grafana is given are what the code builds, and ask for what there is."""

import re

import pytest

from deploy.grafana.definitions.building import DASHBOARDS, built
from tests.architecture import deployment

RECORDED = re.compile(r"\bstocktide:[a-z0-9_:]+")


@pytest.mark.parametrize("name", sorted(DASHBOARDS))
def test_what_is_committed_is_what_the_code_builds(name: str) -> None:
    committed = (deployment.DASHBOARDS / f"{name}.json").read_text()

    assert committed == built(name), "`make docs` builds the dashboards anew"


def test_every_dashboard_is_built() -> None:
    assert {path.stem for path in deployment.DASHBOARDS.glob("*.json")} == set(DASHBOARDS)


def test_what_is_asked_for_by_a_recorded_name_is_recorded() -> None:
    rules = deployment.RULES.read_text()
    recorded = set(re.findall(r"- record: (\S+)", rules))
    asked = {
        name for _, expression in deployment.expressions() for name in RECORDED.findall(expression)
    }

    assert asked
    assert (asked | set(RECORDED.findall(rules))) - recorded == set()
