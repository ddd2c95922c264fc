"""The contracts of `.importlinter`: the project keeps them, and each catches a violation."""

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from importlinter import api

from tests.architecture.source import ROOT, files_of

Plant = tuple[str, str]  # a file, and what is imported there

CONFIGURATION = ROOT / ".importlinter"
LINTING = Path(__file__).with_name("linting.py")

SERVICES = "Services never import each other"
CLI = "Nothing imports the command line"
SHARED = "What is shared knows no service"
TESTING = "Only tests import what is for tests"
LAYERS = "Inside a service, imports point down"
DOMAIN = "A domain does no input or output and reads no clock"
SETTINGS = "Settings are read in app.py and handed on"
FAUST = "Faust stays in app.py and its seam"

# (the contracts broken by it, the file, the import that is planted there). `orders` has its rooms
# as modules, the ledger as packages.
PLANTS: tuple[tuple[frozenset[str], str, str], ...] = (
    (frozenset({SERVICES}), "services/orders/handlers.py", "services.availability.domain"),
    (frozenset({SERVICES}), "services/publication/app.py", "services.simulators"),
    (frozenset({SERVICES}), "services/simulators/shop.py", "services.ledger.domain"),
    (frozenset({CLI, SERVICES}), "services/orders/app.py", "services.cli"),
    (frozenset({CLI}), "services/__init__.py", "services.cli"),
    (frozenset({SHARED}), "shared/kafka/consuming.py", "services.ledger.domain"),
    (frozenset({TESTING}), "services/orders/app.py", "shared.testing"),
    (frozenset({TESTING}), "shared/runtime/clock.py", "shared.testing.servers"),
    (frozenset({LAYERS}), "services/orders/domain.py", "services.orders.repository"),
    (frozenset({LAYERS}), "services/ledger/domain/anchors.py", "services.ledger.handlers"),
    (frozenset({LAYERS}), "services/orders/repository.py", "services.orders.handlers"),
    (frozenset({LAYERS}), "services/orders/repository.py", "services.orders.channels.shop"),
    (frozenset({LAYERS}), "services/ledger/handlers/batch.py", "services.ledger.api"),
    (frozenset({LAYERS}), "services/orders/handlers.py", "services.orders.app"),
    (frozenset({LAYERS}), "services/orders/api.py", "services.orders.app"),
    (frozenset({DOMAIN}), "services/orders/domain.py", "asyncpg"),
    (frozenset({DOMAIN}), "services/ledger/domain/anchors.py", "time"),
    (frozenset({DOMAIN}), "services/ledger/domain/anchors.py", "shared.runtime.clock"),
    (frozenset({DOMAIN}), "shared/stock/policies.py", "os"),
    (frozenset({SETTINGS}), "services/orders/handlers.py", "services.orders.settings"),
    (frozenset({FAUST}), "services/orders/handlers.py", "faust"),
    (frozenset({FAUST}), "shared/kafka/consuming.py", "mode"),
)
ALLOWED: tuple[Plant, ...] = (
    ("services/cli/app.py", "services.orders.app"),
    ("services/cli/app.py", "services.orders.settings"),
    ("services/orders/app.py", "services.orders.settings"),
    ("services/orders/app.py", "faust"),
    ("services/orders/api.py", "services.orders.repository"),
    ("services/orders/handlers.py", "services.orders.domain"),
    ("services/orders/domain.py", "shared.stock.policies"),
    ("services/simulators/shop.py", "shared.contracts.orders"),
)
ORDERS = ("api", "app", "domain", "handlers", "repository", "settings", "channels/shop")


@pytest.fixture(scope="module")
def skeleton(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every module of the project by name, empty; and a service whose rooms are single files."""
    root = tmp_path_factory.mktemp("skeleton")
    paths = {path for path in files_of(ROOT) if path.startswith(("services/", "shared/"))}
    paths = {path for path in paths if path.endswith(".py")}
    paths |= {f"services/orders/{name}.py" for name in (*ORDERS, "__init__", "channels/__init__")}
    for path in paths | {path for _, path, _ in PLANTS} | {path for path, _ in ALLOWED}:
        for folder in Path(path).parents[:-1]:
            (root / folder).mkdir(parents=True, exist_ok=True)
            (root / folder / "__init__.py").touch()
        (root / path).touch()
    shutil.copy(CONFIGURATION, root)
    return root


@pytest.fixture(scope="module")
def broken_by(skeleton: Path) -> Mapping[Plant, frozenset[str]]:
    """The contracts that each planted import breaks, alone in the skeleton."""
    plants = [(path, target) for _, path, target in PLANTS]
    return dict(zip(plants, lint(skeleton, [[plant] for plant in plants]), strict=True))


def test_the_project_keeps_every_contract() -> None:
    assert lint(ROOT, [[]]) == [frozenset()]


@pytest.mark.parametrize(("broken", "path", "target"), PLANTS)
def test_a_planted_import_breaks_its_contract(
    broken: frozenset[str], path: str, target: str, broken_by: Mapping[Plant, frozenset[str]]
) -> None:
    assert broken_by[path, target] == broken


def test_allowed_imports_break_nothing(skeleton: Path) -> None:
    assert lint(skeleton, [ALLOWED]) == [frozenset()]


def test_each_contract_has_a_planted_import() -> None:
    contracts = api.read_configuration(str(CONFIGURATION))["contracts_options"]

    planted = frozenset().union(*(broken for broken, _, _ in PLANTS))

    assert planted == {contract["name"] for contract in contracts}


def lint(root: Path, cases: Sequence[Sequence[Plant]]) -> list[frozenset[str]]:
    """The broken contracts of each case; in a process whose `services` are those of `root`."""
    done = subprocess.run(
        [sys.executable, str(LINTING)], cwd=root, input=json.dumps(cases), capture_output=True,
        text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [frozenset(broken) for broken in json.loads(done.stdout.splitlines()[-1])]
