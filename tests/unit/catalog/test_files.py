"""Files as people have them: delimiters, encodings, sheets, and everything that is wrong."""

import codecs
import gzip
import io
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import openpyxl
import pytest

from services.catalog.handlers.columns import layout_of
from services.catalog.handlers.files import LINE_CHARS_MAX, UnreadableFile, open_table
from services.catalog.handlers.staging import SLICE, Chunk, RowReader
from services.catalog.handlers.translating import MODELS
from services.catalog.repository.imports import FindingRow
from shared.contracts.dated import Dated

UNPACKED_MAX = 50_000_000
PLAIN = b"sku,name\nS1,Caf\xc3\xa9\n"


def read(
    content: bytes, kind: str = "product", *, sheet: str | None = None, zone: str = "UTC",
    unpacked_max: int = UNPACKED_MAX,
) -> tuple[Chunk, dict[str, str]]:  # fmt: skip
    """The file's first chunk, and how it was understood."""
    layout = layout_of(kind)
    table = open_table(
        io.BytesIO(content), sheet=sheet, unpacked_max=unpacked_max,
        is_known=lambda name: layout.column(name) is not None,
    )  # fmt: skip
    return RowReader(table, layout, ZoneInfo(zone)).chunk(), table.facts


def records(content: bytes, kind: str = "product", *, zone: str = "UTC") -> list[Dated]:
    """The records of a file without a fault."""
    chunk, _ = read(content, kind, zone=zone)
    assert chunk.findings == []
    assert chunk.broken is None
    return [MODELS[kind].decode(one.row.record) for one in chunk.rows]


def faults(content: bytes, kind: str = "product") -> list[tuple[int, str | None, str]]:
    """Line, column and reason of what is refused."""
    chunk, _ = read(content, kind)
    return [(one.line, one.column, one.reason) for one in chunk.findings if one.is_refusal]


def a_sheet(rows: Sequence[Sequence[object]], title: str = "Sheet") -> bytes:
    book = openpyxl.Workbook()
    page = book.active
    assert page is not None
    page.title = title
    for row in rows:
        page.append(list(row))
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


@pytest.mark.parametrize(
    ("content", "facts"),
    [
        pytest.param(PLAIN, {"encoding": "utf-8-sig", "delimiter": ","}, id="comma"),
        pytest.param(
            PLAIN.replace(b",", b";"), {"encoding": "utf-8-sig", "delimiter": ";"}, id="semicolon"
        ),
        pytest.param(
            PLAIN.replace(b",", b"\t"), {"encoding": "utf-8-sig", "delimiter": "tab"}, id="tab"
        ),
        pytest.param(
            codecs.BOM_UTF8 + PLAIN, {"encoding": "utf-8-sig", "delimiter": ","}, id="with_a_mark"
        ),
        pytest.param(
            b"sku,name\r\nS1,Caf\xe9\r\n", {"encoding": "cp1252", "delimiter": ","}, id="windows"
        ),
        pytest.param(
            PLAIN.decode().encode("utf-16"), {"encoding": "utf-16", "delimiter": ","}, id="utf_16"
        ),
        pytest.param(
            gzip.compress(PLAIN), {"encoding": "utf-8-sig", "format": "csv.gz"}, id="packed"
        ),
        pytest.param(
            a_sheet([["sku", "name"], ["S1", "Café"]], "Articles"),
            {"format": "xlsx", "sheet": "Articles"}, id="excel",
        ),
        pytest.param(
            b'"sku";"name"\n"S1";"Caf\xc3\xa9"\n', {"delimiter": ";"}, id="quoted_names"
        ),
    ],
)  # fmt: skip
def test_a_file_is_understood_and_says_how(content: bytes, facts: dict[str, str]) -> None:
    chunk, found = read(content)

    assert found | facts == found
    assert [one.row.record_id for one in chunk.rows] == ["S1|"]
    assert '"name":"Café"' in chunk.rows[0].row.record


def test_only_excel_has_sheets() -> None:
    with pytest.raises(UnreadableFile, match="only an Excel file"):
        read(PLAIN, sheet="Sheet")


def test_an_unpacked_sheet_is_no_larger_than_allowed() -> None:
    with pytest.raises(UnreadableFile, match="more than 100 bytes"):
        read(a_sheet([["sku"], ["S1"]]), unpacked_max=100)


def test_an_empty_sheet_has_no_header() -> None:
    assert broken(lambda: read(a_sheet([]))).reason == "empty"


def test_a_sheet_is_chosen_by_name() -> None:
    content = a_sheet([["sku"], ["S1"]], "Articles")

    chunk, _ = read(content, sheet="Articles")
    with pytest.raises(UnreadableFile, match="there are Articles"):
        read(content, sheet="Other")

    assert len(chunk.rows) == 1


