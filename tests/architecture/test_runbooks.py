"""Each alert has a runbook: what it means, what it costs, three commands that exist."""

import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import typer.main

from services.cli.app import app
from tests.architecture.deployment import RULES
from tests.architecture.source import ROOT

ALERT = re.compile(r"- alert: (\w+)\n(.*?)(?=\n\n|\Z)", re.DOTALL)
ALERTS: Mapping[str, str] = {name: text for name, text in ALERT.findall(RULES.read_text())}
COMMANDS = re.compile(r"## First three commands\n\n```sh\n(.*?)```", re.DOTALL)
FOLDER = ROOT / "docs" / "runbooks"


def runbook_of(alert: str) -> str:
    """The text of the page that an alert names."""
    (path,) = re.findall(r"^ +runbook: (docs/runbooks/[\w-]+\.md)$", ALERTS[alert], re.MULTILINE)
    return Path(ROOT, path).read_text()


def commands_of(page: str) -> list[str]:
    """The lines of a runbook that are to be typed first."""
    (block,) = COMMANDS.findall(page)
    return [str(line) for line in block.splitlines()]


def fault_of(line: str) -> str | None:
    """Why the command line would refuse these words; None where it would not."""
    words = shlex.split(line.split(" | ")[0])[1:]
    command: Any = typer.main.get_command(app)  # typer has a click of its own, without types
    while commands := getattr(command, "commands", None):
        if not words or words[0] not in commands:
            return f"no command {words[:1]}"
        command = commands[words.pop(0)]
    known = {name for parameter in command.params for name in parameter.opts}
    unknown = [word for word in words if word.startswith("-") and word not in known]
    return f"no option {unknown}" if unknown else None


@pytest.mark.parametrize("alert", sorted(ALERTS))
def test_an_alert_says_what_it_is_and_where_to_read_on(alert: str) -> None:
    page = runbook_of(alert)

    assert f"Alert `{alert}`, " in page
    for part in ("What it means", "What it costs meanwhile", "First three commands", "Then"):
        assert f"\n## {part}\n" in page, part
    assert re.search(r"severity: (critical|warning)", ALERTS[alert])


@pytest.mark.parametrize("alert", sorted(ALERTS))
@pytest.mark.parametrize("part", ["summary", "way_out"])
def test_an_alert_speaks_english_and_french(alert: str, part: str) -> None:
    told = dict(re.findall(r'^ +(\w+): "(.+)"$', ALERTS[alert], re.MULTILINE))
    english, french = told[part], told[f"{part}_fr"]

    assert english != french or english.startswith("stocktide ")  # a command is the same in both
    assert re.findall(r"{{.*?}}", english) == re.findall(r"{{.*?}}", french)


@pytest.mark.parametrize("alert", sorted(ALERTS))
def test_its_first_three_commands_exist(alert: str) -> None:
    commands = commands_of(runbook_of(alert))

    assert len(commands) == 3
    ours = [line for line in commands if line.startswith("stocktide ")]
    assert [fault for line in ours if (fault := fault_of(line))] == []


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        pytest.param("stocktide stock explain SKU --location L", None, id="right"),
        pytest.param("stocktide logs orders -n 200 | grep x", None, id="piped"),
        pytest.param("stocktide stock exlain SKU", "no command ['exlain']", id="no_such_command"),
        pytest.param("stocktide stock get --place L", "no option ['--place']", id="no_such_option"),
    ],
)
def test_a_command_that_does_not_exist_is_seen(line: str, fault: str | None) -> None:
    assert fault_of(line) == fault


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.md")), ids=lambda path: path.stem)
def test_a_runbook_is_an_alerts_or_in_the_index(path: Path) -> None:
    name = f"docs/runbooks/{path.name}"

    assert name in RULES.read_text() or name[5:] in (ROOT / "docs" / "README.md").read_text()
