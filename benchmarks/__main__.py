"""`python -m benchmarks drain|latency|holds`: measure, check the invariants, print, report."""

import argparse
import asyncio
import json
import logging
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

EVENTS_MAX = 1_000_000
PEERS = ("faust_noop", "faust_table", "quix_stateful", "transaction_per_event")
HOLDS_PEERS = ("transaction", "redis_gate", "medusa")
HELP = """\
Measures P1 to P4 of the goals on fresh embedded servers (or on empty given ones: STOCKTIDE_KAFKA,
STOCKTIDE_POSTGRES, STOCKTIDE_REDIS). The invariants are checked at the end of each run; the exit
status is 1 when one does not hold, and the figures then mean nothing. See benchmarks/README.md.

  make bench                        all, at the sizes of the goals
  make bench ARGS="drain --events 300000 --report drain.json"
  make bench ARGS="latency --rate 1000 --seconds 60 --report latency.json"
  make bench ARGS="holds --seconds 10 --report holds.json"
"""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    main_parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = main_parser.add_subparsers(
        dest="command", required=True, metavar="drain|latency|holds"
    )
    drain = commands.add_parser(
        "drain", help="P1: events a second of a published backlog, beside faust and Quix Streams"
    )
    drain.add_argument("--events", type=_up_to(EVENTS_MAX), default=300_000, metavar="N")
    drain.add_argument("--skus", type=_up_to(100_000), default=5_000, metavar="N")
    drain.add_argument("--locations", type=_up_to(500), default=20, metavar="N")
    drain.add_argument(
        "--peers", type=_peer_names, default=",".join(PEERS), metavar="NAMES",
        help="comma-separated, or none (default: %(default)s)",
    )  # fmt: skip
    latency = commands.add_parser(
        "latency", help="P2: from an event's scheduled send to the channel's first call with it"
    )
    latency.add_argument("--rate", type=_up_to(10_000), default=1_000, metavar="EVENTS_PER_SECOND")
    latency.add_argument("--seconds", type=_up_to(3_600), default=60, metavar="N")
    latency.add_argument(
        "--warm-up", type=_from_zero, default=10, metavar="SECONDS", help="not counted (default 10)"
    )
    latency.add_argument(
        "--skus", type=_up_to(20_000), default=1_000, metavar="N", help="listings (default 1000)"
    )
    latency.add_argument("--channel", choices=["woocommerce"], default="woocommerce")
    holds = _holds_options(commands)
    for command in (drain, latency):
        command.add_argument("--seed", type=int, default=1, metavar="N")
    for command in (drain, latency, holds):
        command.add_argument("--report", type=Path, metavar="FILE", help="write JSON there")
    return main_parser


