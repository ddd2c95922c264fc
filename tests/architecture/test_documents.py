"""What the project's documents say is so: links, words, settings, targets, examples."""

import importlib
import os
import re
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from shared.contracts.accounts import Bucket, MovementType
from shared.contracts.cloudevents import Event, decode_structured
from shared.contracts.records import Message
from shared.contracts.topics import TOPICS
from shared.runtime.settings import Settings, StackSettings
from shared.stock.policies import Term
from tests.architecture.source import ROOT, files_of

# Apache License 2.0 as its makers publish it, byte for byte.
LICENSE_SHA256 = "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"
TARGETS = ("help", "demo", "test", "check", "test-system", "bench", "up", "down")
SECTIONS = ["Context", "Decision", "Consequences", "Alternatives", "Enforced by"]
SET_BY_THE_SUPERVISOR = "STOCKTIDE_SUPERVISOR"

PAGES = [path for path in files_of(ROOT) if path.endswith(".md")]
RECORDS = sorted((ROOT / "docs" / "adr").glob("*.md"))
LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)")
PATH = re.compile(r"`((?:services|shared|tests|docs|benchmarks)/[\w./]+\.(?:py|sql|md))`")
EVENT_LINE = re.compile(r'^\{"specversion".*\}$', re.MULTILINE)
VARIABLE = re.compile(r"^(?:# )?(STOCKTIDE_\w+)=", re.MULTILINE)


def settings_classes() -> Iterator[type[Settings]]:
    """The stack's settings and each service's, found where the house's rules put them."""
    yield StackSettings
    for path in sorted((ROOT / "services").glob("*/settings.py")):
        module = importlib.import_module(f"services.{path.parent.name}.settings")
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, Settings) and value is not Settings:
                yield value


def defaults() -> dict[str, str]:
    """The plain default of every setting that has one, as it is written in the environment."""
    found: dict[str, str] = {}
    for cls in settings_classes():
        for name, field in cls.model_fields.items():
            if isinstance(field.default, bool):
                found[cls.variable(name)] = str(field.default).lower()
            elif isinstance(field.default, str | int | float | Path):
                found[cls.variable(name)] = str(field.default)
    return found


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page: str) -> None:
    folder = (ROOT / page).parent

    dead = [link for link in LINK.findall(read(page)) if not (folder / link).exists()]

    assert dead == []


@pytest.mark.parametrize("page", [*PAGES, "shared/kafka/consuming.py"])
def test_every_file_that_is_named_exists(page: str) -> None:
    named = PATH.findall(read(page)) + re.findall(r"docs/runbooks/[\w-]+\.md", read(page))

    assert [path for path in named if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("record", RECORDS, ids=lambda path: path.stem)
def test_a_decision_record_is_whole_and_listed(record: Path) -> None:
    text = record.read_text()

    assert re.match(rf"# {record.stem[:4]}: \S", text)
    assert "\nStatus: " in text
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == SECTIONS
    assert f"(adr/{record.name})" in read("docs/README.md")


def test_decision_records_are_numbered_in_order() -> None:
    assert [int(record.name[:4]) for record in RECORDS] == list(range(1, len(RECORDS) + 1))


@pytest.mark.parametrize("word", [*MovementType, *Bucket, *Term])
def test_the_glossary_has_every_word_of_the_contracts(word: str) -> None:
    assert f"`{word}`" in read("GLOSSARY.md")


def test_the_first_events_of_the_readme_are_valid() -> None:
    lines = EVENT_LINE.findall(read("README.md"))
    topics = {topic.ce_type: topic for topic in TOPICS}

    events = [decode_structured(line.encode()) for line in lines]

    assert len(events) == 5
    for event in events:
        assert isinstance(event, Event), event
        message = topics[event.headers.type].decode(event.data)
        assert isinstance(message, Message), message


def test_every_setting_stands_in_the_example_and_no_other() -> None:
    listed = VARIABLE.findall(read(".env.example"))

    known = {name for cls in settings_classes() for name in map(cls.variable, cls.model_fields)}

    assert sorted(listed) == sorted(known - {SET_BY_THE_SUPERVISOR})


@pytest.mark.parametrize(("variable", "default"), sorted(defaults().items()))
def test_the_example_shows_the_default(variable: str, default: str) -> None:
    assert f"\n# {variable}={default}\n" in read(".env.example")


@pytest.mark.parametrize("target", TARGETS)
def test_the_makefile_has_the_target_and_help_tells_it(target: str) -> None:
    assert re.search(rf"^{target}:.*## \S", read("Makefile"), re.MULTILINE)


def test_ci_runs_check_then_test_then_system_tests() -> None:
    script = read(".ci/run")

    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    assert script.startswith("#!/usr/bin/env bash\n")
    assert "\nset -euo pipefail\nexport CI=true\n" in script
    assert script.index("timed check") < script.index("timed test") < script.index("test-system\n")


def test_the_license_is_the_whole_apache_2_text() -> None:
    assert sha256((ROOT / "LICENSE").read_bytes()).hexdigest() == LICENSE_SHA256


def read(path: str) -> str:
    return (ROOT / path).read_text()
