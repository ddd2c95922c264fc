"""Rules on rooms: what each may import at most, where clocks and SQL may be, what files are named.

Directions between rooms are import-linter's (`.importlinter`); here stands what needs a list of
what is allowed, or more than imports. Each rule takes a project's root and returns its findings.
"""

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.architecture.source import Import, Module, files_of, imports_of, is_within, modules_of

OURS = ("services", "shared", "tests", "benchmarks")


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """A package with all that it may import; `packages` None stands for any third party."""

    name: str
    ours: tuple[str, ...]
    packages: frozenset[str] | None


CONTRACTS = Room(
    name="shared.contracts",
    ours=("shared.contracts",),
    packages=frozenset({"pydantic", "pydantic_core"}),
)
STOCK = Room(name="shared.stock", ours=("shared.stock",), packages=frozenset())
SIMULATORS = Room(
    name="services.simulators", ours=("services.simulators", "shared.contracts"), packages=None
)

# A domain's vocabulary: modules of values and pure functions.
VALUES = frozenset(
    {"__future__", "abc", "bisect", "collections", "dataclasses", "datetime", "decimal", "enum",
     "fractions", "functools", "hashlib", "heapq", "itertools", "math", "operator", "re",
     "statistics", "string", "types", "typing", "unicodedata", "zoneinfo"}
)  # fmt: skip
# Types that a domain takes as an argument, from modules that can also read clocks or dice.
TYPES = frozenset({"random.Random", "uuid.UUID"})
CLOCKS = frozenset(
    {"now", "utcnow", "today", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns",
     "time_ns", "uuid1", "uuid4", "getrandbits", "urandom"}
)  # fmt: skip


def contracts_ship_alone(root: Path) -> list[str]:
    """`shared.contracts`: the standard library, pydantic, and itself by relative imports only,
    because the SDK's wheel ships these files under another name.
    """
    found = _beyond(root, CONTRACTS)
    for module in _inside(root, CONTRACTS.name):
        for one in imports_of(module):
            if is_within(one.target, CONTRACTS.name) and not one.is_relative:
                found.append(f"{module.path}:{one.line}: {one.target} is imported by its full name")
    return found


def stock_words_need_nothing(root: Path) -> list[str]:
    """`shared.stock`: the standard library alone."""
    return _beyond(root, STOCK)


def simulators_stand_alone(root: Path) -> list[str]:
    """`services.simulators`: of ours, shared.contracts at most."""
    return _beyond(root, SIMULATORS)


def domains_know_values_only(root: Path) -> list[str]:
    """`services.*.domain`: values of the standard library, `shared.stock`, and its own modules."""
    found: list[str] = []
    for module in modules_of(root):
        if not _is_domain(module):
            continue
        ours = (".".join(module.room[:3]), "shared.stock")
        for one in imports_of(module):
            if any(is_within(one.target, package) for package in ours):
                continue
            if not _is_value(one):
                found.append(f"{module.path}:{one.line}: a domain imports {one.target}")
    return found


def decisions_are_told_the_time(root: Path) -> list[str]:
    """No clock, id or dice is read in a domain or in `shared.stock`: they are arguments."""
    found: list[str] = []
    for module in modules_of(root):
        if not (_is_domain(module) or is_within(module.name, STOCK.name)):
            continue
        for node in ast.walk(module.tree):
            if not isinstance(node, ast.Attribute):
                continue
            read = ast.unparse(node)
            is_dice = read.startswith("random.") and read not in TYPES
            if is_dice or node.attr in CLOCKS:
                found.append(f"{module.path}:{node.lineno}: {read} is read, not told")
    return found


def _inside(root: Path, package: str) -> Iterator[Module]:
    return (module for module in modules_of(root) if is_within(module.name, package))


def _is_domain(module: Module) -> bool:
    return len(module.room) > 2 and module.room[0] == "services" and module.room[2] == "domain"


def _is_value(one: Import) -> bool:
    return one.target.split(".")[0] in VALUES | {"random", "uuid"} and (
        one.target in TYPES
        or one.target in ("random", "uuid")  # their attributes are looked at one by one
        or one.target.split(".")[0] in VALUES
    )


def _beyond(root: Path, room: Room) -> list[str]:
    found: list[str] = []
    for module in _inside(root, room.name):
        for one in imports_of(module):
            if not _may(room, one.target):
                found.append(f"{module.path}:{one.line}: {room.name} imports {one.target}")
    return found


def _may(room: Room, target: str) -> bool:
    package = target.split(".")[0]
    if package in OURS:
        return any(is_within(target, ours) for ours in room.ours)
    return room.packages is None or package in sys.stdlib_module_names | room.packages


