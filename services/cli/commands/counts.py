"""`count sheet` and `count list`: what to count, and what counts have found."""

from typing import Any
from urllib.parse import quote

from services.cli.asking import ask, ask_pages, here
from services.cli.commands.stock import LEDGER, moment_of
from services.cli.console import print_json, print_table, say, write
from services.cli.exits import CommandError, Exit
from services.cli.texts import tr, word
from services.ledger.handlers.counting import csv_of

PAGE = 10_000


def print_sheet(location: str, *, only_suspended: bool, as_json: bool) -> Exit:
    """A CSV to fill in, on standard output. Raises CommandError where there is nothing to count."""
    skus = ask_pages(
        here(), LEDGER, f"/v1/count-sheets/{quote(location, safe='')}", name="skus",
        query={"suspended": only_suspended, "limit": PAGE},
        following=lambda page: {"after": page["skus"][-1]} if len(page["skus"]) == PAGE else None,
    )  # fmt: skip
    if as_json:
        print_json({"location": location, "skus": skus})
        return Exit.OK
    if not skus:
        raise CommandError(
            tr("There is nothing to count at {location}.", location=location),
            tr("Look for a typing error; `stocktide stock get` lists the places of a SKU."),
            Exit.NOT_FOUND,
        )
    write(csv_of(skus, location))
    return Exit.OK


def list_counts(
    location: str | None, sku: str | None, since: str | None, *, only_recounts: bool, as_json: bool
) -> Exit:
    """Counts with their variance and value, and what they come to."""
    moment = None if since is None else moment_of(since)
    query = {"location": location, "sku": sku, "since": moment, "limit": PAGE}
    answer = ask(here(), LEDGER, "/v1/counts", query=query)
    if only_recounts:
        answer["counts"] = [one for one in answer["counts"] if one["recount"]]
    if as_json:
        print_json(answer)
        return Exit.OK
    print_table(
        tr("counts"),
        ("at", "location", "sku", "bucket", "book", "found", "difference", "value", "currency",
         "again", "late"),
        [
            (one["at"], one["location"], one["sku"], word(one["bucket"]), one["book"],
             one["counted"], one["variance"], one["value"], one["currency"],
             tr("yes") if one["recount"] else None, one["late"] if one["closed_at"] else None)
            for one in answer["counts"]
        ],
    )  # fmt: skip
    _say_summary(answer["summary"])
    return Exit.OK


def close_counts(location: str, until: str | None, *, as_json: bool) -> Exit:
    """Close a location's counts. Raises CommandError where nobody knows it."""
    body = {"location": location, "until": None if until is None else moment_of(until)}
    answer = ask(here(), LEDGER, "/v1/count-closings", body=body, method="POST")
    if as_json:
        print_json(answer)
        return Exit.OK
    say(
        tr(
            "{counts:,} counts at {location} up to {until} are closed: what comes late is shown "
            "apart.",
            counts=answer["counts"],
            location=location,
            until=answer["until"],
        )
    )
    return Exit.OK


def _say_summary(summary: dict[str, Any]) -> None:
    if not summary["counts"]:
        return
    values = ", ".join(f"{value} {name}" for name, value in summary["values"].items())
    say(
        tr(
            "{counts:,} counts: {found:,} units found, {missing:,} missing ({values}); the book "
            "was right, within one unit, in {accuracy:.1%}.",
            counts=summary["counts"],
            found=summary["found"],
            missing=summary["missing"],
            values=values or tr("value unknown"),
            accuracy=summary["accuracy"],
        )
    )
