"""`stocktide import`: its options. Only what `--help` needs is imported here."""

from typing import Annotated

import typer

from services.cli.exits import CommandError, Exit
from services.cli.options import AsJson, end
from services.cli.texts import tr

# Of movements and counts; reference data has none of these.
MOVING = ("movements", "counts")
SOURCE = "stocktide:import"


Kind = Annotated[
    str | None,
    typer.Argument(
        metavar="KIND", help="product, identifier, listing, policy …; movements or counts."
    ),
]
File = Annotated[str | None, typer.Argument(metavar="FILE", help="CSV, .csv.gz or .xlsx.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Check it, change nothing.")]
Partial = Annotated[
    bool, typer.Option("--partial", help="Let good rows in where others are refused.")
]
Sheet = Annotated[str | None, typer.Option(help="Sheet of an Excel file.")]
Zone = Annotated[str, typer.Option(help="Time zone of moments that tell none.")]
Location = Annotated[str | None, typer.Option(help="Movements, counts: where, if rows don't say.")]
At = Annotated[str | None, typer.Option(help="Movements, counts: when, if rows don't say.")]
Source = Annotated[
    str | None, typer.Option(help="Movements, counts: who says so.", show_default=SOURCE)
]
DocumentNumber = Annotated[
    str | None,
    typer.Option("--document", help="Movements, counts: the paper's number; the file's name else."),
]
Template = Annotated[
    str | None, typer.Option(metavar="KIND", help="Print the header of a kind's file.")
]


def import_(
    kind: Kind = None,
    file: File = None,
    *,
    dry_run: DryRun = False,
    partial: Partial = False,
    sheet: Sheet = None,
    zone: Zone = "UTC",
    location: Location = None,
    at: At = None,
    source: Source = None,
    document: DocumentNumber = None,
    template: Template = None,
    as_json: AsJson = False,
) -> None:
    """Bring in a file: products, codes, places, policies …, movements or counts. All or nothing."""
    from services.cli.commands import importing, importing_movements

    if template is not None:
        moves = template in MOVING
        end((importing_movements if moves else importing).print_template(template))
    if kind is None or file is None:
        raise CommandError(tr("What, and from where?"), tr("Name KIND and FILE."), Exit.USAGE)
    if kind in MOVING:
        end(
            importing_movements.import_movements(
                kind, file, as_json=as_json, dry_run=dry_run, partial=partial, sheet=sheet,
                zone=zone, location=location, at=at, source=source or SOURCE, document=document,
            )
        )  # fmt: skip
    told = {"--location": location, "--at": at, "--source": source, "--document": document}
    if strange := [name for name, value in told.items() if value is not None]:
        raise CommandError(
            tr("{kind} has no {options}.", kind=kind, options=", ".join(strange)),
            tr("These are for movements and counts; leave them out."),
            Exit.USAGE,
        )
    end(
        importing.import_file(
            kind, file, as_json=as_json, dry_run=dry_run, partial=partial, sheet=sheet, zone=zone
        )
    )
