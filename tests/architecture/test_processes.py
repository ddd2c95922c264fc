"""The pages of processes: in both languages, of words that there are, with examples that are so."""

import re
from collections import defaultdict
from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from importlib import import_module
from pkgutil import iter_modules

import pytest
from pydantic import BaseModel

from shared import contracts
from shared.contracts.accounts import Bucket
from shared.contracts.movements import StockMovement, accounts_of
from shared.contracts.records import Message, Record
from shared.contracts.topics import (
    ORDERS,
    REFERENCE_DATA,
    STOCK_MOVEMENTS,
    SUPPLY_ORDERS,
    TOPICS,
    Topic,
)
from shared.stock.policies import Term
from tests.architecture.source import ROOT, modules_of

FOLDER = ROOT / "docs" / "processes"
ENGLISH = sorted(path.name for path in (FOLDER / "en").glob("*.md"))
EXAMPLE = re.compile(r"^```json\n(.+)\n```$", re.MULTILINE)
ROW = re.compile(r"^\| (?:([\w-]+), )?(\w+) \| (.*) \| (.*) \|$", re.MULTILINE)
WORD = re.compile(r"`([^`]+)`")
NUMBER = re.compile(r"[+−-]?\d+")
ROUTE = re.compile(r"(?:GET|POST) (/v1/[\w/{}-]+)")
# What no contract names: CloudEvents' headers.
OF_THE_HEADERS = frozenset({"ce_source"})


def test_every_page_stands_in_both_languages_and_in_the_list() -> None:
    listed = (FOLDER / "README.md").read_text()

    assert sorted(path.name for path in (FOLDER / "fr").glob("*.md")) == ENGLISH
    links = [f"({language}/{name})" for name in ENGLISH for language in ("en", "fr")]
    assert [link for link in links if link not in listed] == []


@pytest.mark.parametrize("name", ENGLISH)
def test_both_languages_say_the_same_of_events_and_figures(name: str) -> None:
    english, french = page("en", name), page("fr", name)

    assert words(english) == words(french)
    assert EXAMPLE.findall(english) == EXAMPLE.findall(french)
    assert ROW.findall(english) == ROW.findall(french)
    assert english.count("\n## ") == french.count("\n## ") >= 4


@pytest.mark.parametrize("name", ENGLISH)
def test_a_page_names_only_what_there_is(name: str) -> None:
    unknown = [word for word in words(page("en", name)) if not is_known(word)]

    assert sorted(unknown) == []


@pytest.mark.parametrize("name", ENGLISH)
def test_an_example_is_a_message_of_a_topic_and_uses_only_its_fields(name: str) -> None:
    for example in EXAMPLE.findall(page("en", name)):
        message = topic_of(example).decode(example.encode())

        assert isinstance(message, Message), message
        assert field_names(example) <= names_of_contracts(), example


@pytest.mark.parametrize("name", ENGLISH)
def test_figures_of_buckets_follow_from_the_movements_accounts(name: str) -> None:
    """All but anchors and corrections, which set an account or change it by a difference."""
    text = page("en", name)
    changes, is_moved = moved_by(text)
    for place, bucket, before, after in ROW.findall(text):
        if is_moved and bucket in set(Bucket):
            shown = number(after) - number(before)
            assert shown == changes.get((place, bucket), 0), (place, bucket)


def moved_by(text: str) -> tuple[Mapping[tuple[str, str], int], bool]:
    """(location or SKU or nothing, bucket) → units that the page's movements add, if it has any."""
    changes: dict[tuple[str, str], int] = defaultdict(int)
    is_moved = False
    for example in EXAMPLE.findall(text):
        if topic_of(example) is not STOCK_MOVEMENTS:
            continue
        movement = StockMovement.decode(example)
        if movement.type in ("count", "opening") or "revision" in example:
            continue
        is_moved = True
        for account, sign in zip(accounts_of(movement), (-1, 1), strict=True):
            for place in ("", account.location, movement.sku):
                changes[place, account.bucket.value] += sign * movement.quantity
    return changes, is_moved


