"""A real Prometheus watches the running services, with the project's configuration and rules."""

import re
from pathlib import Path

import pytest

from services.cli.registry import SERVICES
from tests.architecture.deployment import RULES, expressions
from tests.e2e.conftest import Chain
from tests.system.conftest import CONFIGURATION, Row, Watched
from tests.system.tools import Tool

ALERT_TESTS = Path(__file__).with_name("alerts.yml")
ALERTS = sorted(re.findall(r"- alert: (\w+)", RULES.read_text()))
RECORDED = re.findall(r"- record: (\S+)", RULES.read_text())
# Nothing is answered before a first unit is lost, parked or broken: these exist in trouble only.
SILENT_IN_HEALTH = re.compile("oversold|parked|invariant")


def test_promtool_accepts_configuration_and_rules(promtool: Tool) -> None:
    done = promtool.run("check", "config", str(CONFIGURATION))

    assert done.returncode == 0, done.stderr
    assert f"{len(ALERTS) + len(RECORDED)} rules found" in done.stdout


def test_each_alert_is_silent_in_health_and_fires_in_trouble(
    promtool: Tool, tmp_path: Path
) -> None:
    tests = tmp_path / "alerts.yml"
    tests.write_text(ALERT_TESTS.read_text().replace("[RULES]", f"[{RULES}]"))

    done = promtool.run("test", "rules", str(tests))

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("alert", ALERTS)
def test_each_alert_has_its_tests(alert: str) -> None:
    text = ALERT_TESTS.read_text()

    assert f"alertname: {alert}}}" in text
    assert f'alertname="{alert}"' in text


def all_up(rows: list[Row]) -> bool:
    """Whether every target answers; none at all is none looked at yet."""
    return bool(rows) and all(row["health"] == "up" for row in rows)


async def test_every_service_is_up(chain: Chain, watched: Watched) -> None:
    expected = {f"127.0.0.1:{chain.stack.ports[service.name]}" for service in SERVICES}

    rows = await watched.until("targets", all_up)

    assert {(row["scrapeUrl"], row["health"]) for row in rows} == {
        (f"http://{address}/metrics", "up") for address in expected
    }


async def test_no_label_names_a_sku_or_an_order(watched: Watched) -> None:
    rows = await watched.until("query", bool, query='{__name__=~"stocktide_.+"}')

    labels = {name for row in rows for name in row["metric"]}
    assert rows
    assert labels & {"sku", "listing", "listing_id", "order", "order_id", "customer"} == set()


@pytest.mark.parametrize(("place", "expression"), list(expressions()))
async def test_a_panel_has_something_to_show(
    place: str, expression: str, busy: Chain, watched: Watched
) -> None:
    if SILENT_IN_HEALTH.search(expression):
        await watched.get("query", query=expression)  # understood, at least
        return

    rows = await watched.until("query", bool, query=expression)

    assert rows, place


async def test_a_sale_moves_the_panels(chain: Chain, watched: Watched) -> None:
    query = "sum(stocktide_propagation_seconds_count)"

    def value(rows: list[Row]) -> float:
        return float(rows[0]["value"][1]) if rows else 0.0

    before = value(await watched.get("query", query=query))
    await chain.sell("apple", "store-1", 1, basket=77)
    await chain.rest()

    after = await watched.until("query", lambda rows: value(rows) > before, query=query)

    assert value(after) > before
