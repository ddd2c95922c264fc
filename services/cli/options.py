"""What the commands' definitions share."""

from typing import Annotated, NoReturn

import typer

from services.cli.exits import Exit

AsJson = Annotated[bool, typer.Option("--json", help="Answer in JSON, for programs.")]


def end(status: Exit) -> NoReturn:
    """Leave with this status."""
    raise typer.Exit(int(status))
