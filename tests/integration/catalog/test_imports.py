"""Files: whole or not at all, twice is once, and what a crash leaves is finished."""

import asyncio
import csv
import gzip
import io
from pathlib import Path
from typing import Any

import pytest

from services.catalog.handlers import contesting, importing
from services.catalog.handlers.importing import Busy
from services.catalog.repository import imports
from shared.testing.waiting import until
from tests.architecture.source import ROOT
from tests.integration.catalog.bench import (
    CatalogBench,
    a_code,
    a_job,
    a_policy,
    open_bench,
    refusals,
    summary,
    warnings,
)

PRODUCTS = "sku,name\nS1,one\nS2,two\nS3,three\n"
CODES = "sku,scheme,code,units_per_code,from,until\n"
RETAIL = ROOT.parent / "shared" / "data" / "online_retail.csv.gz"


async def test_a_file_enters_whole_and_is_sent(catalog: CatalogBench) -> None:
    report = await catalog.bring("product", PRODUCTS, name="products.csv")

    sent = await catalog.sent()
    assert summary(report) == ("applied", {"new": 3})
    assert [(one["kind"], one["sku"], one["name"], one["revision"]) for one in sent] == [
        ("product", "S1", "one", 0), ("product", "S2", "two", 0), ("product", "S3", "three", 0),
    ]  # fmt: skip
    assert await catalog.ask("select * from catalog.import_rows") == []


async def test_the_same_file_twice_changes_nothing(catalog: CatalogBench) -> None:
    first = await catalog.bring("product", PRODUCTS)
    await catalog.sent()

    second = await catalog.bring("product", PRODUCTS)

    assert summary(second) == ("applied", {"unchanged": 3})
    assert second["facts"]["same_file_as_import"] == str(first["import_id"])
    assert await catalog.sent() == []


async def test_only_what_changed_is_sent_with_the_next_revision(catalog: CatalogBench) -> None:
    await catalog.bring("product", PRODUCTS)
    await catalog.sent()

    report = await catalog.bring("product", PRODUCTS.replace("two", "zwei"))

    sent = await catalog.sent()
    assert summary(report) == ("applied", {"unchanged": 2, "changed": 1})
    assert [(one["sku"], one["name"], one["revision"]) for one in sent] == [("S2", "zwei", 1)]


async def test_one_refused_row_keeps_the_whole_file_out(catalog: CatalogBench) -> None:
    report = await catalog.bring("product", f"{PRODUCTS},four\nS5,five\n")

    assert summary(report) == ("refused", {"new": 4, "refused": 1})
    assert refusals(report) == [(5, "sku", "missing_value")]
    assert (await catalog.ids("product"), await catalog.sent()) == ([], [])
    assert await catalog.ask("select * from catalog.import_rows") == []


async def test_the_other_rows_enter_when_asked_for(catalog: CatalogBench) -> None:
    report = await catalog.bring("product", f"{PRODUCTS},four\nS5,five\n", is_partial=True)

    assert summary(report) == ("applied", {"new": 4, "refused": 1})
    assert await catalog.ids("product") == ["S1|", "S2|", "S3|", "S5|"]


async def test_a_dry_run_tells_all_and_changes_nothing(catalog: CatalogBench) -> None:
    report = await catalog.bring("product", PRODUCTS, is_dry_run=True)

    assert summary(report) == ("checked", {"new": 3})
    assert (await catalog.ids("product"), await catalog.sent()) == ([], [])


async def test_a_file_that_ends_in_a_fault_is_kept_out_even_in_part(catalog: CatalogBench) -> None:
    report = await catalog.bring("product", f'{PRODUCTS}"S4', is_partial=True)

    assert report["status"] == "refused"
    assert refusals(report) == [(5, None, "corrupt")]
    assert await catalog.ids("product") == []


async def test_a_wrong_header_is_told(catalog: CatalogBench) -> None:
    report = await catalog.bring("product", "sku,nmae\nS1,one\n")

    assert (report["status"], refusals(report)) == ("refused", [(1, None, "unknown_column")])
    assert "is it name" in report["refusals"][0]["detail"]