def _holds_options(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
) -> argparse.ArgumentParser:
    holds = commands.add_parser(
        "holds", help="P3 and P4: reservations a second over HTTP and in process, beside peers"
    )
    holds.add_argument(
        "--seconds", type=_up_to(600), default=10, metavar="N", help="each phase (default 10)"
    )
    holds.add_argument("--skus", type=_up_to(20_000), default=2_000, metavar="N")
    holds.add_argument(
        "--callers", type=_up_to(1_000), default=32, metavar="N", help="in process (default 32)"
    )
    holds.add_argument(
        "--peers", type=_holds_peer_names, default=",".join(HOLDS_PEERS), metavar="NAMES",
        help="comma-separated, or none (default: %(default)s)",
    )  # fmt: skip
    return holds


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one benchmark, or all when none is named.

    Returns 0 when the invariants hold, 1 when not, 2 when it could not run, 130 after Ctrl-C.
    """
    given = sys.argv[1:] if arguments is None else arguments
    if not given:
        return max(main(["drain"]), main(["latency"]), main(["holds"]))
    told = parser().parse_args(given)
    if told.report is not None and not told.report.parent.is_dir():
        print(f"{told.report.parent} is no folder; make it, or name another report.")
        return 2
    run = {"drain": _drain, "latency": _latency, "holds": _holds}[told.command]
    # What may go wrong is imported late, so that --help answers at once.
    from benchmarks.children import ServiceError
    from benchmarks.progress import Overdue
    from benchmarks.publishing import PublishingError
    from benchmarks.reserving.run import LoadError
    from services.cli.exits import CommandError
    from shared.postgres.migrations import MigrationError
    from shared.runtime.infrastructure import InfrastructureError

    failures = (
        ServiceError, Overdue, PublishingError, InfrastructureError, CommandError, MigrationError,
        LoadError,
    )  # fmt: skip
    # A polite end is one like Ctrl-C: frozen processes are let go, and everything is stopped.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # A fresh topic has no leader for a moment; the client says so, and tries again.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        content = run(told)
    except failures as error:
        print(f"The benchmark could not run: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Stopped; everything that was started has been ended.", file=sys.stderr)
        return 130
    if told.report is not None:
        told.report.write_text(json.dumps(content, indent=2) + "\n")
        print(f"Report: {told.report}")
    return 0 if content["invariants_hold"] else 1


def _drain(told: argparse.Namespace) -> dict[str, object]:
    from benchmarks.drain import drain, report
    from benchmarks.machine import this_machine
    from benchmarks.peering import run_all
    from benchmarks.stack import fresh_stack
    from benchmarks.tables import show_drain
    from benchmarks.workload import Shape

    machine, console = this_machine(), _console()
    shape = Shape(events=told.events, skus=told.skus, locations=told.locations, seed=told.seed)
    with fresh_stack(_say) as addresses:
        drained = asyncio.run(drain(addresses, shape, _say))
        peers = run_all(addresses, shape.events, told.peers, _say)
    show_drain(console, drained, peers, machine)
    return report(drained, peers, machine)


def _latency(told: argparse.Namespace) -> dict[str, object]:
    from benchmarks.latency import latency, report
    from benchmarks.machine import this_machine
    from benchmarks.pacing import Load
    from benchmarks.stack import fresh_stack
    from benchmarks.tables import show_latency

    machine, console = this_machine(), _console()
    load = Load(rate=told.rate, seconds=told.warm_up + told.seconds, skus=told.skus, seed=told.seed)
    with fresh_stack(_say) as addresses:
        timed = asyncio.run(latency(addresses, load, told.warm_up, _say))
    show_latency(console, timed, machine)
    return report(timed, machine)


def _holds(told: argparse.Namespace) -> dict[str, object]:
    from benchmarks.machine import this_machine
    from benchmarks.reserving.run import Options, report, reserve
    from benchmarks.reserving.table import show_holds
    from benchmarks.stack import fresh_stack

    machine, console = this_machine(), _console()
    options = Options(seconds=told.seconds, skus=told.skus, callers=told.callers, peers=told.peers)
    with fresh_stack(_say) as addresses:
        found = reserve(addresses, options, _say)
    show_holds(console, found, machine)
    return report(found, machine)


def _console() -> "Console":
    from rich.console import Console

    # A log file has no width of its own.
    return Console() if sys.stdout.isatty() else Console(width=140)


def _say(sentence: str) -> None:
    print(f"· {sentence}", flush=True)


def _peer_names(text: str) -> list[str]:
    return _known(text, PEERS)


def _holds_peer_names(text: str) -> list[str]:
    return _known(text, HOLDS_PEERS)


def _known(text: str, peers: Sequence[str]) -> list[str]:
    names = [] if text == "none" else text.split(",")
    if unknown := set(names) - set(peers):
        raise argparse.ArgumentTypeError(f"no peer {sorted(unknown)}; there are {', '.join(peers)}")
    return names


def _up_to(most: int) -> "_Bounded":
    return _Bounded(1, most)


class _Bounded:
    """An argument that is a whole number within bounds."""

    def __init__(self, least: int, most: int) -> None:
        self._least, self._most = least, most

    def __call__(self, text: str) -> int:
        value = int(text)
        if not self._least <= value <= self._most:
            raise argparse.ArgumentTypeError(f"{value} is not within {self._least}…{self._most}")
        return value


_from_zero = _Bounded(0, 600)

if __name__ == "__main__":
    sys.exit(main())
