"""`parked list|show|replay`: messages that could not be applied, and their way back."""

from typing import Any

from services.cli.asking import ask, here
from services.cli.console import print_json, print_table, say
from services.cli.exits import CommandError, Exit

SERVICE = "ledger-api"


def list_parked(reason: str | None, limit: int, *, as_json: bool) -> Exit:
    """Open ones, oldest first."""
    answer = ask(here(), SERVICE, "/v1/parked", query={"reason": reason, "limit": limit})
    if as_json:
        print_json(answer)
        return Exit.OK
    print_table(
        "parked",
        ("id", "reason", "topic", "partition", "offset", "since", "detail"),
        [
            (r["parked_id"], r["reason"], r["topic"], r["partition"], r["kafka_offset"],
             r["parked_at"], r["detail"])
            for r in answer["parked"]
        ],
    )  # fmt: skip
    say(f"Of each reason: {answer['counts'] or 'none'}")
    return Exit.OK


def show_parked(parked_id: int, *, as_json: bool) -> Exit:
    """One with its headers and value. Raises CommandError when there is none."""
    answer: dict[str, Any] = ask(here(), SERVICE, f"/v1/parked/{parked_id}")
    if as_json:
        print_json(answer)
    else:
        print_table(f"parked {parked_id}", ("", ""), list(answer.items()))
    return Exit.OK


def replay_parked(ids: list[int], reason: str | None, *, every: bool) -> Exit:
    """Bring some back: named by id, by reason, or all. Raises CommandError for none or several."""
    if sum((bool(ids), reason is not None, every)) != 1:
        raise CommandError("Which messages?", "Name ids, or one of --reason and --all.", Exit.USAGE)
    body = {"ids": ids, "reason": reason}
    answer = ask(here(), SERVICE, "/v1/parked:replay", body=body, method="POST")
    say(f"Replayed {answer['replayed']}; `stocktide parked list` shows what is left.")
    return Exit.OK