def test_numbers_and_dates_of_a_sheet_become_what_the_contract_says() -> None:
    header = ["sku", "name", "from", "unit_cost", "tracks_lots", "kit.quantity", "kit.sku"]
    row = [4711.0, 12, datetime(2026, 3, 1), 12.5, True, 2, "S2"]  # noqa: DTZ001  (sheets know no zones)

    chunk, _ = read(a_sheet([header, row]), zone="Europe/Paris")

    record = MODELS["product"].decode(chunk.rows[0].row.record).model_dump()
    assert (record["sku"], record["name"], str(record["unit_cost"])) == ("4711", "12", "12.5")
    assert record["from_"] == datetime(2026, 2, 28, 23, tzinfo=UTC)
    assert (record["tracks_lots"], record["kit"]) == (True, ({"sku": "S2", "quantity": 2},))


@pytest.mark.parametrize(
    ("kind", "content", "expected"),
    [
        pytest.param(
            "product", "sku,category,life_cycle.recalled\nS1,Food|Dairy,yes\n",
            {"category": ("Food", "Dairy"), "life_cycle": {"recalled": True}}, id="lists_and_dots",
        ),
        pytest.param(
            "channel", "channel,category_modes.category,category_modes.mode\nweb,A>B|C,off|live\n",
            {"category_modes": ({"category": ("A", "B"), "mode": "off"},
                                {"category": ("C",), "mode": "live"})}, id="paths_inside_parts",
        ),
        pytest.param(
            "calendar", "calendar_id,exceptional_days.date,exceptional_days.opens\n"
            "c,2026-12-24|2026-12-25,09:00|\n",
            {"exceptional_days": ({"opens": "09:00"}, {"opens": None})}, id="a_part_left_empty",
        ),
        pytest.param(
            "listing", "channel,listing_id,sku,ids.variant\nweb,L1,S1,42\n",
            {"ids": {"variant": "42"}}, id="names_that_the_channel_asks_for",
        ),
        pytest.param(
            "policy", "policy_id,term,value,scope.sku\np,closed,1,S1\n",
            {"value": 1, "scope": {"sku": "S1"}}, id="a_scope",
        ),
        pytest.param(
            "product", "kind,sku,name\nproduct, S1 ,  A  \n", {"sku": "S1", "name": "A"},
            id="blanks_around_a_cell_and_the_kind_are_the_files_own",
        ),
    ],
)  # fmt: skip
def test_columns_are_the_contracts_fields(
    kind: str, content: str, expected: dict[str, object]
) -> None:
    (record,) = records(content.encode(), kind)

    found = record.model_dump()
    for name, value in expected.items():
        assert _within(found[name], value), (found[name], value)


def _within(found: object, expected: object) -> bool:
    """Whether everything expected is there; other fields have their defaults."""
    if isinstance(expected, dict) and isinstance(found, dict):
        return all(_within(found.get(name), value) for name, value in expected.items())
    if isinstance(expected, tuple) and isinstance(found, tuple):
        return len(expected) == len(found) and all(map(_within, found, expected))
    return found == expected


def test_moments_without_a_zone_take_the_imports() -> None:
    content = b"sku,from,until\nS1,2026-03-01,2026-03-02T08:00:00+00:00\n"

    (record,) = records(content, zone="Europe/Paris")

    assert record.record_id == "S1|2026-02-28T23:00:00+00:00"
    assert record.until == datetime(2026, 3, 2, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "content", "found"),
    [
        pytest.param(
            "identifier", b"sku,scheme,code,units_per_code\nS1,gtin,400,six\n",
            (2, "units_per_code", "wrong_type"), id="no_whole_number",
        ),
        pytest.param(
            "identifier", b"sku,scheme,code,units_per_code\nS1,gtin,400,-1\n",
            (2, "units_per_code", "wrong_value"), id="out_of_bounds",
        ),
        pytest.param(
            "identifier", b"sku,scheme,code\nS1,ean,400\n", (2, "scheme", "unknown_word"),
            id="a_word_that_the_contract_has_not",
        ),
        pytest.param(
            "identifier", b"sku,scheme,code\n,gtin,400\n", (2, "sku", "missing_value"),
            id="a_required_cell_is_empty",
        ),
        pytest.param("product", b"sku\nS\x001\n", (2, "sku", "wrong_value"), id="nul"),
        pytest.param(
            "product", b"sku,from\nS1,yesterday\n", (2, "from", "wrong_type"), id="no_moment"
        ),
        pytest.param(
            "product", b"sku,from,until\nS1,2026-03-02,2026-03-01\n", (2, None, "wrong_value"),
            id="ends_before_it_begins",
        ),
        pytest.param(
            "product", b"sku,tracks_lots\nS1,perhaps\n", (2, "tracks_lots", "wrong_type"),
            id="neither_true_nor_false",
        ),
        pytest.param(
            "product", b"sku,kit.sku,kit.quantity\nS1,A|B,1\n", (2, "kit", "unequal_lists"),
            id="parts_of_different_number",
        ),
        pytest.param(
            "location", b"location_id,location_kind,coordinates.latitude\nL1,store,48;8\n",
            (2, "coordinates.latitude", "wrong_type"), id="no_decimal_number",
        ),
        pytest.param("product", b"sku\nS1,more\n", (2, None, "too_many_cells"), id="too_wide"),
        pytest.param("product", b"sku\n#REF!\n", (2, "sku", "sheet_error"), id="a_sheets_error"),
        pytest.param(
            "product", b'sku,name\n"S1"x,A\n', (2, None, "broken_row"), id="a_stray_quote"
        ),
        pytest.param(
            "policy", b"policy_id,term,value\np,share_permille,1001\n",
            (2, "value", "value_not_accepted"), id="a_share_beyond_the_whole",
        ),
    ],
)  # fmt: skip
def test_a_wrong_row_is_told_with_line_column_and_reason(
    kind: str, content: bytes, found: tuple[int, str | None, str]
) -> None:
    assert faults(content, kind) == [found]


