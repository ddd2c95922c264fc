"""The UCI file "Online Retail": orders and cancellations of a gift retailer, as they stand in it.

Codes keep their case. Codes that begin with neither five digits nor DCGS are services (postage,
bank charges): not stocked, counted by name. A line's number is its ordinal within its invoice, so
that repeated lines are lines of their own. The file has no opening stock: each Monday brings, per
code, the net sales of the last four weeks; the first week brings its own.
"""

import csv
import gzip
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from services.cli.demo.sales import Article
from services.cli.exits import CommandError, Exit
from services.cli.texts import tr

SOURCE = "online-retail"
COLUMNS = ("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "CustomerID")
STOCKED = re.compile(r"(\d{5}|DCGS)")
DATES = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%m/%d/%Y %H:%M", "%m/%d/%y %H:%M")
REFUSED_MAX = 20
WEEKS = 4
CATEGORY = ("GIFTS",)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a paper: `number` is its ordinal there, `units` are at least 1."""

    number: int
    code: str
    units: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """An invoice, a cancellation (`C…`), or goods written off, at a second of the file's time."""

    second: int
    number: str
    customer: str
    lines: Sequence[Line]
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What a Monday brings, by code."""

    second: int
    units: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Retail:
    """The file, read: `services` are codes that aren't stocked, with their lines."""

    began_at: str
    articles: Sequence[Article]
    papers: Sequence[Paper]
    receipts: Sequence[Receipt]
    services: Mapping[str, int]
    refused: Sequence[str] = ()
    refused_count: int = 0

    def summary(self) -> list[str]:
        """The import's report, for a person."""
        kinds = Counter(paper.kind for paper in self.papers)
        services = ", ".join(f"{code} ({lines} lines)" for code, lines in self.services.items())
        lines = [
            f"{kinds['invoice']} invoices, {kinds['cancellation']} cancellations and "
            f"{kinds['write_off']} write-offs of {len(self.articles)} stocked codes.",
            f"Services, which are not stocked: {services or 'none'}.",
        ]
        if self.refused_count:
            lines.append(f"{self.refused_count} rows are refused: {'; '.join(self.refused)}.")
        return lines


@dataclass(slots=True)
class _Reading:
    """What the rows have come to so far."""

    names: dict[str, str] = field(default_factory=dict)
    services: Counter[str] = field(default_factory=Counter)
    ordinals: Counter[str] = field(default_factory=Counter)
    papers: dict[tuple[str, str], tuple[datetime, str, list[Line]]] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)


def load(path: Path) -> Retail:
    """Read a CSV, a gzipped CSV or an Excel sheet. Raises CommandError where it holds no such."""
    reading = _Reading()
    try:
        for number, row in enumerate(_rows(path), start=2):
            _take(row, number, reading)
    except (OSError, EOFError, UnicodeDecodeError, csv.Error, ValueError, KeyError) as error:
        raise _unreadable(path, repr(error)) from error
    if not reading.papers:
        raise _unreadable(path, "it holds no invoice")
    return _retail(reading)


def _unreadable(path: Path, why: str) -> CommandError:
    return CommandError(
        tr("{path} cannot be read as the Online Retail file: {why}.", path=path, why=why),
        tr(
            "It is a CSV (.csv, .csv.gz) or .xlsx with the columns {join}, …",
            join=", ".join(COLUMNS),
        ),
        Exit.USAGE,
    )


def _rows(path: Path) -> Iterator[Mapping[str, object]]:
    if path.suffix == ".xlsx":
        yield from _sheet(path)
        return
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8", errors="replace", newline="") as content:
        reader = csv.DictReader(content)
        _require_columns(reader.fieldnames or ())
        yield from reader


def _sheet(path: Path) -> Iterator[Mapping[str, object]]:
    from zipfile import BadZipFile

    from openpyxl import load_workbook

    try:
        book = load_workbook(path, read_only=True, data_only=True)
    except (BadZipFile, KeyError) as error:
        raise ValueError(f"no Excel file: {error}") from error
    rows = book.worksheets[0].iter_rows(values_only=True)
    header = [str(cell) for cell in next(rows, ())]
    _require_columns(header)
    for row in rows:
        yield dict(zip(header, row, strict=False))


def _require_columns(header: Sequence[str]) -> None:
    if missing := [name for name in COLUMNS if name not in header]:
        raise ValueError(f"without the column {missing[0]}")


def _take(row: Mapping[str, object], number: int, reading: _Reading) -> None:
    """One row into its paper; a row that makes no sense is refused with its number."""
    try:
        invoice, code = _text(row["InvoiceNo"]), _text(row["StockCode"])
        units, at = int(_text(row["Quantity"])), _moment(row["InvoiceDate"])
    except ValueError as error:
        reading.refused.append(f"row {number}: {error}")
        return
    reading.ordinals[invoice] += 1
    if STOCKED.match(code) is None:
        reading.services[code] += 1
        return
    if units == 0:
        reading.refused.append(f"row {number}: the quantity is 0")
        return
    reading.names.setdefault(code, _text(row["Description"]) or code)
    line = Line(reading.ordinals[invoice], code, abs(units))
    key = invoice, _kind(invoice, units)
    customer = _text(row["CustomerID"])
    reading.papers.setdefault(key, (at, customer, []))[2].append(line)


def _kind(invoice: str, units: int) -> str:
    if units > 0:
        return "invoice"
    return "cancellation" if invoice.startswith("C") else "write_off"


def _text(value: object) -> str:
    """As it stands; numbers of a sheet without the fraction that they never had."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None else str(value).strip()


def _moment(value: object) -> datetime:
    if isinstance(value, datetime):
        return value
    text = _text(value)
    for form in DATES:
        try:
            return datetime.strptime(text, form)  # noqa: DTZ007  (the file names no zone)
        except ValueError:
            continue
    raise ValueError(f"{text!r} is no date")


def _retail(reading: _Reading) -> Retail:
    began = min(at for at, _, _ in reading.papers.values())
    papers = [
        Paper(second=_second(at, began), number=number, customer=customer, lines=lines, kind=kind)
        for (number, kind), (at, customer, lines) in reading.papers.items()
    ]
    papers.sort(key=lambda paper: paper.second)  # stable: file order within a second
    return Retail(
        began_at=began.isoformat(timespec="minutes"),
        articles=[
            Article(sku=code, name=name, category=CATEGORY)
            for code, name in sorted(reading.names.items())
        ],
        papers=papers,
        receipts=list(_receipts(reading.papers.items(), began)),
        services=dict(sorted(reading.services.items())),
        refused=reading.refused[:REFUSED_MAX],
        refused_count=len(reading.refused),
    )


def _second(at: datetime, began: datetime) -> int:
    return int((at - began).total_seconds())


def _receipts(
    papers: Iterable[tuple[tuple[str, str], tuple[datetime, str, list[Line]]]], began: datetime
) -> Iterator[Receipt]:
    """Net sales are what was invoiced less what was cancelled; write-offs are no sales."""
    monday = (began - timedelta(days=began.weekday())).replace(hour=0, minute=0, second=0)
    net: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for (_, kind), (at, _, lines) in papers:
        sign = {"invoice": 1, "cancellation": -1}.get(kind, 0)
        for line in lines:
            net[(at - monday).days // 7][line.code] += sign * line.units
    for week in range(max(net) + 1):
        units: Counter[str] = Counter()
        for earlier in [0] if week == 0 else range(max(0, week - WEEKS), week):
            units.update(net[earlier])
        second = max(0, _second(monday + timedelta(weeks=week), began))
        yield Receipt(second=second, units=dict(sorted((+units).items())))
