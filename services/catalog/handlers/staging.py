"""A file's rows as they are read: each a record with what becomes of it, or what is wrong."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from zoneinfo import ZoneInfo

from services.catalog.domain.entering import Entering, Reason, Version, enter
from services.catalog.handlers.cells import Finding, read_row
from services.catalog.handlers.columns import Column, Layout
from services.catalog.handlers.files import BrokenRow, Row, Table, UnreadableFile
from services.catalog.handlers.translating import policy_of, references_of, row_of
from services.catalog.repository import imports
from services.catalog.repository.imports import FindingRow, StagedRow
from services.catalog.repository.rows import RecordRow
from shared.contracts.dated import Dated
from shared.contracts.policies import Policy
from shared.contracts.records import Record
from shared.postgres.connecting import Connection
from shared.stock.policies import accepts

SLICE = 2_000
SAID = {
    Reason.REVISION_TOO_LOW: "what is kept differs, and its revision is {revision}: this row's is "
    "not above it; leave the column out to take the next one",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadRow:
    """A row that is a record, and what it names (line, column, kind, thing)."""

    line: int
    row: RecordRow
    references: tuple[tuple[int, str, str, str], ...]


@dataclass(slots=True)
class Chunk:
    """Some rows of a file, read; `broken` is why no more can be."""

    rows: list[ReadRow] = field(default_factory=list)
    findings: list[FindingRow] = field(default_factory=list)
    count: int = 0
    broken: UnreadableFile | None = None

    @property
    def is_last(self) -> bool:
        return self.count < SLICE


def header_of(layout: Layout[Record], told: Sequence[str]) -> list[Column | None]:
    """The columns that a header names; None for `kind`, which the command has told.

    Raises UnreadableFile for a name that isn't one, one twice, or one that is missing.
    """
    names = [name.strip().lower() for name in told]
    unknown = [n for n in names if n != "kind" and layout.column(n) is None]
    if unknown:
        near = difflib.get_close_matches(unknown[0], layout.columns, n=1)
        hint = f"; is it {near[0]}?" if near else ""
        known = ", ".join(sorted(layout.columns))
        detail = f"{layout.kind} has no column {unknown[0][:60]!r}{hint} There are: {known}"
        raise UnreadableFile("unknown_column", detail, line=1)
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UnreadableFile("column_twice", f"the column {twice[0]} stands there twice", line=1)
    missing = sorted(layout.required - set(names))
    if missing:
        detail = f"these columns are missing: {', '.join(missing)}"
        raise UnreadableFile("missing_column", detail, line=1)
    return [layout.column(name) for name in names]


class RowReader:
    """Reads a table's rows in chunks; runs in a thread, since it is work for the processor."""

    def __init__(self, table: Table, layout: Layout[Dated], zone: ZoneInfo) -> None:
        self._table = table
        self._layout = layout
        self._zone = zone
        self._header = header_of(layout, table.header)
        self.counts_revisions = "revision" in [n.strip().lower() for n in table.header]

    def chunk(self) -> Chunk:
        """The next rows; nothing is raised for what they hold."""
        found = Chunk()
        try:
            for row in islice(self._table.rows, SLICE):
                found.count += 1
                self._read(found, row)
        except UnreadableFile as error:
            found.broken = error
        return found

    def _read(self, found: Chunk, row: Row | BrokenRow) -> None:
        if isinstance(row, BrokenRow):
            found.findings.append(refusal(row.line, None, "broken_row", row.detail))
            return
        if any(cell.strip() for cell in row.cells[len(self._header) :]):
            detail = f"{len(row.cells)} cells under a header of {len(self._header)}"
            found.findings.append(refusal(row.line, None, "too_many_cells", detail))
            return
        record = read_row(self._layout, self._header, row.line, row.cells, self._zone)
        if isinstance(record, list):
            found.findings.extend(map(_refused, record))
            return
        judged = _judged(record, row.line)
        found.findings.extend(judged)
        if any(one.is_refusal for one in judged):
            return
        references = {(row.line, *one) for one in references_of(record) if not record.deleted}
        found.rows.append(
            ReadRow(line=row.line, row=row_of(record), references=tuple(sorted(references)))
        )


def _judged(record: Dated, line: int) -> list[FindingRow]:
    """What a policy's term has against its value."""
    if not isinstance(record, Policy):
        return []
    policy = policy_of(record)
    if policy is None:
        detail = f"no service reads the term {record.term} with such a value"
        return [FindingRow(line=line, column="term", is_refusal=False, reason="unknown_term",
                           detail=detail)]  # fmt: skip
    if not accepts(policy.term, policy.value):
        detail = f"{record.value} makes no sense for {policy.term}"
        return [refusal(line, "value", Reason.VALUE_NOT_ACCEPTED, detail)]
    return []


async def stage(
    connection: Connection, import_id: int, kind: str, chunk: Chunk, *, counts_revisions: bool
) -> None:
    """Keep a chunk: its rows beside what is known of their records, what they name, findings."""
    kept = await imports.versions(connection, kind, [one.row.record_id for one in chunk.rows])
    staged: list[StagedRow] = []
    findings = list(chunk.findings)
    for one in chunk.rows:
        found = _entering(one.row, kept, counts_revisions=counts_revisions)
        if isinstance(found, Reason):
            detail = SAID[found].format(revision=kept[one.row.record_id][0])
            findings.append(refusal(one.line, "revision", found, detail))
        else:
            row = replace(one.row, revision=found.revision)
            staged.append(StagedRow(line=one.line, fate=found.fate, row=row))
    named = {(one[2], one[3]) for row in chunk.rows for one in row.references}
    unknown = await imports.unknown_of(connection, named) if named else set()
    references = [
        one for row in chunk.rows for one in row.references if (one[2], one[3]) in unknown
    ]
    await imports.stage(connection, import_id, staged, references)
    await imports.find(connection, import_id, findings)


def _entering(
    row: RecordRow, kept: dict[str, tuple[int, bytes]], *, counts_revisions: bool
) -> Entering | Reason:
    told = Version(revision=row.revision if counts_revisions else None, content=row.content)
    before = kept.get(row.record_id)
    return enter(told, None if before is None else Version(revision=before[0], content=before[1]))


def refusal(line: int, column: str | None, reason: str, detail: str) -> FindingRow:
    """Why a row is refused."""
    return FindingRow(line=line, column=column, is_refusal=True, reason=reason, detail=detail)


def _refused(found: Finding) -> FindingRow:
    return refusal(found.line, found.column, found.reason, found.detail)
