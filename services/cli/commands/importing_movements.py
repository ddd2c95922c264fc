"""`import movements FILE` and `import counts FILE`: what moved, or what was counted, from a file.

The file is read twice: every row is checked before the first one is sent. A row without a paper of
its own has the file's name and its line for one, so that the same file twice is the same events.
"""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import IO, Any, Final
from zoneinfo import ZoneInfo

from aiokafka.errors import KafkaError
from pydantic import TypeAdapter, ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from services.catalog.handlers.cells import Finding, WrongCell, moment_in, read_row
from services.catalog.handlers.columns import Column, Layout, layout_for
from services.catalog.handlers.files import BrokenRow, Row, Table, UnreadableFile, open_table
from services.catalog.handlers.staging import header_of
from services.catalog.settings import CatalogSettings
from services.cli.commands.importing import print_findings
from services.cli.console import print_json, say
from services.cli.exits import CommandError, Exit
from services.cli.state import running_stack
from services.cli.texts import tr
from shared.contracts.cloudevents import headers_for
from shared.contracts.fields import Identifier
from shared.contracts.movements import StockMovement
from shared.contracts.references import Document
from shared.contracts.topics import STOCK_MOVEMENTS
from shared.kafka.producing import Outgoing, open_producer, send_all
from shared.runtime.clock import SystemClock
from shared.runtime.settings import StackSettings

# What only a message can say: a file has rows, not facts that others name.
WITHOUT: Final = ("corrects", "reverses")
REFUSALS_MAX: Final = 1_000
PART_ROWS: Final = 2_000
AHEAD_MAX: Final = timedelta(minutes=5)
PAPER: Final = "import"
ROWS_MAX: Final = 100_000_000  # as long as a line's number may get
NAME: Final = TypeAdapter(Identifier)


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """How a file is to be read: what its rows leave out, and who says it."""

    kind: str
    source: str
    document: str
    zone: ZoneInfo
    sheet: str | None
    layout: Layout[StockMovement]


@dataclass(slots=True)
class Found:
    """What a first reading has found."""

    rows: int = 0
    good: int = 0
    refusals: list[Finding] = field(default_factory=list)
    refused: int = 0
    facts: dict[str, str] = field(default_factory=dict)

    def refuse(self, finding: Finding) -> None:
        """Count a refusal; so many are told, the others only counted."""
        self.refused += 1
        if len(self.refusals) < REFUSALS_MAX:
            self.refusals.append(finding)


def print_template(kind: str) -> Exit:
    """The header of a file of this kind."""
    say(",".join(_layout(kind).columns))
    return Exit.OK


def import_movements(
    kind: str, file: str, *, as_json: bool, dry_run: bool, partial: bool, sheet: str | None,
    zone: str, location: str | None, at: str | None, source: str, document: str | None,
) -> Exit:  # fmt: skip
    """Check every row, then send them all, or with `partial` those that are right.

    Status 0 when all rows were sent, 2 when rows are refused. Raises CommandError when the file
    can't be read, or Kafka can't be had.
    """
    in_zone = _zone_of(zone)
    paper = document or Path(file).name
    _require_name(source, tr("Give another --source: up to 200 characters, none of them control."))
    _require_name(f"{paper}/{ROWS_MAX}", tr("Give the file's paper a shorter number: --document."))
    telling = Telling(
        kind=kind, source=source, document=paper, zone=in_zone, sheet=sheet,
        layout=_layout(kind, location=location, at=_moment_of(at, in_zone)),
    )  # fmt: skip
    try:
        with Path(file).open("rb") as opened:
            found = _check(opened, telling)
            may_send = not dry_run and (partial or not found.refused)
            if may_send and found.good:
                asyncio.run(_send(_servers(), opened, telling, found))
    except OSError as error:
        raise CommandError(
            tr("{file} cannot be read: {strerror}.", file=file, strerror=error.strerror),
            tr("Name a CSV or Excel file."),
            Exit.USAGE,
        ) from error
    except UnreadableFile as error:
        found, may_send = Found(refusals=[_broken(error)], refused=1), False
    status = "checked" if dry_run and not found.refused else "applied" if may_send else "refused"
    _tell(_report(telling, file, found, status), as_json=as_json)
    return Exit.USAGE if found.refused else Exit.OK