# What a statement of SQL begins with; an English sentence begins with a capital.
SQL = re.compile(
    r"""\s*(--[^\n]*\n\s*)*(
        (select|SELECT)\b(?s:.*)\b(from|FROM)\b | (select|SELECT)\s+\S+\s*$
      | (select|SELECT)\s+\w+\.?\w*\(
      | (insert\s+into|INSERT\s+INTO|delete\s+from|DELETE\s+FROM)\s
      | (update|UPDATE)\s+\S+(\s+\w+)*\s+(set|SET)\s
      | (with|WITH)\s+(recursive\s+)?\w+(\s*\([^)]*\))?\s+(as|AS)\s
      | (create|drop|alter|CREATE|DROP|ALTER)\s+(or\s+replace\s+)?(unlogged\s+|unique\s+)?
        (table|schema|database|index|role|user|function|procedure|view|extension|sequence
        |TABLE|SCHEMA|DATABASE|INDEX|ROLE|USER)\b
      | (truncate|TRUNCATE)\s+\w | (call|CALL)\s+[\w.]+\(
    )""",
    re.VERBOSE,
)
SQL_ROOMS = (
    "shared.postgres",
    # These start and probe servers, and make and drop whole databases; no service's data.
    "shared.runtime.infrastructure",
    "shared.testing",
    "services.cli",  # the demo's checker must share no code with what it checks
)


def sql_stands_in_repositories(root: Path) -> list[str]:
    """SQL text only in `repository` modules and packages, and in shared/postgres."""
    found: list[str] = []
    for module in modules_of(root):
        if module.room[0] not in ("services", "shared") or _may_hold_sql(module):
            continue
        for line, text in _texts(module):
            if SQL.match(text):
                found.append(f"{module.path}:{line}: SQL outside a repository: {text[:40]!r}")
    return found


def _may_hold_sql(module: Module) -> bool:
    return "repository" in module.room[2:] or any(
        is_within(module.name, room) for room in SQL_ROOMS
    )


def _texts(module: Module) -> Iterator[tuple[int, str]]:
    """Every string, an f-string with `x` for its values; docstrings stand as statements."""
    skipped: set[int] = set()
    for node in ast.walk(module.tree):  # parents come before their children
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            skipped.add(id(node.value))
        elif isinstance(node, ast.JoinedStr):
            skipped |= {id(part) for part in node.values}
            yield node.lineno, "".join(_text(part) or "x" for part in node.values)
        elif isinstance(node, ast.Constant) and id(node) not in skipped:
            yield node.lineno, _text(node) or ""


def _text(node: ast.AST) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    return None


SERVICE_FILES = frozenset(
    {"__init__", "domain", "handlers", "repository", "channels", "api", "settings", "metrics",
     "app", "migrations",
     "engine"}  # publication's lanes: one task per channel, see docs/adr/0008
)  # fmt: skip
# Programs of their own with rooms of their own: the command line, and what simulates channels.
OTHER_PROGRAMS = frozenset({"cli", "simulators"})
NAMES_THAT_SAY_NOTHING = frozenset({"utils", "util", "helpers", "helper", "common", "base", "misc"})
CARD_LINES_MAX = 8
MIGRATION = re.compile(r"\d{4}_[a-z0-9]+(_[a-z0-9]+)+\.sql")


def services_have_the_same_files(root: Path) -> list[str]:
    """Inside a service the files are always the same; a package takes its file's name."""
    found: list[str] = []
    for path in files_of(root):
        parts = path.split("/")
        if parts[0] != "services" or len(parts) < 3 or parts[1] in OTHER_PROGRAMS:
            continue
        if parts[2].removesuffix(".py") not in SERVICE_FILES:
            found.append(f"{path}: no service has a {parts[2]}")
        elif parts[2] == "migrations" and not MIGRATION.fullmatch(parts[-1]):
            found.append(f"{path}: a migration is named NNNN_verb_noun.sql")
    return found


def folders_are_packages(root: Path) -> list[str]:
    """A folder of services and shared with Python in or below it has an `__init__.py`."""
    paths = {path for path in files_of(root) if path.startswith(("services/", "shared/"))}
    folders = {
        folder.as_posix()
        for path in paths
        if path.endswith(".py")
        for folder in Path(path).parents
        if folder != Path()
    }
    return [
        f"{one}: has no __init__.py" for one in sorted(folders) if f"{one}/__init__.py" not in paths
    ]


def services_have_a_card(root: Path) -> list[str]:
    """A service's `__init__.py` says what it decides, and nothing more, in at most 8 lines."""
    found: list[str] = []
    for module in modules_of(root):
        if len(module.room) != 2 or module.room[0] != "services" or not module.is_package:
            continue
        if ast.get_docstring(module.tree) is None or len(module.tree.body) > 1:
            found.append(f"{module.path}: a card is a docstring alone")
        if len(module.text.splitlines()) > CARD_LINES_MAX:
            found.append(f"{module.path}: a card has at most {CARD_LINES_MAX} lines")
    return found


def names_say_something(root: Path) -> list[str]:
    """No room is called after nothing: utils, helpers, common, base."""
    return [
        f"{module.path}: {part} says nothing"
        for module in modules_of(root)
        for part in module.room
        if part in NAMES_THAT_SAY_NOTHING or part.endswith("_manager") or part == "manager"
    ]
