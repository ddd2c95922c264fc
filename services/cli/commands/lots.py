"""`stock lots` and `stock trace`: what expires when, and where a lot or a serial number went."""

from datetime import timedelta
from typing import Any
from urllib.parse import quote

from services.cli.asking import ask_pages, here
from services.cli.commands.stock import LEDGER
from services.cli.console import print_json, print_table, say
from services.cli.exits import CommandError, Exit
from services.cli.texts import tr, word
from shared.runtime.clock import SystemClock

PAGE = 1_000


def show_lots(
    sku: str | None, location: str | None, expiring: int | None, *, as_json: bool
) -> Exit:
    """Lots on every shelf; or only those that expire within so many days."""
    by = None
    if expiring is not None:
        by = (SystemClock().now().date() + timedelta(days=expiring)).isoformat()
    found = ask_pages(
        here(), LEDGER, "/v1/lots", name="lots",
        query={"sku": sku, "location": location, "expiring_by": by, "limit": PAGE},
        following=lambda page: None if page["next"] is None else {"after": page["next"]},
    )  # fmt: skip
    if as_json:
        print_json({"lots": found})
        return Exit.OK
    if not found:
        say(tr("No lot is on a shelf there."))
        return Exit.OK
    print_table(
        tr("lots, first to go first"),
        ("sku", "location", "lot", "expires", "days left", "units"),
        [
            (x["sku"], x["location"], x["lot"], x["expires_on"], x["days_left"], x["units"])
            for x in found
        ],
    )
    return Exit.OK


def trace(sku: str, lot: str | None, serial: str | None, *, as_json: bool) -> Exit:
    """Every movement that named a lot or a serial number. Raises CommandError if there is none."""
    if (lot is None) == (serial is None):
        raise CommandError(
            tr("What is to be traced?"), tr("Name one of --lot and --serial."), Exit.USAGE
        )
    found = ask_pages(
        here(), LEDGER, f"/v1/traces/{quote(sku, safe='')}", name="movements",
        query={"lot": lot, "serial": serial, "limit": PAGE}, following=_after_movements,
    )  # fmt: skip
    what = lot or serial or ""
    if not found:
        raise CommandError(
            tr("No movement of {sku} names {what}.", sku=sku, what=what),
            tr("Look for a typing error; `stocktide stock lots {sku}` lists its lots.", sku=sku),
            Exit.NOT_FOUND,
        )
    if as_json:
        print_json({"sku": sku, "movements": found})
        return Exit.OK
    print_table(
        tr("the way of {what}", what=what),
        ("at", "type", "units", "from", "to", "orders", "source"),
        [
            (x["occurred_at"], word(x["type"]), x["quantity"], _side(x, "from"), _side(x, "to"),
             x["details"].get("order_line", {}).get("order_id"), x["source"])
            for x in found
        ],
    )  # fmt: skip
    return Exit.OK


def _after_movements(page: dict[str, Any]) -> dict[str, str] | None:
    rows = page["movements"]
    if len(rows) < PAGE:
        return None
    return {"after": rows[-1]["occurred_at"], "after_id": rows[-1]["event_id"]}


def _side(movement: dict[str, Any], side: str) -> object:
    place, bucket = movement[f"{side}_location"], word(movement[f"{side}_bucket"])
    return bucket if place is None else f"{place}: {bucket}"