def _require_name(name: str, way_out: str) -> None:
    """What names messages fits the contracts, or nobody could read them."""
    try:
        NAME.validate_python(name)
    except ValidationError as error:
        raise CommandError(
            tr("{name!r} can name no message.", name=name[:80]), way_out, Exit.USAGE
        ) from error


def _layout(
    kind: str, *, location: str | None = None, at: str | None = None
) -> Layout[StockMovement]:
    """The columns of such a file, and what a row has that doesn't say otherwise."""
    is_count = kind == "counts"
    told = {"type": "count" if is_count else None, "location": location, "occurred_at": at}
    given = {name: value for name, value in told.items() if value is not None}
    without = (*WITHOUT, "type") if is_count else WITHOUT
    return layout_for(kind, StockMovement, given=given, without=without)


def _zone_of(zone: str) -> ZoneInfo:
    try:
        return ZoneInfo(zone)
    except (KeyError, ValueError, OSError) as error:
        raise CommandError(
            tr("There is no time zone {zone!r}.", zone=zone),
            tr("Write one such as Europe/Paris."),
            Exit.USAGE,
        ) from error


def _moment_of(at: str | None, zone: ZoneInfo) -> str | None:
    try:
        return None if at is None else moment_in(at, zone)
    except WrongCell as error:
        raise CommandError(
            tr("--at {at!r} is no moment.", at=at),
            tr("Write one such as 2026-03-01T08:00:00+01:00."),
            Exit.USAGE,
        ) from error


def _servers() -> str:
    settings = StackSettings()
    return settings.kafka or running_stack(settings.data.absolute()).addresses.kafka


def _open(opened: IO[bytes], telling: Telling) -> Table:
    opened.seek(0)
    return open_table(
        opened, sheet=telling.sheet, unpacked_max=CatalogSettings().unpacked_bytes_max,
        is_known=lambda name: telling.layout.column(name) is not None,
    )  # fmt: skip


def _check(opened: IO[bytes], telling: Telling) -> Found:
    """Read every row and keep none. Raises UnreadableFile."""
    table = _open(opened, telling)
    found = Found(facts=table.facts)
    papers: dict[int, int] = {}
    latest = SystemClock().now() + AHEAD_MAX
    try:
        for line, read in _movements(table, telling):
            found.rows += 1
            if isinstance(read, list):
                for finding in read:
                    found.refuse(finding)
                continue
            against = _against(line, read, papers, latest)
            if against is not None:
                found.refuse(against)
            else:
                found.good += 1
    finally:
        table.let_go()
    if not found.rows:
        raise UnreadableFile("empty", "the file has a header and no rows")
    return found


def _movements(
    table: Table, telling: Telling
) -> Iterator[tuple[int, StockMovement | list[Finding]]]:
    """Every row, with its line."""
    layout = telling.layout
    header = header_of(layout, table.header)
    for row in table.rows:
        yield row.line, _movement(row, layout, header, telling)


def _movement(
    row: Row | BrokenRow,
    layout: Layout[StockMovement],
    header: Sequence[Column | None],
    telling: Telling,
) -> StockMovement | list[Finding]:
    if isinstance(row, BrokenRow):
        return [Finding(line=row.line, column=None, reason="broken_row", detail=row.detail)]
    if any(cell.strip() for cell in row.cells[len(header) :]):
        detail = f"{len(row.cells)} cells under a header of {len(header)}"
        return [Finding(line=row.line, column=None, reason="too_many_cells", detail=detail)]
    read = read_row(layout, header, row.line, row.cells, telling.zone)
    return read if isinstance(read, list) else _with_paper(read, row.line, telling)


def _with_paper(movement: StockMovement, line: int, telling: Telling) -> StockMovement:
    """The movement with a business key: a paper of several rows has a line for each."""
    paper = movement.document
    if paper is None:
        paper = Document(kind=PAPER, number=telling.document, line=str(line))
    elif paper.line is None:
        paper = paper.model_copy(update={"line": str(line)})
    else:
        return movement
    return movement.model_copy(update={"document": paper})


