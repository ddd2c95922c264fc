"""The rules that import-linter cannot say: the project keeps them, and each catches a violation."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.architecture import rooms, texts
from tests.architecture.source import ROOT

Rule = Callable[[Path], list[str]]

RULES: tuple[Rule, ...] = (
    rooms.contracts_ship_alone,
    rooms.stock_words_need_nothing,
    rooms.simulators_stand_alone,
    rooms.domains_know_values_only,
    rooms.decisions_are_told_the_time,
    rooms.sql_stands_in_repositories,
    rooms.services_have_the_same_files,
    rooms.folders_are_packages,
    rooms.services_have_a_card,
    rooms.names_say_something,
    texts.modules_are_small,
    texts.functions_are_small,
    texts.suppressions_say_why,
    texts.no_file_names_a_registry,
    texts.no_file_names_a_machine_path,
)

# A small project that keeps every rule, with what is allowed but close to a violation.
CLEAN: Mapping[str, str] = {
    "services/__init__.py": "",
    "services/orders/__init__.py": '"""Decides what an order wants."""\n',
    "services/orders/domain.py": (
        "import random\nfrom datetime import datetime, time\nfrom uuid import UUID\n"
        "from shared.stock.words import Sku\n"
        "def wait(source: random.Random, now: datetime) -> float:\n    return source.random()\n"
    ),
    "services/orders/repository/__init__.py": "",
    "services/orders/repository/lines.py": 'READ = "select 1 from orders.lines"\n',
    "services/orders/migrations/0001_create_orders.sql": "create schema orders;\n",
    "services/orders/handlers.py": (
        '"""Select what an order wants from stock."""\n'
        'SAID = "Select a location from the list"\nimport asyncpg  # noqa: F401  (its error type)\n'
    ),
    "services/simulators/__init__.py": '"""Simulates channels."""\n',
    "services/cli/__init__.py": '"""Asks the services."""\n',
    "services/cli/demo/__init__.py": "",
    "services/cli/demo/repository.py": 'COUNT = "select count(*) from orders.lines"\n',
    "services/simulators/shop.py": "import starlette\nfrom shared.contracts.orders import Order\n",
    "shared/__init__.py": "",
    "shared/contracts/__init__.py": "",
    "shared/contracts/orders.py": "from pydantic import Field\nfrom .fields import Sku\n",
    "shared/contracts/fields.py": "",
    "shared/contracts/examples/order.json": "{}\n",
    "shared/stock/__init__.py": "",
    "shared/stock/words.py": "from enum import StrEnum\n",
    "docs/how-to.md": "Run `make PYTHON=/path/to/python3`; data is in ~/.cache/stocktide.\n",
}

REGISTRY = texts.REGISTRIES[0]
LONG_FUNCTION = "def decide():\n" + "    pass\n" * texts.FUNCTION_LINES_MAX
HOME = "/".join(("", "home", "someone"))

# (rule, file, what is planted there)
PLANTS: tuple[tuple[Rule, str, str], ...] = (
    (rooms.contracts_ship_alone, "shared/contracts/fields.py", "import asyncpg\n"),
    (rooms.contracts_ship_alone, "shared/contracts/fields.py", "import shared.kafka\n"),
    (rooms.contracts_ship_alone, "shared/contracts/fields.py", "from ..kafka import batches\n"),
    (rooms.contracts_ship_alone, "shared/contracts/fields.py",
     "from shared.contracts.orders import Order\n"),
    (rooms.stock_words_need_nothing, "shared/stock/words.py", "import pydantic\n"),
    (rooms.stock_words_need_nothing, "shared/stock/words.py", "from shared import contracts\n"),
    (rooms.simulators_stand_alone, "services/simulators/shop.py", "import shared.postgres.pool\n"),
    (rooms.simulators_stand_alone, "services/simulators/shop.py", "from services import ledger\n"),
    (rooms.domains_know_values_only, "services/orders/domain.py", "import requests\n"),
    (rooms.domains_know_values_only, "services/orders/domain.py", "import time\n"),
    (rooms.domains_know_values_only, "services/orders/domain.py", "from random import choice\n"),
    (rooms.domains_know_values_only, "services/orders/domain.py", "from . import handlers\n"),
    (rooms.domains_know_values_only, "services/orders/domain.py", "import shared.contracts\n"),
    (rooms.decisions_are_told_the_time, "services/orders/domain.py",
     "import random\nx = random.choice([1, 2])\n"),
    (rooms.decisions_are_told_the_time, "services/orders/domain.py",
     "from datetime import datetime\nx = datetime.now()\n"),
    (rooms.decisions_are_told_the_time, "shared/stock/words.py",
     "from datetime import date\nx = date.today()\n"),
    (rooms.sql_stands_in_repositories, "services/orders/handlers.py",
     'READ = """\nselect sku\nfrom orders.lines"""\n'),
    (rooms.sql_stands_in_repositories, "services/orders/handlers.py",
     'WRITE = f"update orders.{1} set wanted = 0"\n'),
    (rooms.sql_stands_in_repositories, "services/orders/handlers.py",
     'WRITE = "with x as (select 1) insert into orders.lines select * from x"\n'),
    (rooms.sql_stands_in_repositories, "shared/kafka.py", 'X = "delete from orders.lines"\n'),
    (rooms.services_have_the_same_files, "services/orders/service.py", ""),
    (rooms.services_have_the_same_files, "services/orders/migrations/later.sql", ""),
    (rooms.folders_are_packages, "services/orders/channels/shop.py", ""),
    (rooms.services_have_a_card, "services/orders/__init__.py", "import os\n"),
    (rooms.services_have_a_card, "services/orders/__init__.py", '"""A card.' + "\n" * 8 + '"""\n'),
    (rooms.names_say_something, "shared/utils.py", ""),
    (rooms.names_say_something, "shared/hold_manager.py", ""),
    (texts.modules_are_small, "shared/long.py", "#\n" * (texts.MODULE_LINES_MAX + 1)),
    (texts.functions_are_small, "shared/long.py", LONG_FUNCTION),
    (texts.suppressions_say_why, "shared/silent.py", "x = 1  # type: " + "ignore[misc]\n"),
    (texts.suppressions_say_why, "shared/silent.py", "x = 1  # no" + "qa: F401  (unused)\n"),
    (texts.suppressions_say_why, "shared/silent.py", "x = 1  # no" + "qa  (a reason is given)\n"),
    (texts.no_file_names_a_registry, "requirements/run.txt", f"--index https://{REGISTRY}/x\n"),
    (texts.no_file_names_a_machine_path, "docs/how-to.md", f"It is in {HOME}/stocktide.\n"),
)  # fmt: skip


def name_of(rule: object) -> str:
    return getattr(rule, "__name__", "")


@pytest.mark.parametrize("rule", RULES, ids=name_of)
def test_the_project_keeps_the_rule(rule: Rule) -> None:
    found = rule(ROOT)

    assert not found, "\n".join(found)


@pytest.mark.parametrize("rule", RULES, ids=name_of)
def test_what_is_allowed_is_no_finding(rule: Rule, tmp_path: Path) -> None:
    write(tmp_path, CLEAN)

    assert rule(tmp_path) == []


@pytest.mark.parametrize(("rule", "path", "text"), PLANTS, ids=name_of)
def test_a_planted_violation_is_found(rule: Rule, path: str, text: str, tmp_path: Path) -> None:
    write(tmp_path, {**CLEAN, path: text})

    found = rule(tmp_path)

    assert len(found) == 1, found
    assert Path(path).as_posix().startswith(found[0].split(":")[0])


def test_each_rule_has_a_planted_violation() -> None:
    assert {rule for rule, _, _ in PLANTS} == set(RULES)


def write(root: Path, files: Mapping[str, str]) -> None:
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
