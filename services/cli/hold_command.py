"""`stocktide holds …`: its options. Only what `--help` needs is imported here."""

from typing import Annotated

import typer

from services.cli.options import AsJson, end

holds = typer.Typer(no_args_is_help=True, help="Units that are held for somebody.")


@holds.command("list")
def holds_list(
    *,
    location: Annotated[str | None, typer.Option(help="Only this location's.")] = None,
    sku: Annotated[str | None, typer.Option(help="Only this SKU's, at the location.")] = None,
    overdue: Annotated[
        bool, typer.Option("--overdue", help="Open for longer than their kind allows, anywhere.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """What is held at a location, or is overdue, in order of arrival."""
    from services.cli.commands.holds import list_holds

    end(list_holds(location, sku, overdue=overdue, as_json=as_json))


@holds.command("show")
def holds_show(
    hold_id: Annotated[str, typer.Argument(metavar="ID")], *, as_json: AsJson = False
) -> None:
    """A hold and its lines, as it stands."""
    from services.cli.commands.holds import show_hold

    end(show_hold(hold_id, as_json=as_json))


@holds.command("release")
def holds_release(
    ids: Annotated[list[str], typer.Argument(metavar="ID…")],
) -> None:
    """Give the units of holds back. One that has ended is left as it is."""
    from services.cli.commands.holds import release_holds

    end(release_holds(ids))