def _against(
    line: int, movement: StockMovement, papers: dict[int, int], latest: datetime
) -> Finding | None:
    """What a row that is right by itself has against it."""
    if movement.occurred_at > latest:
        detail = "it has not happened yet"
        return Finding(line=line, column="occurred_at", reason="in_the_future", detail=detail)
    assert movement.document is not None, "every row has a paper by now"
    paper = movement.document
    key = hash((paper.kind, paper.number, paper.line, paper.revision,
                int(movement.occurred_at.timestamp())))  # fmt: skip
    first = papers.setdefault(key, line)
    if first == line:
        return None
    detail = f"line {first} has the same document, line and moment: they would count as one"
    return Finding(line=line, column="document", reason="told_twice", detail=detail)


async def _send(servers: str, opened: IO[bytes], telling: Telling, found: Found) -> None:
    """The rows that are right, in parts that are acknowledged one after the other."""
    table, sent = _open(opened, telling), 0
    try:
        producer = await open_producer(servers)
        try:
            with _progress() as progress:
                task = progress.add_task(tr("sending"), total=found.good)
                rows = _good(table, telling)
                while part := [_outgoing(telling, *row) for row in islice(rows, PART_ROWS)]:
                    await send_all(producer, part)
                    sent += len(part)
                    progress.update(task, completed=sent)
        finally:
            await producer.stop()
    except (KafkaError, OSError, UnreadableFile) as error:  # also a file that has changed since
        raise CommandError(
            tr(
                "Kafka took {sent:,} of {rows:,} rows, and then it failed: {error!r}.",
                sent=sent,
                rows=found.good,
                error=error,
            ),
            tr("Run the same command again: what came in once counts once."),
        ) from error
    finally:
        table.let_go()


def _good(table: Table, telling: Telling) -> Iterator[tuple[int, StockMovement]]:
    papers: dict[int, int] = {}
    latest = SystemClock().now() + AHEAD_MAX
    for line, read in _movements(table, telling):
        if not isinstance(read, list) and _against(line, read, papers, latest) is None:
            yield line, read


def _outgoing(telling: Telling, line: int, movement: StockMovement) -> Outgoing:
    at = movement.occurred_at.astimezone(UTC)
    return Outgoing(
        topic=STOCK_MOVEMENTS.name, partition=STOCK_MOVEMENTS.partition_of(movement),
        key=movement.key(), value=movement.encode(),
        headers=headers_for(
            id_=f"{telling.document}/{line}", source=telling.source,
            type_=STOCK_MOVEMENTS.ce_type, time=at,
        ),
    )  # fmt: skip


def _progress() -> Progress:
    """On standard error, so that the report alone stands on standard output."""
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        console=Console(stderr=True), transient=True,
    )  # fmt: skip


def _broken(error: UnreadableFile) -> Finding:
    return Finding(line=error.line, column=None, reason=error.reason, detail=error.detail)


def _report(telling: Telling, file: str, found: Found, status: str) -> dict[str, Any]:
    sent = found.good if status == "applied" else 0
    return {
        "name": Path(file).name, "kind": telling.kind, "status": status, "rows_read": found.rows,
        "counts": {"sent": sent, "refused": found.rows - found.good}, "facts": found.facts,
        "document": telling.document, "source": telling.source,
        "refusals": [
            {"line": one.line, "column": one.column, "reason": one.reason, "detail": one.detail}
            for one in found.refusals
        ],
        "refusals_total": found.refused, "warnings": [], "warnings_total": 0,
    }  # fmt: skip


def _tell(report: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(report)
        return
    print_findings(report)
    sent = report["counts"]["sent"]
    match report["status"]:
        case "applied":
            say(
                tr(
                    "Told to the ledger: {sent:,} rows of {source}, as document {document}; what "
                    "it knew already counts once. `stocktide parked list` shows what waits.",
                    sent=sent,
                    source=report["source"],
                    document=report["document"],
                )
            )
        case "checked":
            say(tr("A dry run: nothing was sent."))
        case _:
            say(
                tr(
                    "Nothing was sent. Mend these rows and import the file again; with --partial "
                    "the others are sent without them."
                )
            )
