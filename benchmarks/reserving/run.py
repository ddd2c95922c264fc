"""One run of P3 and P4: the ledger's api and worker as in production, the load beside them."""

import asyncio
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.children import environment_for, running, stocktide
from benchmarks.invariants import Invariant
from benchmarks.machine import Machine
from benchmarks.reserving import books, wrk
from benchmarks.reserving.outcome import Outcome
from benchmarks.reserving.peers import PEERS, PeerOutcome, run_all
from benchmarks.reserving.programs import ran
from benchmarks.reserving.stock import PLENTY, stock_up
from shared.postgres.connecting import connect
from shared.runtime.infrastructure import Addresses

CONNECTIONS = 64
OPEN_LOOP_RATE = 500
SCARCE = 500  # units of the last SKU, of which far more are asked for


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How long each phase runs, on how many SKUs, and how many ask in process."""

    seconds: int = 10
    skus: int = 2_000
    callers: int = 32
    peers: Sequence[str] = tuple(peer.name for peer in PEERS)


@dataclass(slots=True, kw_only=True)
class Reserved:
    """Everything a run measured."""

    options: Options
    saturated: Outcome
    steady: Outcome
    hot_http: Outcome
    hot_inside: Outcome
    scarce: Outcome
    peers: Sequence[PeerOutcome] = ()
    oversold_units: int = 0
    invariants: Sequence[Invariant] = ()


class LoadError(Exception):
    """A program of load did not do what it was started for."""


def reserve(addresses: Addresses, options: Options, say: Callable[[str], None]) -> Reserved:
    """Measure ours on fresh servers, check the books, then the peers, one after the other.

    Raises LoadError when a program of load ends without a figure.
    """
    services = [stocktide("ledger-worker", addresses), stocktide("ledger-api", addresses)]
    port = int(services[1].ready.rsplit(":", 1)[1].split("/")[0])
    hot, last = options.skus, options.skus + 1
    stock = {**dict.fromkeys(range(hot + 1), PLENTY), last: SCARCE}
    with running(services) as children:
        asyncio.run(stock_up(addresses, stock, children, say))
        found = _measured(addresses, options, port, hot, last, say)
        for child in children:
            child.require_alive()
        asyncio.run(_check(addresses, found))
    found.peers = run_all(
        addresses, options.peers, options.skus, options.callers, options.seconds, say
    )
    return found


def _measured(
    addresses: Addresses, options: Options, port: int, hot: int, last: int,
    say: Callable[[str], None],
) -> Reserved:  # fmt: skip
    seconds = options.seconds

    def over_http(name: str, first: int, skus: int, *rate: int) -> Outcome:
        return _load(
            "load", port, name, first, skus, CONNECTIONS, seconds, *rate, addresses=addresses
        )

    say(f"many SKUs over HTTP, {CONNECTIONS} connections, as fast as they can")
    program = wrk.path()
    saturated = (
        over_http("many", 0, hot) if program is None
        else wrk.run(program, port, "many", hot, CONNECTIONS, seconds)
    )  # fmt: skip
    say(f"many SKUs over HTTP, open loop at {OPEN_LOOP_RATE} a second")
    steady = over_http("steady", 0, hot, OPEN_LOOP_RATE)
    say("one hot SKU over HTTP")
    hot_http = over_http("hot", hot, 1)
    say(f"one hot SKU in process, {options.callers} callers")
    inside = _load("inside", "inside", hot, options.callers, seconds, addresses=addresses)
    say(f"the last {SCARCE} units of a SKU over HTTP")
    scarce = over_http("scarce", last, 1)
    return Reserved(
        options=options, saturated=saturated, steady=steady, hot_http=hot_http, hot_inside=inside,
        scarce=scarce,
    )  # fmt: skip


async def _check(addresses: Addresses, found: Reserved) -> None:
    runs = {
        "many": found.saturated, "steady": found.steady, "hot": found.hot_http,
        "inside": found.hot_inside, "scarce": found.scarce,
    }  # fmt: skip
    connection = await connect(addresses.postgres, application="stocktide-benchmarks")
    try:
        found.oversold_units, none_oversold = await books.oversold(connection)
        found.invariants = [
            none_oversold,
            *await books.counted(connection),
            await books.answered(
                connection, {n: (run.ever_accepted, run.unheard) for n, run in runs.items()}
            ),
            Invariant(
                name="of the last units each was held", checked=SCARCE,
                violations=abs(SCARCE - found.scarce.ever_accepted),
            ),
            Invariant(
                name="every request was answered", checked=sum(r.accepted for r in runs.values()),
                violations=sum(run.failed for run in runs.values()),
            ),
        ]  # fmt: skip
    finally:
        await connection.close()


def _load(module: str, *arguments: object, addresses: Addresses) -> Outcome:
    command = [sys.executable, "-m", f"benchmarks.reserving.{module}", *map(str, arguments)]
    try:
        return ran(f"load-{module}", command, environment_for(addresses))
    except ValueError as error:
        raise LoadError(f"{module}: {error}") from error


def report(found: Reserved, machine: Machine) -> dict[str, object]:
    """The report's JSON."""
    return {
        "benchmark": "holds",
        "ours": {
            "http_per_second": found.saturated.per_second,
            "http_p99_ms": found.steady.p99_ms,
            "http_p99_saturated_ms": found.saturated.p99_ms,
            "hot_http_per_second": found.hot_http.per_second,
            "hot_http_p99_ms": found.hot_http.p99_ms,
            "hot_in_process_per_second": found.hot_inside.per_second,
            "hot_in_process_p99_ms": found.hot_inside.p99_ms,
        },
        "peers": {one.peer.name: _told(one) for one in found.peers},
        "peers_detail": {
            one.peer.name: {
                "title": one.peer.title, "does_less": one.peer.does_less,
                "reason": one.reason or None,
            }
            for one in found.peers
        },
        "oversold_units": found.oversold_units,
        "invariants": [one.as_json() for one in found.invariants],
        "invariants_hold": all(one.holds for one in found.invariants),
        "run": {
            "seconds": found.options.seconds, "skus": found.options.skus,
            "connections": CONNECTIONS, "callers": found.options.callers,
            "open_loop_per_second": OPEN_LOOP_RATE,
            "load": found.saturated.version or "own sockets",
            "load_cpu_share": {
                "saturated": found.saturated.cpu_share, "steady": found.steady.cpu_share,
                "hot": found.hot_http.cpu_share,
            },
        },
        "machine": machine.as_json(),
    }  # fmt: skip


def _told(peer: PeerOutcome) -> dict[str, object] | None:
    if peer.reason:
        return None
    told: dict[str, object] = {}
    for name, outcome in (("many", peer.many), ("hot", peer.hot)):
        if outcome is not None:
            told[f"{name}_per_second"] = outcome.per_second
            told[f"{name}_p99_ms"] = outcome.p99_ms
    return told
