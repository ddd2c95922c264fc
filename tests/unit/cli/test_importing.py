"""`stocktide import` without a stack: templates, wrong usage, and what a report becomes."""

import io
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from services.cli.commands.importing import _print_report, _status
from services.cli.exits import Exit
from tests.unit.cli.test_command_line import stocktide

Json = dict[str, Any]  # a report


def a_report(**overrides: object) -> Json:
    """Two products that have entered."""
    return {
        "import_id": 1, "name": "products.csv", "status": "applied", "rows_read": 2,
        "counts": {"new": 2, "refused": 0}, "facts": {"format": "csv", "encoding": "utf-8-sig"},
        "refusals": [], "refusals_total": 0, "warnings": [], "warnings_total": 0,
    } | overrides  # fmt: skip


def test_a_template_is_the_header_of_a_file(tmp_path: Path) -> None:
    done = stocktide("import", "--template", "identifier", data=tmp_path)

    assert done.status == 0
    assert done.stdout.startswith("from,until,revision,deleted,sku,scheme,code,issuer")


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (("import",), Exit.USAGE, "Name KIND and FILE"),
        (("import", "planet", "x.csv"), Exit.USAGE, "There are: product"),
        (("import", "--template", "planet"), Exit.USAGE, "There are: product"),
        (("import", "product", "x.csv"), Exit.NOT_RUNNING, "stocktide up"),
    ],
)
def test_wrong_usage_names_the_way_out(
    arguments: tuple[str, ...], status: Exit, says: str, tmp_path: Path
) -> None:
    done = stocktide(*arguments, data=tmp_path)

    assert done.status == status
    assert says in done.stderr


@pytest.mark.parametrize(
    ("report", "status", "says"),
    [
        pytest.param(a_report(), Exit.OK, "Everything has entered", id="applied"),
        pytest.param(
            a_report(status="checked"), Exit.OK, "nothing has entered", id="a_dry_run"
        ),
        pytest.param(
            a_report(status="refused", refusals_total=1, refusals=[
                {"line": 2, "column": "sku", "reason": "missing_value", "detail": "required"}]),
            Exit.USAGE, "Nothing has entered", id="refused",
        ),
        pytest.param(
            a_report(refusals_total=30, refusals=[
                {"line": n, "column": None, "reason": "broken_row", "detail": "x"}
                for n in range(30)]),
            Exit.USAGE, "refused: the first 20 of 30", id="the_first_refusals_are_shown",
        ),
        pytest.param(
            a_report(status="failed", facts={"failed": "interrupted"}), Exit.FAILED,
            "It failed: interrupted", id="failed",
        ),
        pytest.param(
            a_report(facts={"encoding": "cp1252"}), Exit.OK, "read as Windows-1252",
            id="no_utf_8_is_told",
        ),
    ],
)  # fmt: skip
def test_a_report_becomes_a_status_and_sentences(report: Json, status: Exit, says: str) -> None:
    told = io.StringIO()

    with redirect_stdout(told):
        _print_report(report)

    assert _status(report) is status
    assert says in told.getvalue()
