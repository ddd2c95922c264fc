"""The contracts stand alone: pydantic, the standard library and each other, nothing else."""

import ast
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "shared" / "contracts"
ALLOWED = {"pydantic", "pydantic_core", *sys.stdlib_module_names}


def foreign_imports(source: str) -> list[str]:
    """The modules that a source imports beyond what the SDK's wheel brings."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level != 1:
            found.append(node.module or "..")
    return [name for name in found if name.split(".")[0] not in ALLOWED]


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.name)
def test_a_module_imports_pydantic_and_its_neighbours_alone(path: Path) -> None:
    assert foreign_imports(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "line",
    ["import shared.stock", "from shared.stock import a", "import aiokafka", "from .. import x"],
)
def test_a_planted_import_is_found(line: str) -> None:
    assert foreign_imports(line)
