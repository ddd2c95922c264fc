"""`parked list|show|replay`: messages that could not be applied, and their way back.

Every service keeps its own; an id is told as SERVICE:NUMBER. The number alone will do where one
service has it.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from services.cli.asking import ask, here
from services.cli.console import print_json, print_table, say
from services.cli.exits import CommandError, Exit
from services.cli.registry import SERVICES
from services.cli.state import StackState
from services.cli.texts import tr

LEDGER_WORKER = "ledger-worker"  # its messages are asked for at the ledger's api


def rooms(state: StackState) -> dict[str, str]:
    """The processes that answer for parked messages, by the name of their service."""
    return {
        service.schema: service.name
        for service in SERVICES
        if service.schema is not None
        and service.name != LEDGER_WORKER
        and service.name in state.processes
    }


def list_parked(service: str | None, reason: str | None, limit: int, *, as_json: bool) -> Exit:
    """Open ones of every service that runs, or of one. Status 3 when one does not answer."""
    state = here()
    found: dict[str, Any] = {}
    silent: dict[str, str] = {}
    for name, process in _chosen(rooms(state), service):
        try:
            query = {"reason": reason, "limit": limit}
            found[name] = ask(state, process, "/v1/parked", query=query)
        except CommandError as error:
            silent[name] = error.problem
    if as_json:
        print_json({"services": found, "silent": silent})
    else:
        _print_list(found)
        for name, problem in silent.items():
            say(f"{name}: {problem}")
    return Exit.NOT_RUNNING if silent else Exit.OK


def _fate(answer: Mapping[str, Any]) -> str:
    if not answer["replayed"]:
        return tr("was brought back before")
    if answer["status"] == "parked":
        return tr("parked again as {reason}", reason=answer["reason"])
    return tr("applied")


def _print_list(found: Mapping[str, Any]) -> None:
    print_table(
        tr("parked"),
        ("service", "id", "reason", "topic", "partition", "offset", "since", "detail"),
        [
            (name, f"{name}:{r['parked_id']}", r["reason"], r["topic"], r["partition"],
             r["kafka_offset"], r["parked_at"], r["detail"])
            for name, answer in found.items() for r in answer["parked"]
        ],
    )  # fmt: skip
    counts = "; ".join(
        f"{name}: {', '.join(f'{reason} {n}' for reason, n in answer['counts'].items())}"
        for name, answer in found.items()
        if answer["counts"]
    )
    say(tr("Of each reason: {value}", value=counts or tr("none")))


def show_parked(told: str, *, as_json: bool) -> Exit:
    """One with its headers and value. Raises CommandError when there is none, or several."""
    state = here()
    name, number, answer = _find(state, told)
    if as_json:
        print_json({"service": name} | answer)
    else:
        print_table(
            tr("parked {name}:{number}", name=name, number=number), ("", ""), list(answer.items())
        )
    return Exit.OK


def replay_parked(
    ids: Sequence[str], service: str | None, reason: str | None, *, every: bool
) -> Exit:
    """Bring some back: named by id, by reason, or all. Raises CommandError for none or several.

    What is refused again is parked again; a message that was brought back before is left alone.
    """
    if sum((bool(ids), reason is not None, every)) != 1:
        raise CommandError(
            tr("Which messages?"), tr("Name ids, or one of --reason and --all."), Exit.USAGE
        )
    state = here()
    for told in ids:
        name, number, _ = _find(state, told)
        path = f"/v1/parked/{number}/replay"
        answer = ask(state, rooms(state)[name], path, method="POST")
        say(f"{name}:{number}: {_fate(answer)}")
    if ids:
        return Exit.OK
    for name, process in _chosen(rooms(state), service):
        body: dict[str, object] = {"ids": [], "reason": reason}
        answer = ask(state, process, "/v1/parked:replay", body=body, method="POST")
        say(tr("{name}: replayed {replayed}", name=name, replayed=answer["replayed"]))
    say(tr("`stocktide parked list` shows what is left."))
    return Exit.OK


def _chosen(found: Mapping[str, str], service: str | None) -> Iterator[tuple[str, str]]:
    if service is None:
        yield from found.items()
    elif service in found:
        yield service, found[service]
    else:
        raise CommandError(
            tr("No service called {service!r} keeps parked messages here.", service=service),
            tr("There are: {value}.", value=", ".join(found) or tr("none")),
            Exit.NOT_FOUND,
        )


def _find(state: StackState, told: str) -> tuple[str, int, dict[str, Any]]:
    """(service, number, row) of an id. Raises CommandError."""
    service, _, digits = told.rpartition(":")
    if not digits.isdecimal():
        raise CommandError(
            tr("{told!r} is no id of a parked message.", told=told),
            tr("An id is SERVICE:NUMBER, as `stocktide parked list` shows it."),
            Exit.USAGE,
        )
    number, found = int(digits), []
    for name, process in _chosen(rooms(state), service or None):
        try:
            found.append((name, number, ask(state, process, f"/v1/parked/{number}")))
        except CommandError as error:
            if error.status is not Exit.NOT_FOUND:
                raise
    if not found:
        raise CommandError(
            tr("No parked message has the id {told}.", told=told),
            tr("`stocktide parked list` shows them."),
            Exit.NOT_FOUND,
        )
    if len(found) > 1:
        ids = ", ".join(f"{name}:{number}" for name, _, _ in found)
        raise CommandError(
            tr("Several services have it: {ids}.", ids=ids), tr("Name one of them."), Exit.USAGE
        )
    return found[0]
