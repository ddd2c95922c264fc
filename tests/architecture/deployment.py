"""What the files of deploy/ and docker-compose.yml name: services, variables, targets, metrics.

They are read as text, line by line: the environment has no parser of YAML, and what matters stands
on lines of its own.
"""

import importlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from prometheus_client import REGISTRY

from tests.architecture.source import ROOT

COMPOSE = ROOT / "docker-compose.yml"
PROMETHEUS = ROOT / "deploy" / "prometheus" / "prometheus.yml"
RULES = ROOT / "deploy" / "prometheus" / "rules" / "stocktide.yml"
DASHBOARDS = ROOT / "deploy" / "grafana" / "dashboards"
DATASOURCES = ROOT / "deploy" / "grafana" / "provisioning" / "datasources" / "prometheus.yml"

METRIC = re.compile(r"\bstocktide_[a-z0-9_]+")
HISTOGRAM_SAMPLES = ("_bucket", "_sum", "_count")


def compose_services(text: str) -> Mapping[str, str]:
    """The services of a compose file: name → its lines."""
    body = re.split(r"^services:\n", text, flags=re.MULTILINE)[1]
    body = re.split(r"^\S", body, maxsplit=1, flags=re.MULTILINE)[0]
    parts = re.split(r"^  ([a-z][a-z-]*):\n", body, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def variables_set(text: str) -> set[str]:
    """The names of ours that a piece of a compose file gives to a container."""
    return set(re.findall(r"^\s+(STOCKTIDE_\w+):", text, re.MULTILINE))


def variables_taken(text: str) -> set[str]:
    """The names of ours that a compose file takes from the environment by `${…}`."""
    return set(re.findall(r"\$\{(STOCKTIDE_\w+)", text))


def published_ports(text: str) -> list[tuple[str, int]]:
    """(address, port in the container) of everything that a compose file publishes."""
    entries = re.findall(r'^    ports: \["(.*)"\]$', text, re.MULTILINE)
    return [(entry.split(":", 1)[0], int(entry.rsplit(":", 1)[1])) for entry in entries]


def targets(text: str) -> dict[str, int]:
    """What Prometheus watches: host → port."""
    found = re.findall(r"^\s+- ([a-z-]+):(\d+)$", text, re.MULTILINE)
    return {host: int(port) for host, port in found}


def expressions() -> Iterator[tuple[str, str]]:
    """(dashboard and panel, expression) of every query of every dashboard."""
    for path in sorted(DASHBOARDS.glob("*.json")):
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel["targets"]:
                yield f"{path.stem}: {panel['title']}", target["expr"]


def exported() -> set[str]:
    """The samples that the services can export: names as Prometheus sees them."""
    for path in sorted(ROOT.glob("services/*/metrics.py")):
        importlib.import_module(f"services.{path.parent.name}.metrics")
    for path in sorted(Path(ROOT, "shared", "telemetry").glob("metrics.py")):
        importlib.import_module(f"shared.telemetry.{path.stem}")
    found: set[str] = set()
    for family in REGISTRY.collect():
        if family.type == "histogram":
            found |= {family.name + suffix for suffix in HISTOGRAM_SAMPLES}
        else:
            found.add(family.name + ("_total" if family.type == "counter" else ""))
    return {name for name in found if name.startswith("stocktide_")}
