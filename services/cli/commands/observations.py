"""`observations list` and `sources`: what observing systems told, and who tells at all."""

from typing import Any

from services.cli.asking import ask, here
from services.cli.console import print_json, print_table, say
from services.cli.exits import Exit
from services.cli.texts import tr, word

LEDGER = "ledger-api"
# What an observation may be matched by, each in the order in which people say it.
KEYS = {
    "order_line": ("order_id", "line_id"),
    "supply_line": ("supply_id", "line_id"),
    "document": ("kind", "number", "line"),
}


def list_observations(
    state: str, source: str | None, after: int, limit: int, *, as_json: bool
) -> Exit:
    """Observations of one state, oldest first, and how many there are of each that needs a look."""
    query = {"state": state, "source": source, "after": after, "limit": limit}
    answer = ask(here(), LEDGER, "/v1/observations", query=query)
    if as_json:
        print_json(answer)
        return Exit.OK
    print_table(
        tr("observations: {state}", state=word(state)),
        ("number", "source", "type", "sku", "location", "told", "posted", "difference", "by",
         "occurred", "key"),
        [
            (o["observation_no"], o["source"], word(o["type"]), o["sku"], o["location"],
             o["quantity"], _posted(o), o["difference"], o["matched_by"], o["occurred_at"],
             _key(o["details"]))
            for o in answer["observations"]
        ],
    )  # fmt: skip
    counts = ", ".join(f"{word(state)} {n}" for state, n in answer["counts"].items())
    say(tr("Of each state: {value}", value=counts or tr("none to look at")))
    return Exit.OK


def list_sources(*, as_json: bool) -> Exit:
    """Who tells, in which role, when last, and which of its messages are missing."""
    answer = ask(here(), LEDGER, "/v1/sources")
    if as_json:
        print_json(answer)
        return Exit.OK
    print_table(
        tr("sources"),
        ("source", "declared", "kind", "role", "rules", "last heard", "silent at", "highest",
         "missing"),
        [
            (s["source"], tr("yes") if s["declared"] else tr("no: it posts"), s["kind"],
             word(s["role"]), s["rules"], s["heard_at"],
             ", ".join(at["location"] for at in s["silent_at"]) or None,
             (s["sequence"] or {}).get("highest"), _missing(s))
            for s in answer["sources"]
        ],
    )  # fmt: skip
    return Exit.OK


def _posted(observation: dict[str, Any]) -> str | None:
    if observation["posted"] is None:
        return None
    elsewhere = [observation["posted_sku"], observation["posted_location"]]
    return " ".join([str(observation["posted"]), *[f"({name})" for name in elsewhere if name]])


def _key(details: dict[str, Any]) -> str | None:
    """What it could be matched by."""
    told = [
        "/".join(str(details[name][part]) for part in parts if part in details[name])
        for name, parts in KEYS.items()
        if name in details
    ]
    return ", ".join(told) or None


def _missing(source: dict[str, Any]) -> str | None:
    gaps = (source["sequence"] or {}).get("gaps", [])
    told = [
        str(gap["first"]) if gap["first"] == gap["last"] else f"{gap['first']}–{gap['last']}"
        for gap in gaps
    ]
    return ", ".join(told) or None
