"""`stock get`, `stock explain`, `view rebuild`: the ledger's and availability's answers, joined."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

from services.cli.asking import ask, here
from services.cli.console import print_json, print_table, say
from services.cli.exits import CommandError, Exit
from services.cli.texts import tr, word

LEDGER, AVAILABILITY = "ledger-api", "availability"


def get(skus: list[str], *, as_json: bool) -> Exit:
    """Levels and figures. Status 6 when nobody knows one of the SKUs."""
    state = here()
    levels = ask(state, LEDGER, "/v1/levels", query={"sku": skus})["levels"]
    body = {"skus": skus}
    answer = ask(state, AVAILABILITY, "/v1/availability:query", body=body, method="POST")
    unknown = [sku for sku in answer["unknown"] if not any(r["sku"] == sku for r in levels)]
    if as_json:
        print_json({"levels": levels, "figures": answer["figures"], "unknown": unknown})
    else:
        print_table(
            tr("levels"),
            ("SKU", "location", "sellable", "reserved", "allocated", "free"),
            [
                (r["sku"], r["location"], r["sellable"], r["reserved"], r["allocated"],
                 r["sellable"] - r["reserved"] - r["allocated"])
                for r in levels
            ],
        )  # fmt: skip
        print_table(
            tr("available to sell"),
            ("SKU", "channel", "units", "as of"),
            _figures(answer["figures"]),
        )
        for sku in unknown:
            say(tr("Nobody has told us of {sku}.", sku=sku))
    return Exit.NOT_FOUND if unknown else Exit.OK


def _figures(figures: list[Mapping[str, Any]]) -> list[tuple[object, ...]]:
    return [
        (one["sku"], channel, shown["available_to_sell"], _age(one))
        for one in figures
        for channel, shown in one["channels"].items()
    ]


def _age(figure: Mapping[str, Any]) -> str:
    age = figure.get("age_seconds")
    told = tr("unknown") if age is None else tr("{age:.1f} s ago", age=age)
    return tr("{told} (stale)", told=told) if figure.get("stale") else told


def explain(
    sku: str, location: str | None, channel: str | None, at: str | None, *, as_json: bool
) -> Exit:
    """What the ledger booked, and what availability made of it, now or at a past moment. Status 6
    for an unknown SKU.
    """
    state, moment = here(), None if at is None else moment_of(at)
    path = f"/v1/explain/{quote(sku, safe='')}"
    query = {"location": location, "channel": channel}
    if moment is None:
        book = ask(state, LEDGER, path, query={"location": location})
        offer = ask(state, AVAILABILITY, path, query=query)
    else:
        # Every location's level: what a channel may sell depends on all of them.
        book = ask(state, LEDGER, path, query={"at": moment})
        body = {"at": moment, "levels": book["levels"], "unsourced": book["unsourced"]}
        offer = ask(state, AVAILABILITY, path, query=query, body=body, method="POST")
        if parts := offer["kit"]:
            body["parts"] = {part["sku"]: _books(part["sku"], moment) for part in parts}
            offer = ask(state, AVAILABILITY, path, query=query, body=body, method="POST")
        book["levels"] = [x for x in book["levels"] if location in (None, x["location"])]
    if as_json:
        print_json({"ledger": book, "availability": offer})
        return Exit.OK
    if not book["levels"] and not offer["kit"]:
        raise CommandError(
            tr(
                "The ledger has no level of {sku}{value}.",
                sku=sku,
                value=tr(" at {location}", location=location) if location else "",
            ),
            tr("Look for a typing error; `stocktide stock get` lists its locations."),
            Exit.NOT_FOUND,
        )
    _print_book(sku, moment, book)
    _print_offer(offer)
    return Exit.OK


def _print_book(sku: str, moment: str | None, book: Mapping[str, Any]) -> None:
    print_table(
        tr(
            "{sku}: what the ledger had booked{by}",
            sku=sku,
            by=tr(" by {moment}", moment=moment) if moment else "",
        ),
        ("location", "bucket", "because of", "units", "movements"),
        [
            (level["location"], word(t["bucket"]),
             f"{word(t['type'])}{tr(' restated') if t['restates'] else ''}", t["quantity"],
             t["movements"])
            for level in book["levels"] for t in level["terms"]
        ],
    )  # fmt: skip
    for level in book["levels"]:
        _print_shorts(level)
        if not level["is_complete"]:
            say(
                tr(
                    "{location}: months that are closed hold some that was recorded later.",
                    location=level["location"],
                )
            )


def _print_shorts(level: Mapping[str, Any]) -> None:
    """Who looked in vain last, where that still keeps the SKU from being offered."""
    shorts = [short for short in level["shorts"] if not short["is_counted"]]
    if level["suspended"] and shorts:
        say(
            tr(
                "{location}: looked for in vain at {at} for order {order}, and not counted since: "
                "offered at no distance.",
                location=level["location"],
                at=shorts[0]["at"],
                order=shorts[0]["order_id"],
            )
        )


def suspended(location: str | None, after: int, limit: int, *, as_json: bool) -> Exit:
    """What was looked for in vain and waits to be counted."""
    query = {"location": location, "after": after, "limit": limit}
    answer = ask(here(), LEDGER, "/v1/levels/suspended", query=query)
    if as_json:
        print_json(answer)
        return Exit.OK
    if not answer["levels"]:
        say(tr("Nothing waits to be counted."))
        return Exit.OK
    print_table(
        tr("waiting to be counted"),
        ("number", "sku", "location", "since", "sellable", "orders"),
        [
            (x["level_id"], x["sku"], x["location"], x["at"], x["sellable"],
             ", ".join(x["orders"]))
            for x in answer["levels"]
        ],
    )  # fmt: skip
    return Exit.OK


def in_transit(
    location: str | None, after: int, limit: int, *, only_discrepancies: bool, as_json: bool
) -> Exit:
    """What is on its way to each place, and what of it cannot be right."""
    query = {
        "location": location, "after": after, "limit": limit, "discrepancies": only_discrepancies,
    }  # fmt: skip
    answer = ask(here(), LEDGER, "/v1/in-transit", query=query)
    if as_json:
        print_json(answer)
        return Exit.OK
    print_table(
        tr("on the way"),
        ("number", "sku", "location", "units", "last dispatched", "last received", "look"),
        [
            (x["level_id"], x["sku"], x["location"], x["quantity"], x["dispatched_at"],
             x["received_at"], tr("yes") if x["is_discrepancy"] else None)
            for x in answer["levels"]
        ],
    )  # fmt: skip
    return Exit.OK


def _books(sku: str, moment: str) -> Mapping[str, Any]:
    """What the ledger had of a part of a kit at a past moment."""
    book = ask(here(), LEDGER, f"/v1/explain/{quote(sku, safe='')}", query={"at": moment})
    return {"levels": book["levels"], "unsourced": book["unsourced"]}


def moment_of(told: str) -> str:
    """A moment as services read it; without a zone it is this machine's. Raises CommandError."""
    try:
        return datetime.fromisoformat(told).astimezone().isoformat()
    except ValueError as error:
        raise CommandError(
            tr("{told!r} is no moment.", told=told),
            tr("Write it as 2026-03-01T12:00:00+01:00."),
            Exit.USAGE,
        ) from error


