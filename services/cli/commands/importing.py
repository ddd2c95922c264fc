"""`import KIND FILE`: a file of reference data, taken whole or not at all, and its report."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from time import sleep
from typing import IO, Any

import httpx
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

from services.catalog.handlers.columns import layout_of
from services.catalog.handlers.translating import MODELS
from services.catalog.settings import CatalogSettings
from services.cli.asking import authorization, here
from services.cli.console import print_json, print_table, say
from services.cli.exits import CommandError, Exit
from services.cli.import_command import MOVING
from services.cli.texts import tr

CATALOG = "catalog"
PART_BYTES = 262_144
POLL_SECONDS = 0.3
POLLS_MAX = 24_000
ANSWER_SECONDS = 660.0
SHOWN = 20
PAGE = 1_000
UNDER_WAY = frozenset({"checking", "accepted"})
WAY_OUT = "Mend these rows and import the file again; with --partial the others enter without them."


def print_template(kind: str) -> Exit:
    """The header of a kind's file."""
    _require_kind(kind)
    say(",".join(layout_of(kind).columns))
    return Exit.OK


def import_file(
    kind: str, file: str, *, as_json: bool, dry_run: bool, partial: bool, sheet: str | None,
    zone: str,
) -> Exit:  # fmt: skip
    """Send the file, wait until it has entered, and tell what became of its rows.

    Status 0 when all rows entered or stood there already, 2 when rows are refused (with `partial`
    the others have entered). Raises CommandError when the file or the catalog can't be had.
    """
    _require_kind(kind)
    query = {"name": Path(file).name[:200], "zone": zone, "dry_run": str(dry_run).lower(),
             "partial": str(partial).lower()} | ({"sheet": sheet} if sheet else {})  # fmt: skip
    url = f"http://127.0.0.1:{here().port_of(CATALOG)}/v1/imports"
    headers = authorization(CATALOG)
    try:
        with (
            Path(file).open("rb") as opened,
            httpx.Client(timeout=ANSWER_SECONDS, trust_env=False, headers=headers) as client,
            _progress() as progress,
        ):
            task = progress.add_task("sending", total=_size(file))
            parts = _parts(opened, progress, task)
            answer = client.post(f"{url}/{kind}", params=query, content=parts)
            report = _settled(client, url, answer, progress)
            if as_json and report["refusals_total"] > len(report["refusals"]):
                report["refusals"] = list(_all_refusals(client, url, report["import_id"]))
    except OSError as error:
        raise CommandError(
            tr("{file} cannot be read: {strerror}.", file=file, strerror=error.strerror),
            tr("Name a CSV or Excel file."),
            Exit.USAGE,
        ) from error
    except httpx.HTTPError as error:
        raise CommandError(
            tr("{service} does not answer at {url}: {error}.",
               service=CATALOG, url=url, error=error),
            tr(
                "Look at it: `stocktide status`, `stocktide logs {catalog}`; importing the "
                "file again does no harm.",
                catalog=CATALOG,
            ),
            Exit.NOT_RUNNING,
        ) from error  # fmt: skip
    if as_json:
        print_json(report)
    else:
        _print_report(report)
    return _status(report)


def _size(file: str) -> int:
    """Bytes of the file. Raises CommandError where the catalog would not take as many."""
    size, most = Path(file).stat().st_size, CatalogSettings().file_bytes_max
    if size > most:
        raise CommandError(
            tr(
                "{file} has {size:,} bytes; the catalog takes {most:,}.",
                file=file,
                size=size,
                most=most,
            ),
            tr(
                "Pack it (.csv.gz), cut it in parts, or raise {variable}.",
                variable=CatalogSettings.variable("file_bytes_max"),
            ),
            Exit.USAGE,
        )
    return size


def _require_kind(kind: str) -> None:
    if kind not in MODELS:
        names = ", ".join((*MODELS, *MOVING))
        raise CommandError(
            tr("No kind is called {kind!r}.", kind=kind),
            tr("There are: {names}.", names=names),
            Exit.USAGE,
        )


def _progress() -> Progress:
    """On standard error, so that the report alone stands on standard output."""
    return Progress(
        TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeElapsedColumn(),
        console=Console(stderr=True), transient=True,
    )  # fmt: skip