async def test_a_record_told_twice_in_a_file(catalog: CatalogBench) -> None:
    same = await catalog.bring("product", "sku,name\nS1,one\nS1,one\n")
    other = await catalog.bring("product", "sku,name\nS2,one\nS3,x\nS2,two\n")

    assert summary(same) == ("applied", {"new": 1, "repeated": 1})
    assert refusals(other) == [(2, None, "told_twice"), (4, None, "told_twice")]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        pytest.param(
            "S1,gtin,400,1,,\nS2,gtin,400,1,2026-03-01,\n", [2, 3], id="each_other_in_the_file"
        ),
        pytest.param("S2,gtin,500,1,2026-03-01,\n", [2], id="what_is_kept"),
        pytest.param(
            "S1,gtin,500,1,,2026-03-01\nS2,gtin,500,1,2026-03-01,\n", [],
            id="not_what_the_file_itself_ends",
        ),
        pytest.param("S1,gtin,500,1,2026-03-01,\n", [], id="not_the_same_said_again"),
    ],
)  # fmt: skip
async def test_codes_that_overlap_in_time_contradict(
    catalog: CatalogBench, rows: str, expected: list[int]
) -> None:
    await catalog.tell(a_code("500"))

    report = await catalog.bring("identifier", CODES + rows)

    assert refusals(report) == [(line, None, "code_conflict") for line in expected]


async def test_a_policy_that_ties_is_refused(catalog: CatalogBench) -> None:
    await catalog.tell(a_policy("kept", scope={"sku": "S9"}))
    header = "policy_id,term,value,scope.sku,until,from\n"
    rows = ("p1,channel_buffer,1,,,\np2,channel_buffer,2,,,\np3,channel_buffer,3,S9,,\n"
            "p4,location_buffer,1,,2026-03-01,\np5,location_buffer,2,,,2026-03-01\n")  # fmt: skip

    report = await catalog.bring("policy", header + rows, is_partial=True)

    assert refusals(report) == [(line, None, "policy_tie") for line in (2, 3, 4)]
    assert "kept" in report["refusals"][2]["detail"]
    assert await catalog.ids("policy") == ["kept", "p4", "p5"]


