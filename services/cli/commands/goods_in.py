"""`stock goods-in`: what was to come, and what came."""

from services.cli.asking import ask_pages, here
from services.cli.commands.stock import LEDGER
from services.cli.console import print_json, print_table, say
from services.cli.exits import Exit
from services.cli.texts import tr, word

PAGE = 1_000


def show_goods_in(
    location: str | None, supply_id: str | None, *, only_deviations: bool, as_json: bool
) -> Exit:
    """Lines of supply orders with what has come in for them."""
    lines = ask_pages(
        here(), LEDGER, "/v1/goods-in", name="lines",
        query={
            "location": location, "supply_id": supply_id, "deviations": only_deviations,
            "limit": PAGE,
        },
        following=lambda page: page["next"] or None,
    )  # fmt: skip
    if as_json:
        print_json({"lines": lines})
        return Exit.OK
    if not lines:
        say(tr("Nothing to look at.") if only_deviations else tr("No supply order is told of."))
        return Exit.OK
    print_table(
        tr("goods in"),
        ("supply", "line", "sku", "location", "state", "expected", "due", "received", "rejected",
         "missing", "told", "look"),
        [
            (x["supply_id"], x["line_id"], x["sku"], x["location"], word(x["state"]),
             (x["expected_at"] or "")[:10] or None, x["due"], x["received"], x["rejected"],
             x["missing"], x["told_received"], tr("yes") if x["is_deviating"] else None)
            for x in lines
        ],
    )  # fmt: skip
    return Exit.OK