def test_rows_after_a_wrong_one_are_read_and_lines_are_those_of_the_file() -> None:
    content = b'sku,name\nS1,"two\nlines"\n\nS2,A\nS3,A,B\nS4,A\n'

    chunk, _ = read(content)

    assert [one.line for one in chunk.rows] == [5, 7]
    assert [(one.line, one.reason) for one in chunk.findings] == [
        (2, "wrong_value"), (6, "too_many_cells"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "reason", "says"),
    [
        pytest.param(b"", "empty", "no header", id="nothing"),
        pytest.param(b"\n\n", "empty", "no header", id="blank_lines"),
        pytest.param(b"sku,nam\nS1,A\n", "unknown_column", "is it name", id="a_typing_error"),
        pytest.param(b"name\nA\n", "missing_column", "sku", id="a_column_is_missing"),
        pytest.param(b"sku,SKU\nA,B\n", "column_twice", "sku", id="a_column_twice"),
        pytest.param(b"\x89PNG\r\n\x1a\n\x81\x8d", "not_text", "neither CSV", id="a_picture"),
        pytest.param(gzip.compress(PLAIN)[:-9], "corrupt", "damaged", id="half_a_packed_file"),
        pytest.param(b"PK\x03\x04 nothing", "corrupt", "Excel", id="half_a_sheet"),
        pytest.param(b'sku\n"S1\nS2\n', "corrupt", "never closed", id="an_open_quote"),
        pytest.param(
            b"sku\n" + b"x" * (LINE_CHARS_MAX + 1), "line_too_long", "characters", id="a_huge_line"
        ),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_read_says_why(content: bytes, reason: str, says: str) -> None:
    found = broken(lambda: read(content))

    assert found.reason == reason
    assert says in found.detail


@pytest.mark.parametrize(
    "rest", [b'"S2\nS3\n', b"x" * (LINE_CHARS_MAX + 1)], ids=["an_open_quote", "a_huge_line"]
)
def test_what_breaks_a_file_is_told_with_its_line(rest: bytes) -> None:
    assert broken(lambda: read(b"sku\nS1\n" + rest)).line == 3


def test_a_packed_bomb_is_read_no_further_than_its_limit() -> None:
    bomb = gzip.compress(b"sku\n" + b"S1\n" * 1_000_000)

    found = broken(lambda: read(bomb, unpacked_max=100_000))

    assert found.reason == "too_large"


def broken(act: Callable[[], tuple[Chunk, dict[str, str]]]) -> UnreadableFile:
    """What made a file unreadable, at its opening or later."""
    try:
        chunk, _ = act()
    except UnreadableFile as error:
        return error
    assert chunk.broken is not None, "the file could be read"
    return chunk.broken


def test_a_long_file_comes_in_chunks() -> None:
    content = b"sku\n" + b"".join(b"S%d\n" % number for number in range(SLICE + 1))
    layout = layout_of("product")
    table = open_table(
        io.BytesIO(content), sheet=None, unpacked_max=UNPACKED_MAX, is_known=lambda _: True
    )
    reader = RowReader(table, layout, ZoneInfo("UTC"))

    first, second = reader.chunk(), reader.chunk()

    assert (len(first.rows), first.is_last, len(second.rows), second.is_last) == (
        SLICE, False, 1, True,
    )  # fmt: skip


@pytest.mark.parametrize("kind", MODELS)
def test_each_kind_has_a_template_that_names_what_is_required(kind: str) -> None:
    layout = layout_of(kind)

    header = ",".join(layout.columns)

    assert layout.required <= set(header.split(","))
    assert all(layout.column(name) is not None for name in header.split(","))


def test_a_term_that_nobody_reads_is_worth_a_word() -> None:
    chunk, _ = read(b"policy_id,term,value\np,colour,1\n", "policy")

    (finding,) = chunk.findings
    assert isinstance(finding, FindingRow)
    assert (finding.reason, finding.is_refusal, len(chunk.rows)) == ("unknown_term", False, 1)
