"""English and French: nothing is said in one language alone."""

import ast
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest

import services.cli
from services.cli import texts
from services.cli.texts import of_locale, speak, tr, word
from services.cli.texts.french import FRENCH
from services.cli.texts.french_words import COLUMNS, WORDS

SOURCES = [
    path
    for path in Path(services.cli.__file__).parent.rglob("*.py")
    if not path.name.startswith("french")
]
# Calls whose arguments people read, by place.
SAID = {"say": (0,), "CommandError": (0, 1), "add_row": (0,), "add_column": (0,)}


@pytest.fixture(autouse=True)
def _chosen_anew() -> Iterator[None]:
    before = list(texts._chosen)
    yield
    texts._chosen[:] = before


def calls() -> Iterator[tuple[Path, ast.Call, str]]:
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
                name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
                yield path, node, name


def told() -> set[str]:
    """Every text that is given to `tr`, and every column of a table."""
    found: set[str] = set()
    for _, node, name in calls():
        given = node.args[:1] if name == "tr" else node.args[1:2] if name == "print_table" else []
        for one in given:
            found |= {
                part.value
                for part in ast.walk(one)
                if isinstance(part, ast.Constant) and isinstance(part.value, str) and part.value
            }
    return found


def constants() -> set[str]:
    return {
        node.value
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def placeholders(text: str) -> set[tuple[str, str | None]]:
    return {(name, spec) for _, name, spec, _ in Formatter().parse(text) if name}


def test_everything_that_is_said_has_its_french() -> None:
    assert sorted(text for text in told() if text not in FRENCH | COLUMNS | WORDS) == []


def test_nothing_is_translated_that_nobody_says() -> None:
    assert sorted(set(FRENCH | COLUMNS) - constants()) == []


def test_a_text_and_its_french_have_the_same_placeholders() -> None:
    assert [one for one, other in FRENCH.items() if placeholders(one) != placeholders(other)] == []


def test_nothing_is_said_beside_the_texts() -> None:
    """A literal with words, given to what prints, has not gone through `tr`."""
    bare: list[str] = []
    for path, node, name in calls():
        for place in SAID.get(name, ()):
            given = node.args[place] if place < len(node.args) else None
            if isinstance(given, ast.Constant | ast.JoinedStr) and _has_words(given):
                bare.append(f"{path.name}:{node.lineno}")
    assert bare == []


def _has_words(node: ast.Constant | ast.JoinedStr) -> bool:
    parts = node.values if isinstance(node, ast.JoinedStr) else [node]
    literal = " ".join(str(part.value) for part in parts if isinstance(part, ast.Constant))
    return any(len(piece) > 1 and piece.isalpha() for piece in literal.split())


def test_french_numbers_are_written_the_french_way() -> None:
    speak("fr")

    assert (
        tr("{file} has {size:,} bytes; the catalog takes {most:,}.", file="f", size=12_345, most=1)
        == "f fait 12\N{NARROW NO-BREAK SPACE}345 octets ; le catalogue en accepte 1."
    )
    assert tr("{age:.1f} s ago", age=1.25) == "il y a 1,2 s"
    assert (word("sellable"), word("L1"), word(7)) == ("vendable", "L1", 7)


def test_english_stands_as_it_is_said() -> None:
    speak("en")

    assert tr("{age:.1f} s ago", age=1.25) == "1.2 s ago"
    assert word("sellable") == "sellable"


@pytest.mark.parametrize(
    ("environ", "language"),
    [
        pytest.param({"LANG": "fr_FR.UTF-8"}, "fr", id="french"),
        pytest.param({"LANG": "fr_FR.UTF-8", "LC_ALL": "de_DE"}, "en", id="all_wins"),
        pytest.param({"LANG": "en_US", "LC_MESSAGES": "fr"}, "fr", id="messages_win"),
        pytest.param({"LANG": "C"}, "en", id="c"),
        pytest.param({}, "en", id="nothing"),
    ],
)
def test_the_locale_says_the_language(environ: dict[str, str], language: str) -> None:
    assert of_locale(environ) == language


def test_the_setting_comes_before_the_locale(monkeypatch: pytest.MonkeyPatch) -> None:
    texts._chosen.clear()
    monkeypatch.setenv("LANG", "fr_FR.UTF-8")
    monkeypatch.setenv("STOCKTIDE_LANGUAGE", "en")

    assert texts.language() == "en"
