"""`stocktide count …`: its options. Only what `--help` needs is imported here."""

from typing import Annotated

import typer

from services.cli.options import AsJson, end

count = typer.Typer(no_args_is_help=True, help="Count sheets, and what counts have found.")


@count.command("sheet")
def count_sheet(
    location: str,
    *,
    suspended: Annotated[
        bool, typer.Option("--suspended", help="Only what was looked for in vain.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """A CSV of what to count at a location, to fill in and `stocktide import counts`."""
    from services.cli.commands.counts import print_sheet

    end(print_sheet(location, only_suspended=suspended, as_json=as_json))


@count.command("list")
def count_list(
    *,
    location: Annotated[str | None, typer.Option(help="Only this location's.")] = None,
    sku: Annotated[str | None, typer.Option(help="Only this SKU's.")] = None,
    since: Annotated[str | None, typer.Option(help="From when on; the last 30 days else.")] = None,
    recounts: Annotated[
        bool, typer.Option("--recounts", help="Only what is to be counted again.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """What counts have found: variance, value, and what is to be counted again."""
    from services.cli.commands.counts import list_counts

    end(list_counts(location, sku, since, only_recounts=recounts, as_json=as_json))


@count.command("close")
def count_close(
    location: str,
    *,
    until: Annotated[str | None, typer.Option(help="Counts up to this time; now else.")] = None,
    as_json: AsJson = False,
) -> None:
    """Close a location's counts: their variances stay, and what comes late is shown apart."""
    from services.cli.commands.counts import close_counts

    end(close_counts(location, until, as_json=as_json))
