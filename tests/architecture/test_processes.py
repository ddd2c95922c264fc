"""The pages of processes: in both languages, about events that there are."""

import re

import pytest

from shared.contracts.accounts import Bucket
from shared.contracts.movements import StockMovement, accounts_of
from tests.architecture.source import ROOT

FOLDER = ROOT / "docs" / "processes"
ENGLISH = sorted(path.name for path in (FOLDER / "en").glob("*.md"))
EXAMPLE = re.compile(r"^```json\n(.+)\n```$", re.MULTILINE)
ROW = re.compile(r"^\| (?:[\w-]+, )?(\w+) \| (.*) \| (.*) \|$", re.MULTILINE)
WORD = re.compile(r"`([^`]+)`")


def test_every_page_stands_in_both_languages_and_in_the_list() -> None:
    listed = (FOLDER / "README.md").read_text()

    assert sorted(path.name for path in (FOLDER / "fr").glob("*.md")) == ENGLISH
    links = [f"({language}/{name})" for name in ENGLISH for language in ("en", "fr")]
    assert [link for link in links if link not in listed] == []


@pytest.mark.parametrize("name", ENGLISH)
def test_both_languages_say_the_same_of_events_and_figures(name: str) -> None:
    english, french = ((FOLDER / language / name).read_text() for language in ("en", "fr"))

    assert words(english) == words(french)
    assert EXAMPLE.findall(english) == EXAMPLE.findall(french)
    assert ROW.findall(english)[1:] == ROW.findall(french)[1:]
    assert english.count("\n## ") == french.count("\n## ") >= 4


@pytest.mark.parametrize("name", ENGLISH)
def test_an_example_is_a_movement_and_does_what_its_table_says(name: str) -> None:
    """Of the change that the table shows, the sellable side follows from the example's accounts."""
    text = (FOLDER / "en" / name).read_text()
    for example in EXAMPLE.findall(text):
        movement = StockMovement.decode(example.encode())
        if movement.type in ("count", "opening") or "revision" in example:
            continue  # they set the account, or change it by a difference
        came_from, goes_to = accounts_of(movement)
        change = 0
        change -= movement.quantity if came_from.bucket is Bucket.SELLABLE else 0
        change += movement.quantity if goes_to.bucket is Bucket.SELLABLE else 0
        shown = [int(after) - int(before) for bucket, before, after in _figures(text)
                 if bucket == "sellable"]  # fmt: skip
        assert shown == [change], example


def words(text: str) -> set[str]:
    """What the page names as the contracts and commands do."""
    told = EXAMPLE.sub("", text).replace("```json\n\n```", "")
    return {" ".join(word.split()) for word in WORD.findall(told)}


def _figures(text: str) -> list[tuple[str, str, str]]:
    return [row for row in ROW.findall(text) if row[1].lstrip("-").isdigit()]
