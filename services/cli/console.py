"""What commands print: tables for people, JSON for programs."""

import json
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table

from services.cli.texts import tr

# Not bound to a stream here: tests and redirections replace sys.stdout later.
WIDTH_WITHOUT_TERMINAL = 120


def console() -> Console:
    """Standard output; without a terminal lines keep a width that a table fits into."""
    made = Console(highlight=False)
    return made if made.is_terminal else Console(highlight=False, width=WIDTH_WITHOUT_TERMINAL)


def say(sentence: str) -> None:
    """One line for a person, at once also through a pipe."""
    made = console()
    made.print(sentence, markup=False, soft_wrap=True)
    made.file.flush()


def write(text: str) -> None:
    """Text as it is, for a file or another program."""
    console().file.write(text)


def print_json(value: object) -> None:
    """One JSON document; times and ids as text."""
    console().file.write(json.dumps(value, default=str, ensure_ascii=False, indent=2) + "\n")


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table; numbers to the right. Its title is told already, its columns are not."""
    table = Table(title=title, title_justify="left", header_style="bold")
    found = [list(row) for row in rows]
    for place, column in enumerate(columns):
        numeric = bool(found) and all(isinstance(row[place], int | float) for row in found)
        table.add_column(
            column and tr(column), justify="right" if numeric else "left", overflow="fold"
        )
    for row in found:
        table.add_row(*("–" if cell is None else str(cell) for cell in row))
    console().print(table)
