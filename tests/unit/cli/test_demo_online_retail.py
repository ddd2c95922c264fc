"""The file of the demo's second source: codes, ordinals, services, kinds of papers, receipts."""

import gzip
from pathlib import Path

import pytest
from openpyxl import Workbook

from services.cli.demo.online_retail import Retail, load
from services.cli.exits import CommandError

HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"
WEDNESDAY, NEXT_MONDAY = "2010-12-01 08:26:00", "2010-12-06 09:00:00"
ROWS = (
    f"536365,85123A,HEART,6,{WEDNESDAY},2.55,17850,United Kingdom",
    f"536365,85123A,HEART,6,{WEDNESDAY},2.55,17850,United Kingdom",
    f"536365,POST,POSTAGE,1,{WEDNESDAY},18.00,17850,United Kingdom",
    f"536365,85123a,heart,1,{WEDNESDAY},2.55,17850,United Kingdom",
    "C536379,85123A,HEART,-2,2010-12-01 10:00:00,2.55,17850,United Kingdom",
    "536999,DCGS0076,CHARM,-5,2010-12-02 10:00:00,0,,United Kingdom",
    f"537000,85123A,HEART,3,{NEXT_MONDAY},2.55,13047,France",
    "A563185,B,Adjust bad debt,1,2010-12-02 10:00:00,11062.06,,United Kingdom",
)
SHARED = Path(__file__).parents[4] / "shared" / "data" / "online_retail.csv.gz"


def a_file(folder: Path, *rows: str, name: str = "retail.csv") -> Path:
    """The file with these rows."""
    path, text = folder / name, "\n".join((HEADER, *rows)) + "\n"
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


@pytest.fixture
def retail(tmp_path: Path) -> Retail:
    """The example, read."""
    return load(a_file(tmp_path, *ROWS))


def test_a_repeated_line_is_a_line_of_its_own_by_its_ordinal(retail: Retail) -> None:
    lines = retail.papers[0].lines

    assert [(line.number, line.code, line.units) for line in lines] == [
        (1, "85123A", 6), (2, "85123A", 6), (4, "85123a", 1),
    ]  # fmt: skip


def test_codes_that_differ_in_case_are_two(retail: Retail) -> None:
    assert {"85123A", "85123a"} <= {article.sku for article in retail.articles}


def test_services_are_not_stocked_and_listed(retail: Retail) -> None:
    assert retail.services == {"B": 1, "POST": 1}
    assert "POST (1 lines)" in "\n".join(retail.summary())
    assert "POST" not in {article.sku for article in retail.articles}


def test_cancellations_and_write_offs_are_told_apart(retail: Retail) -> None:
    found = [(paper.number, paper.kind, paper.customer) for paper in retail.papers]

    assert found == [
        ("536365", "invoice", "17850"), ("C536379", "cancellation", "17850"),
        ("536999", "write_off", ""), ("537000", "invoice", "13047"),
    ]  # fmt: skip


def test_the_first_week_is_received_as_it_sold_and_later_ones_as_before(retail: Retail) -> None:
    first, second = retail.receipts

    assert (first.second, dict(first.units)) == (0, {"85123A": 10, "85123a": 1})
    assert second.units == first.units
    assert second.second == (4 * 24 + 15) * 3600 + 34 * 60


def test_a_monday_brings_four_weeks_and_no_more(tmp_path: Path) -> None:
    weeks = [f"1{n},10001,X,{10**n},2010-12-{6 + 7 * n:02} 09:00:00,1,1,UK" for n in range(4)]
    later = [f"2{n},10001,X,1,2011-01-{3 + 7 * n:02} 09:00:00,1,1,UK" for n in range(3)]

    receipts = load(a_file(tmp_path, *weeks, *later)).receipts

    assert [receipt.units.get("10001") for receipt in receipts] == [
        1, 1, 11, 111, 1111, 1111, 1102,
    ]  # fmt: skip


def test_all_three_kinds_of_file_say_the_same(tmp_path: Path, retail: Retail) -> None:
    packed = a_file(tmp_path, *ROWS, name="retail.csv.gz")
    sheet = tmp_path / "retail.xlsx"
    book = Workbook()
    assert book.active is not None
    for row in (HEADER, *ROWS):
        book.active.append([int(c) if c.lstrip("-").isdecimal() else c for c in row.split(",")])
    book.save(sheet)

    assert load(packed) == retail
    assert load(sheet) == retail


def test_a_row_without_sense_is_refused_with_its_number(tmp_path: Path) -> None:
    found = load(a_file(tmp_path, ROWS[0], "1,10001,X,many,2010-12-01 08:00:00,1,1,UK"))

    assert found.refused_count == 1
    assert found.refused[0].startswith("row 3:")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param("a.csv", b"one,two\n1,2\n", id="other_columns"),
        pytest.param("a.csv", b"", id="empty"),
        pytest.param("a.csv", HEADER.encode() + b"\n", id="no_rows"),
        pytest.param("a.csv.gz", b"not packed", id="no_gzip"),
        pytest.param("a.xlsx", b"no sheet", id="no_workbook"),
        pytest.param("a.csv", b"\0\1\2" * 100, id="binary"),
    ],
)
def test_what_is_no_such_file_says_so(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)

    with pytest.raises(CommandError, match="cannot be read as the Online Retail file"):
        load(path)


@pytest.mark.shared_data
@pytest.mark.skipif(not SHARED.exists(), reason="../shared/data is not here")
def test_the_real_file_is_read_whole() -> None:
    found = load(SHARED)

    lines = sum(len(paper.lines) for paper in found.papers)
    assert lines + sum(found.services.values()) + found.refused_count == 437_887
    assert len(found.articles) + len(found.services) == 3_272
    repeated = [p for p in found.papers if len({line.number for line in p.lines}) < len(p.lines)]
    assert repeated == []
    assert len(found.receipts) == 54
