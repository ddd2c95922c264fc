"""`holds list|show|release`: what is held for whom, and giving it back."""

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from services.cli.asking import ask, ask_pages, here
from services.cli.commands.stock import LEDGER
from services.cli.console import print_json, print_table, say
from services.cli.exits import CommandError, Exit
from services.cli.texts import tr, word


def list_holds(location: str | None, sku: str | None, *, overdue: bool, as_json: bool) -> Exit:
    """Open parts of holds, page by page. Raises CommandError where neither is asked for."""
    if location is None and not overdue:
        raise CommandError(
            tr("Which holds?"), tr("Name --location, or ask for --overdue ones."), Exit.USAGE
        )
    if sku is not None and overdue:
        raise CommandError(
            tr("--sku goes with --location alone."), tr("Leave one of them out."), Exit.USAGE
        )
    found = ask_pages(
        here(), LEDGER, "/v1/holds", name="holds",
        query={"location": location, "sku": sku, "overdue": overdue or None},
        following=lambda page: {"after": page["holds"][-1]["hold_no"]} if page["holds"] else None,
    )  # fmt: skip
    if as_json:
        print_json({"holds": found})
        return Exit.OK
    if not found:
        say(tr("Nothing is held there."))
        return Exit.OK
    print_table(
        tr("holds, first come first"),
        ("id", "SKU", "location", "units", "purpose", "for", "since", "until"),
        [
            (x["hold_id"], x["sku"], x["location"], x["quantity"], word(x["purpose"]),
             _whom(x), x["held_from"], x["held_until"])
            for x in found
        ],
    )  # fmt: skip
    return Exit.OK


def _whom(hold: dict[str, Any]) -> str | None:
    """The order, else the customer, else the channel that it is held for."""
    told = json.loads(hold["beneficiary"] or "{}")
    for name in ("order_id", "customer_ref", "channel"):
        if told.get(name):
            return str(told[name])
    return None if hold["channel"] is None else str(hold["channel"])


def show_hold(hold_id: str, *, as_json: bool) -> Exit:
    """One with its lines. Raises CommandError when there is none."""
    hold = ask(here(), LEDGER, f"/v1/holds/{quote(hold_id, safe='')}")
    if as_json:
        print_json(hold)
        return Exit.OK
    ends = tr(" until {until}", until=hold["until"]) if hold.get("until") else ""
    print_table(
        tr("{hold}: {state}{ends}", hold=hold["hold_id"], state=word(hold["state"]), ends=ends),
        ("SKU", "units", "location", "still to come", "promised", "reason"),
        [_line(line) for line in hold["lines"]],
    )
    return Exit.OK


def _line(line: dict[str, Any]) -> tuple[object, ...]:
    refused, held = line.get("refused"), line.get("held", [])
    places = ", ".join(f"{place['location']} {place['quantity']}" for place in held)
    return (
        line["sku"], sum(place["quantity"] for place in held), places or None,
        line.get("waiting"), line.get("promised_at"), word(refused["reason"]) if refused else None,
    )  # fmt: skip


def release_holds(ids: Sequence[str]) -> Exit:
    """One after the other. Raises CommandError at the first that nobody knows."""
    state = here()
    for hold_id in ids:
        path = f"/v1/holds/{quote(hold_id, safe='')}/release"
        hold = ask(state, LEDGER, path, method="POST")
        say(tr("{hold}: {state}", hold=hold["hold_id"], state=word(hold["state"])))
    return Exit.OK