def _print_offer(offer: Mapping[str, Any]) -> None:
    for channel, one in offer["channels"].items():
        print_table(
            tr(
                "{channel}: {available_to_sell} available to sell",
                channel=channel,
                available_to_sell=one["available_to_sell"],
            ),
            ("term", "units", "policy"),
            [
                (word(name), value, _winner(one["policies"], name))
                for name, value in one["terms"].items()
            ],
        )
        columns = ("free", "buffer", "short", "hindrance", "offered")
        print_table(
            tr("offered by"),
            ("location", *columns, "policies"),
            [
                (name, *(place[column] for column in columns), _contests(place["policies"]))
                for name, place in one["locations"].items()
            ],
        )
        _print_parts(channel, one.get("parts", ()))


def _print_parts(channel: str, parts: Sequence[Mapping[str, Any]]) -> None:
    """Which part binds where: the one that is enough for the fewest kits."""
    columns = ("free", "buffer", "hindrance", "offered", "spare", "enough_for")
    if parts:
        print_table(
            tr("{channel}: made of", channel=channel),
            ("location", "part", "each", *columns, "binds"),
            [
                (name, part["sku"], part["quantity"], *(place[column] for column in columns),
                 tr("yes") if place["enough_for"] == _fewest(parts, name) else "")
                for name in parts[0]["locations"]
                for part in parts
                for place in (part["locations"][name],)
            ],
        )  # fmt: skip


def _fewest(parts: Sequence[Mapping[str, Any]], location: str) -> int:
    fewest: int = min(part["locations"][location]["enough_for"] for part in parts)
    return fewest


def _winner(policies: Mapping[str, Any], term: str) -> str | None:
    found = policies.get(term)
    if found is None:
        return None
    lost = ", ".join(policy["policy_id"] for policy in found["lost"])
    won = str(found["won"]["policy_id"])
    return tr("{won} over {lost}", won=won, lost=lost) if lost else won


def _contests(policies: Mapping[str, Any]) -> str:
    return ", ".join(f"{word(term)}: {_winner(policies, term)}" for term in policies)


def rebuild_view() -> Exit:
    """Ask for it; readers are answered from the database meanwhile."""
    ask(here(), AVAILABILITY, "/v1/view/rebuild", method="POST")
    say(tr("Asked for; `stocktide status` shows when availability is ready again."))
    return Exit.OK
