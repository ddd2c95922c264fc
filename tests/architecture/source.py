"""A project's files as values: modules with their syntax, what they import, texts by path."""

import ast
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
# What tools make and git ignores; a folder of this name is left out wherever it lies.
MADE_BY_TOOLS = frozenset(
    {".git", ".hypothesis", ".import_linter_cache", ".mypy_cache", ".pytest_cache", ".ruff_cache",
     ".stocktide", "__pycache__", "build", "dist", "htmlcov", "node_modules", "reports"}
)  # fmt: skip
OF_ONE_MACHINE = frozenset({".env", "stocktide.toml", ".coverage"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """One Python file; `name` is dotted, a package's is that of its folder."""

    path: str
    name: str
    is_package: bool
    text: str
    tree: ast.Module

    @property
    def room(self) -> tuple[str, ...]:
        """The parts of the name: ("services", "ledger", "domain", "anchors")."""
        return tuple(self.name.split("."))


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """One imported name, made absolute: `from ..a import b` in x.y.z is "x.a.b"."""

    line: int
    target: str
    is_relative: bool


def files_of(root: Path) -> Iterator[str]:
    """Paths of all files below `root`, relative to it; not those that git ignores."""
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(
            name
            for name in folders
            if name not in MADE_BY_TOOLS
            and not name.endswith(".egg-info")
            and not (Path(folder) / name / "pyvenv.cfg").exists()
        )
        for name in sorted(set(names) - OF_ONE_MACHINE):
            yield (Path(folder) / name).relative_to(root).as_posix()


@cache
def modules_of(root: Path) -> tuple[Module, ...]:
    """Every Python file of the project, parsed once per root."""
    return tuple(_parse(root, path) for path in files_of(root) if path.endswith(".py"))


def _parse(root: Path, path: str) -> Module:
    text = (root / path).read_text()
    parts = path.removesuffix(".py").split("/")
    is_package = parts[-1] == "__init__"
    name = ".".join(parts[:-1] if is_package else parts)
    tree = ast.parse(text, path)
    return Module(path=path, name=name, is_package=is_package, text=text, tree=tree)


def imports_of(module: Module) -> Iterator[Import]:
    """Every name that the module imports, wherever the import stands."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(line=node.lineno, target=alias.name, is_relative=False)
        elif isinstance(node, ast.ImportFrom):
            origin = _origin(module, node)
            for alias in node.names:
                target = f"{origin}.{alias.name}".removeprefix(".")
                yield Import(line=node.lineno, target=target, is_relative=node.level > 0)


def _origin(module: Module, node: ast.ImportFrom) -> str:
    if node.level == 0:
        assert node.module is not None, "only a relative import may name no module"
        return node.module
    upwards = node.level - 1 if module.is_package else node.level
    above = module.room[: len(module.room) - upwards]
    return ".".join((*above, node.module) if node.module else above)


def is_within(target: str, package: str) -> bool:
    """Whether a dotted name is the package or lies in it."""
    return target == package or target.startswith(f"{package}.")
