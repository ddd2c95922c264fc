"""A file as rows of text: CSV (also packed) and Excel sheets, whatever is wrong with them told.

CSV: the delimiter is the one of `,` `;` tab under which the header names most columns; UTF-8 with
or without a mark, UTF-16 with one, else Windows-1252, and the report says so. Nothing is read into
memory whole.
"""

import codecs
import csv
import gzip
import io
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import IO, Final, cast
from xml.etree.ElementTree import ParseError

from services.catalog.handlers.cells import text_of

LINE_CHARS_MAX: Final = 1_000_000
COLUMNS_MAX: Final = 500
CHUNK_BYTES: Final = 1_048_576
DELIMITERS: Final = (",", ";", "\t")
GZIP_MARK: Final = b"\x1f\x8b"
ZIP_MARK: Final = b"PK\x03\x04"
UTF16_MARKS: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
PACKING_FAULTS: Final = (EOFError, gzip.BadGzipFile, zlib.error)
SHEET_FAULTS: Final = (
    zipfile.BadZipFile, KeyError, ValueError, TypeError, AttributeError,
    ParseError, NotImplementedError, *PACKING_FAULTS,
)  # fmt: skip


class UnreadableFile(Exception):  # noqa: N818  (it names what was found)
    """A file that can't be read, or not further than `line`."""

    def __init__(self, reason: str, detail: str, *, line: int = 0) -> None:
        super().__init__(detail)
        self.reason, self.detail, self.line = reason, detail, line


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row's cells, by the line (of a sheet: the row) on which it begins, from 1."""

    line: int
    cells: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenRow:
    """A row that is no row; those after it are."""

    line: int
    detail: str


@dataclass(slots=True, kw_only=True)
class Table:
    """The header's names, the rows below, and how the file was understood."""

    header: list[str]
    rows: Iterator[Row | BrokenRow]
    let_go: Callable[[], object]
    """Called when no more rows are read; the file itself stays open."""
    facts: dict[str, str] = field(default_factory=dict)


def open_table(
    file: IO[bytes], *, sheet: str | None, unpacked_max: int, is_known: Callable[[str], bool]
) -> Table:
    """The table in a file. Raises UnreadableFile; so may the rows, when they are read."""
    mark = file.read(4)
    file.seek(0)
    if mark == ZIP_MARK:
        return _open_sheet(file, sheet, unpacked_max)
    if sheet is not None:
        raise UnreadableFile("no_sheets", "only an Excel file has sheets")
    facts = {"format": "csv"}
    if mark[:2] == GZIP_MARK:
        facts["format"] = "csv.gz"
        unpacked = cast(IO[bytes], gzip.GzipFile(fileobj=file))
    else:
        unpacked = file
    facts["encoding"] = _encoding(unpacked, unpacked_max)
    return _open_csv(unpacked, facts, is_known)


def _encoding(file: IO[bytes], bytes_max: int) -> str:
    """The encoding in which the whole file can be read."""
    start = file.read(2)
    file.seek(0)
    candidates = ("utf-16",) if start in UTF16_MARKS else ("utf-8-sig", "cp1252")
    for name in candidates:
        decoder, size = codecs.getincrementaldecoder(name)(), 0
        try:
            while chunk := file.read(CHUNK_BYTES):
                size += len(chunk)
                if size > bytes_max:
                    raise UnreadableFile("too_large", f"more than {bytes_max} bytes unpacked")
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            continue
        except PACKING_FAULTS as error:
            raise UnreadableFile("corrupt", f"the packed file is damaged: {error}") from error
        finally:
            file.seek(0)
        return name
    raise UnreadableFile("not_text", "no text: neither CSV nor .csv.gz nor .xlsx")


def _open_csv(
    file: IO[bytes], facts: dict[str, str], is_known: Callable[[str], bool]
) -> Table:  # fmt: skip
    csv.field_size_limit(LINE_CHARS_MAX)
    text = io.TextIOWrapper(file, encoding=facts["encoding"], newline="")
    try:
        return _csv_table(text, facts, is_known)
    except BaseException:
        text.detach()  # the file is its opener's to close
        raise


