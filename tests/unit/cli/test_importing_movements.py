"""`stocktide import movements|counts`: what a file may be, and what is refused before it goes."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from services.cli.exits import Exit
from tests.unit.cli.test_command_line import Done, stocktide

HEADER = "type,sku,location,quantity,occurred_at"
SALE = "sale,S1,L1,2,2026-06-01T12:00:00Z"


def a_file(tmp_path: Path, *rows: str, name: str = "day.csv") -> str:
    path = tmp_path / name
    path.write_text("\n".join(rows) + "\n")
    return str(path)


def checked(tmp_path: Path, file: str, *more: str, kind: str = "movements") -> Done:
    return stocktide("import", kind, file, "--dry-run", "--json", *more, data=tmp_path)


def report(done: Done) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def reasons(done: Done) -> list[tuple[int, str | None, str]]:
    return [(one["line"], one["column"], one["reason"]) for one in report(done)["refusals"]]


def test_the_five_columns_of_the_contract_are_enough(tmp_path: Path) -> None:
    done = checked(tmp_path, a_file(tmp_path, HEADER, SALE, SALE))

    assert (done.status, report(done)["status"], report(done)["rows_read"]) == (0, "checked", 2)


def test_a_count_needs_no_type_and_options_say_what_rows_leave_out(tmp_path: Path) -> None:
    file = a_file(tmp_path, "sku;quantity", "S1;0", "S2;7")

    done = checked(
        tmp_path, file, "--location", "L1", "--at", "2026-06-01T20:00", "--zone", "Europe/Paris",
        kind="counts",
    )  # fmt: skip

    assert (done.status, report(done)["refusals_total"]) == (0, 0)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        pytest.param(
            (HEADER, "sale,S1,L1,1.5,2026-06-01"), (2, "quantity", "wrong_type"), id="half_a_unit"
        ),
        pytest.param(
            (HEADER, "sale,S1,L1,0,2026-06-01"), (2, None, "wrong_value"), id="nothing_sold"
        ),
        pytest.param(
            (HEADER, "swap,S1,L1,1,2026-06-01"), (2, "type", "unknown_word"), id="unknown_type"
        ),
        pytest.param(
            (HEADER, "sale,S1,L1,1,2099-06-01"), (2, "occurred_at", "in_the_future"), id="future"
        ),
        pytest.param(
            (HEADER, "sale,S1,,1,2026-06-01"), (2, "location", "missing_value"), id="nowhere"
        ),
        pytest.param(
            (HEADER, SALE, SALE + ",x"), (3, None, "too_many_cells"), id="a_comma_too_many"
        ),
        pytest.param(
            (HEADER + ",document.kind,document.number,document.line",
             SALE + ",ticket,7,1", SALE + ",ticket,7,1"),
            (3, "document", "told_twice"), id="one_paper_line_twice",
        ),
        pytest.param(
            ("type,sku,place,quantity,occurred_at", SALE), (1, None, "unknown_column"), id="column"
        ),
        pytest.param((SALE,), (1, None, "unknown_column"), id="no_header"),
        pytest.param(("",), (0, None, "empty"), id="empty"),
        pytest.param((HEADER,), (0, None, "empty"), id="only_a_header"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_line_and_nothing_goes(
    rows: tuple[str, ...], expected: tuple[int, str | None, str], tmp_path: Path
) -> None:
    done = stocktide("import", "movements", a_file(tmp_path, *rows), "--json", data=tmp_path)

    assert done.status == Exit.USAGE
    assert report(done)["status"] == "refused"
    assert report(done)["counts"]["sent"] == 0
    assert expected in reasons(done)


def test_lines_of_one_paper_without_numbers_are_told_apart_by_the_file(tmp_path: Path) -> None:
    file = a_file(tmp_path, HEADER + ",document.kind,document.number", *[SALE + ",ticket,7"] * 2)

    assert checked(tmp_path, file).status == 0


def test_a_packed_file_that_is_damaged_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "day.csv.gz"
    path.write_bytes(gzip.compress(f"{HEADER}\n{SALE}\n".encode())[:-9])

    done = checked(tmp_path, str(path))

    assert (done.status, reasons(done)[0][2]) == (Exit.USAGE, "corrupt")


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (("movements", "nowhere.csv"), Exit.USAGE, "Name a CSV or Excel file"),
        (("movements", "day.csv"), Exit.NOT_RUNNING, "stocktide up"),
        (("movements", "day.csv", "--zone", "Mars"), Exit.USAGE, "Europe/Paris"),
        (("counts", "day.csv", "--at", "noon"), Exit.USAGE, "--at 'noon'"),
        (("movements", "day.csv", "--source", "s" * 201), Exit.USAGE, "another --source"),
        (("movements", "day.csv", "--source", "a\nb"), Exit.USAGE, "another --source"),
        (("movements", "day.csv", "--document", "d" * 195), Exit.USAGE, "--document"),
        (("product", "day.csv", "--at", "noon"), Exit.USAGE, "product has no --at"),
        (("planet", "day.csv"), Exit.USAGE, "movements, counts"),
    ],
)
def test_wrong_usage_names_the_way_out(
    arguments: tuple[str, ...], status: Exit, says: str, tmp_path: Path
) -> None:
    a_file(tmp_path, HEADER, SALE)

    done = stocktide("import", *arguments, data=tmp_path)

    assert done.status == status
    assert says in done.stderr


def test_kafka_that_is_away_is_told_with_how_much_went(tmp_path: Path) -> None:
    file = a_file(tmp_path, HEADER, SALE)

    done = stocktide("import", "movements", file, data=tmp_path, STOCKTIDE_KAFKA="127.0.0.1:1")

    assert done.status == Exit.FAILED
    assert "Kafka took 0 of 1 rows" in done.stderr
    assert "counts once" in done.stderr


def test_a_file_whose_name_can_be_no_papers_asks_for_another(tmp_path: Path) -> None:
    done = checked(tmp_path, a_file(tmp_path, HEADER, SALE, name="line\nbreak.csv"))

    assert done.status == Exit.USAGE
    assert "--document" in done.stderr


def test_a_file_in_another_encoding_is_read_and_said_so(tmp_path: Path) -> None:
    path = tmp_path / "day.csv"
    path.write_bytes(
        f"{HEADER}\nsale,GR\N{LATIN CAPITAL LETTER U WITH DIAERESIS}N,L1,1,2026-06-01".encode(
            "cp1252"
        )
    )

    assert report(checked(tmp_path, str(path)))["facts"]["encoding"] == "cp1252"