def number(cell: str) -> int:
    """A cell's figure; one that shows only the change leaves the other cell empty."""
    found = NUMBER.fullmatch(cell or "0")
    assert found is not None, cell
    return int(found[0].replace("−", "-"))


def topic_of(example: str) -> Topic:
    """Which topic an example belongs on."""
    if '"order_id"' in example and '"lines"' in example:
        return ORDERS
    if '"supply_id"' in example and '"lines"' in example:
        return SUPPLY_ORDERS
    return REFERENCE_DATA if example.startswith('{"kind"') else STOCK_MOVEMENTS


def field_names(example: str) -> set[str]:
    """Every key of the example: a reader passes over what it does not know, a page must not."""
    return set(re.findall(r'"(\w+)":', example))


def page(language: str, name: str) -> str:
    """A page's text."""
    return (FOLDER / language / name).read_text()


def words(text: str) -> set[str]:
    """What the page names as the contracts and commands do."""
    told = EXAMPLE.sub("", text).replace("```json\n\n```", "")
    return {" ".join(word.split()) for word in WORD.findall(told)}


def is_known(word: str) -> bool:
    """Is it a word of the contracts, a command, a route, a metric, a setting or a file?"""
    if (route := ROUTE.fullmatch(word)) is not None:
        return route[1] in routes()
    if word.startswith("stocktide "):
        return f"`{word.removeprefix('stocktide ')}" in read("docs/command-line.md")
    if word.startswith("stocktide_"):
        return f"`{word}`" in read("docs/metrics.md")
    if word.startswith("STOCKTIDE_"):
        return f"\n# {word}=" in read(".env.example")
    if "/" in word:
        return (ROOT / word).exists()
    return word in names_of_contracts() | OF_THE_HEADERS | constants() | acts_on_holds()


@cache
def names_of_contracts() -> frozenset[str]:
    """Topics, fields by their names on the wire, and values of enumerations."""
    names = {topic.name for topic in TOPICS} | {str(term) for term in Term}
    for found in iter_modules(contracts.__path__, "shared.contracts."):
        for value in vars(import_module(found.name)).values():
            if isinstance(value, type) and issubclass(value, StrEnum):
                names |= {str(member) for member in value}
            elif isinstance(value, type) and issubclass(value, Record):
                names |= fields_of(value)
    return frozenset(names)


def fields_of(model: type[BaseModel]) -> set[str]:
    """A model's fields as they stand in JSON; of a literal one, its value is a word too."""
    names = {field.serialization_alias or name for name, field in model.model_fields.items()}
    kind = model.model_fields.get("kind")
    return names | set(getattr(kind.annotation, "__args__", ()) if kind is not None else ())


@cache
def constants() -> frozenset[str]:
    """Reasons and sources of our own, in quotes in a handler or a domain; no plain words."""
    pattern = re.compile(r'"([a-z]+(?:[_:][a-z]+)+|snapshot)"')
    rooms = ("services.ledger", "services.orders", "services.ingestion", "services.catalog")
    texts = [module.text for module in modules_of(ROOT) if module.name.startswith(rooms)]
    return frozenset(word for text in texts for word in pattern.findall(text))


@cache
def routes() -> frozenset[str]:
    """Paths under `/v1/` that a service answers."""
    texts = [module.text for module in modules_of(ROOT) if module.name.startswith("services.")]
    return frozenset(path for text in texts for path in re.findall(r'"(/v1/[^"]+)"', text))


def acts_on_holds() -> frozenset[str]:
    """What can be done to a hold."""
    begins = "/v1/holds/{hold_id}/"
    return frozenset(path.removeprefix(begins) for path in routes() if path.startswith(begins))


@cache
def read(path: str) -> str:
    """A document's text."""
    return (ROOT / path).read_text()