def _parts(opened: IO[bytes], progress: Progress, task: Any) -> Iterator[bytes]:  # rich's own type
    while part := opened.read(PART_BYTES):
        progress.advance(task, len(part))
        yield part
    progress.update(task, description="checking")


def _settled(
    client: httpx.Client, url: str, answer: httpx.Response, progress: Progress
) -> dict[str, Any]:  # a report's JSON
    """The report once the import is settled. Raises CommandError when that takes all day."""
    for _ in range(POLLS_MAX):
        report = _report(answer)
        if report["status"] not in UNDER_WAY:
            return report
        rows = f"{report['status']}: {report['rows_read']:,} rows"
        for task in progress.task_ids:
            progress.update(task, description=rows)
        sleep(POLL_SECONDS)
        answer = client.get(f"{url}/{report['import_id']}")
    raise CommandError(
        tr(
            "The import is not settled after {value:.0f} hours.",
            value=POLLS_MAX * POLL_SECONDS / 3600,
        ),
        tr(
            "See `stocktide logs {catalog}`; importing the file again does no harm.",
            catalog=CATALOG,
        ),
    )


def _report(answer: httpx.Response) -> dict[str, Any]:  # a report's JSON
    try:
        told = answer.json()
    except ValueError:
        told = {"detail": answer.text[:300]}
    if isinstance(told, dict) and "import_id" in told:
        return told
    detail = told.get("detail", told) if isinstance(told, dict) else told
    busy = answer.status_code == 409
    raise CommandError(
        tr(
            "{catalog} answered {status_code}: {detail}.",
            catalog=CATALOG,
            status_code=answer.status_code,
            detail=detail,
        ),
        tr("Try again in a moment.")
        if busy
        else tr("See `stocktide logs {service}`.", service=CATALOG),
        Exit.USAGE if answer.status_code in (401, 413, 422) else Exit.FAILED,
    )


def _all_refusals(client: httpx.Client, url: str, import_id: int) -> Iterator[Mapping[str, Any]]:
    """Every refusal, page after page; there are at most as many pages as the file has rows."""
    after = {"line": 0, "finding_id": 0}
    while True:
        answer = client.get(f"{url}/{import_id}/refusals", params={**after, "limit": PAGE})
        page = answer.raise_for_status().json()["refusals"]
        yield from page
        if len(page) < PAGE:
            return
        after = {"line": page[-1]["line"], "finding_id": page[-1]["finding_id"]}


def _status(report: Mapping[str, Any]) -> Exit:
    if report["status"] == "failed":
        return Exit.FAILED
    return Exit.USAGE if report["refusals_total"] else Exit.OK


def _print_report(report: Mapping[str, Any]) -> None:
    print_findings(report)
    counts = report["counts"]
    told = ", ".join(f"{rows:,} {fate}" for fate, rows in sorted(counts.items()) if rows)
    say(f"{_sentence(report)} ({told or tr('no rows')})")


def print_findings(report: Mapping[str, Any]) -> None:
    """How the file was understood, and what is wrong with its rows."""
    facts = report["facts"]
    understood = ", ".join(f"{name} {value}" for name, value in facts.items() if name != "failed")
    say(
        tr(
            "{name}: {rows_read:,} rows read ({value})",
            name=report["name"],
            rows_read=report["rows_read"],
            value=understood or tr("not understood"),
        )
    )
    if facts.get("encoding") == "cp1252":
        say(tr("The file is no UTF-8; it was read as Windows-1252."))
    for title, name in ((tr("refused"), "refusals"), (tr("worth a look"), "warnings")):
        found, total = report[name], report[f"{name}_total"]
        if not total:
            continue
        print_table(
            title if total <= SHOWN else f"{title}: the first {SHOWN} of {total:,}",
            ("line", "column", "reason", "what it is"),
            [(one["line"] or None, one["column"], one["reason"], one["detail"])
             for one in found[:SHOWN]],
        )  # fmt: skip


def _sentence(report: Mapping[str, Any]) -> str:
    match report["status"]:
        case "applied" if report["refusals_total"]:
            return tr("The other rows have entered.")
        case "applied":
            return tr("Everything has entered or stood there already.")
        case "checked":
            return tr("A dry run: nothing has entered.")
        case "refused":
            return tr("Nothing has entered. {way_out}", way_out=tr(WAY_OUT))
        case _:
            why = report["facts"].get("failed", tr("see the log"))
            return tr("It failed: {why}.", why=why)