async def test_a_policy_that_came_in_since_the_check_keeps_its_rival_out(
    catalog: CatalogBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle = imports.settle

    async def settle_late(*arguments: Any) -> bool:
        found = await settle(*arguments)
        await catalog.tell(a_policy("told"))
        return found

    monkeypatch.setattr(imports, "settle", settle_late)
    report = await catalog.bring("policy", "policy_id,term,value\np1,channel_buffer,1\n")

    assert summary(report) == ("applied", {"new": 1, "overtaken": 1})
    assert await catalog.ids("policy") == ["told"]


async def test_what_nobody_has_told_of_is_worth_a_word_and_no_more(catalog: CatalogBench) -> None:
    await catalog.tell({"kind": "product", "sku": "S1"})
    content = "channel,listing_id,sku\nweb,L1,S1\nweb,L2,S2\n"

    report = await catalog.bring("listing", content)

    assert summary(report) == ("applied", {"new": 2})
    assert warnings(report) == [
        (2, "channel", "unknown_channel"), (3, "channel", "unknown_channel"),
        (3, "sku", "unknown_product"),
    ]  # fmt: skip


async def test_what_the_file_itself_tells_is_known(catalog: CatalogBench) -> None:
    content = "sku,kit.sku,kit.quantity\nKIT,PART|GHOST,2|1\nPART,,\n"

    report = await catalog.bring("product", content)

    assert [one["detail"] for one in report["warnings"]] == ["no product is called GHOST"]


async def test_a_record_that_was_told_meanwhile_is_not_undone(
    catalog: CatalogBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle = imports.settle

    async def settle_late(*arguments: Any) -> bool:
        found = await settle(*arguments)
        await catalog.tell({"kind": "product", "sku": "S1", "name": "told", "revision": 5})
        return found

    monkeypatch.setattr(imports, "settle", settle_late)
    report = await catalog.bring("product", "sku,name\nS1,filed\n")

    assert summary(report) == ("applied", {"new": 1, "overtaken": 1})
    assert await catalog.sent() == []
    (row,) = await catalog.ask("select record->>'name' as name from catalog.records")
    assert row["name"] == "told"


async def test_a_crash_after_the_acceptance_ends_with_all_of_it_sent(
    catalog: CatalogBench, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "APPLY_SLICE", 2)
    apply, calls = imports.apply_slice, []

    async def apply_once(*arguments: Any, **more: Any) -> int | None:
        calls.append(arguments)
        if len(calls) == 2:
            raise asyncio.CancelledError  # nothing is tidied up
        return await apply(*arguments, **more)

    monkeypatch.setattr(imports, "apply_slice", apply_once)
    with pytest.raises(asyncio.CancelledError):
        await catalog.bring("product", PRODUCTS)
    monkeypatch.setattr(imports, "apply_slice", apply)
    half = [one["sku"] for one in await catalog.sent()]

    async with open_bench(database) as successor:
        task = asyncio.create_task(successor.importing.run())
        await until(lambda: _is_applied(catalog))
        rest = [one["sku"] for one in await catalog.sent()]
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    assert (half, rest) == (["S1", "S2"], ["S3"])


async def _is_applied(catalog: CatalogBench) -> bool:
    rows = await catalog.ask("select status from catalog.imports")
    return [row["status"] for row in rows] == ["applied"]


async def test_a_crash_before_the_acceptance_leaves_nothing_and_says_so(
    catalog: CatalogBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def interrupted(*_: object) -> None:
        raise asyncio.CancelledError

    monkeypatch.setattr(contesting, "check_claims", interrupted)
    with pytest.raises(asyncio.CancelledError):
        await catalog.bring("product", PRODUCTS)
    monkeypatch.undo()

    report = await catalog.bring("location", "location_id,location_kind\nL1,store\n")

    dead = await catalog.report(report["import_id"] - 1)
    assert (dead["status"], dead["facts"]["failed"]) == (
        "failed", "interrupted; send the file again",
    )  # fmt: skip
    assert await catalog.ids("product") == []
    assert await catalog.ask("select * from catalog.import_rows") == []


async def test_a_bug_while_a_file_is_taken_in_is_told_at_once(
    catalog: CatalogBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(contesting, "check_claims", broken)
    report = await catalog.bring("product", PRODUCTS)

    assert (report["status"], report["facts"]["failed"]) == (
        "failed", "RuntimeError; send the file again",
    )  # fmt: skip


async def test_one_file_is_imported_at_a_time(catalog: CatalogBench, database: str) -> None:
    async with open_bench(database) as other, catalog.importing._alone():
        other.importing._lock_seconds = 0.2
        with pytest.raises(Busy):
            await other.importing.begin(a_job("product", PRODUCTS))

    assert await catalog.ids("product") == []


async def test_a_long_file_enters_in_slices(catalog: CatalogBench) -> None:
    rows = "".join(f"S{number},gtin,{number:013d},1,,\n" for number in range(5_001))

    report = await catalog.bring("identifier", CODES + rows)

    assert summary(report) == ("applied", {"new": 5_001})
    assert report["warnings_total"] == 5_001
    assert len(report["warnings"]) == 1_000
    assert len(await catalog.sent()) == 5_001


@pytest.mark.shared_data
@pytest.mark.skipif(not RETAIL.exists(), reason="the shared data are not beside the project")
async def test_a_retailers_codes_stay_apart_by_case(catalog: CatalogBench, tmp_path: Path) -> None:
    names: dict[str, str] = {}
    with gzip.open(RETAIL, "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            names.setdefault(row["StockCode"], row["Description"].strip())
    content = io.StringIO()
    writer = csv.writer(content)
    writer.writerow(["sku", "name"])
    writer.writerows(names.items())

    report = await catalog.bring("product", content.getvalue())
    again = await catalog.bring("product", content.getvalue())

    assert summary(report) == ("applied", {"new": 3_272})
    assert summary(again) == ("applied", {"unchanged": 3_272})
    assert len(await catalog.sent()) == 3_272
    kept = await catalog.ids("product")
    assert len({one.lower() for one in kept}) == 3_272 - 74