def _csv_table(
    text: io.TextIOWrapper, facts: dict[str, str], is_known: Callable[[str], bool]
) -> Table:
    lines = _lines(text)
    first, number = "", 0
    for number, first in enumerate(lines, 1):  # noqa: B007  (both are used below)
        if first.strip():
            break
    if not first.strip():
        raise UnreadableFile("empty", "the file holds no header")
    delimiter = max(DELIMITERS, key=lambda mark: _known_names(first, mark, is_known))
    facts["delimiter"] = "tab" if delimiter == "\t" else delimiter
    rows = _csv_rows(_chained(first, lines), delimiter, number - 1)
    header = next(rows, None)
    if not isinstance(header, Row):
        raise UnreadableFile("corrupt", "the header is no row of a CSV file", line=number)
    return Table(header=header.cells, rows=rows, let_go=text.detach, facts=facts)


def _known_names(line: str, delimiter: str, is_known: Callable[[str], bool]) -> int:
    return sum(is_known(cell.strip().strip('"').lower()) for cell in line.split(delimiter))


def _lines(text: IO[str]) -> Iterator[str]:
    number = 0
    while line := text.readline(LINE_CHARS_MAX + 1):
        number += 1
        if len(line) > LINE_CHARS_MAX:
            detail = f"a line of more than {LINE_CHARS_MAX} characters"
            raise UnreadableFile("line_too_long", detail, line=number)
        yield line


def _chained(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest


def _csv_rows(lines: Iterator[str], delimiter: str, before: int) -> Iterator[Row | BrokenRow]:
    """Rows; one with a stray quote is broken alone, a quote that never ends breaks the file."""
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        line = before + reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            text = str(error)
            if "field larger" in text or "unexpected end" in text:
                raise UnreadableFile(
                    "corrupt", "a quote is opened here and never closed", line=line
                ) from error
            yield BrokenRow(line=line, detail=f"not a row of a CSV file: {text}")
        else:
            if any(cells):
                yield Row(line=line, cells=cells)


def _open_sheet(file: IO[bytes], sheet: str | None, unpacked_max: int) -> Table:
    import openpyxl  # takes longer than all else of a service's start, and few need it

    try:
        with zipfile.ZipFile(file) as packed:
            if sum(part.file_size for part in packed.infolist()) > unpacked_max:
                raise UnreadableFile("too_large", f"more than {unpacked_max} bytes unpacked")
        file.seek(0)
        book = openpyxl.load_workbook(file, read_only=True, data_only=True)
        if sheet is not None and sheet not in book.sheetnames:
            names = ", ".join(book.sheetnames[:20])
            raise UnreadableFile("no_such_sheet", f"there is no sheet {sheet!r}; there are {names}")
        name = sheet or next(iter(book.sheetnames), "")
        page = book[name]
        page.reset_dimensions()
        rows = _sheet_rows(page.iter_rows(values_only=True))
        header = next(rows, None)
    except SHEET_FAULTS as error:
        raise UnreadableFile("corrupt", f"not a readable Excel file: {error!r}"[:300]) from error
    if not isinstance(header, Row):
        raise UnreadableFile("empty", "the sheet holds no header")
    return Table(
        header=header.cells, rows=rows, let_go=book.close, facts={"format": "xlsx", "sheet": name}
    )


def _sheet_rows(found: Iterator[tuple[object, ...]]) -> Iterator[Row | BrokenRow]:
    line = 0
    while True:
        line += 1
        try:
            cells = next(found)
        except StopIteration:
            return
        except SHEET_FAULTS as error:
            raise UnreadableFile("corrupt", f"the sheet ends in {error!r}"[:300], line=line) from (
                error
            )
        told = [text_of(cell) for cell in cells[:COLUMNS_MAX]]
        while told and not told[-1]:
            told.pop()
        if told:
            yield Row(line=line, cells=told)
