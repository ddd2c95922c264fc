"""Builds the dashboards' JSON; a test fails where the committed files are not what it gives."""

from collections.abc import Callable, Mapping
from pathlib import Path

from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder

from deploy.grafana.definitions.channels import channels
from deploy.grafana.definitions.orders import orders
from deploy.grafana.definitions.overview import overview
from deploy.grafana.definitions.pipeline import pipeline
from deploy.grafana.definitions.stock import stock

FOLDER = Path(__file__).parents[1] / "dashboards"
DASHBOARDS: Mapping[str, Callable[[], Dashboard]] = {
    "overview": overview, "stock": stock, "channels": channels, "pipeline": pipeline,
    "orders": orders,
}  # fmt: skip


def built(name: str) -> str:
    """The JSON of one dashboard, as it is committed."""
    return JSONEncoder(sort_keys=True, indent=2).encode(DASHBOARDS[name]().build()) + "\n"


def write() -> None:
    """Write every dashboard."""
    for name in DASHBOARDS:
        (FOLDER / f"{name}.json").write_text(built(name))
