"""What a person reads of a run of holds."""

from collections.abc import Iterator

from rich.console import Console
from rich.table import Table

from benchmarks.machine import Machine
from benchmarks.reserving.outcome import Outcome
from benchmarks.reserving.run import CONNECTIONS, OPEN_LOOP_RATE, Reserved
from benchmarks.tables import machine_line, show_invariants

# Title, goal, and how far beyond; requests a second, or milliseconds.
HTTP_GOAL, HTTP_BEYOND = 5_000, 8_000
P99_GOAL, P99_BEYOND = 10.0, 5.0
HOT_GOAL, HOT_BEYOND = 30_000, 60_000
HOT_P99_GOAL = 3.0
HOT_HTTP_GOAL, HOT_HTTP_BEYOND = 5_000, 8_000


def show_holds(console: Console, found: Reserved, machine: Machine) -> None:
    """P3's and P4's figures, their goals, the peers, and the invariants."""
    console.print("\n[bold]P3, P4: reservations, durable[/bold]")
    console.print(machine_line(machine))
    table = Table(show_lines=True)
    for title in ("what", "a second", "p99 ms", "load's share of a core", "what it does less"):
        table.add_column(title, justify="left" if title.startswith("what") else "right")
    callers = found.options.callers
    rows = (
        (f"[bold]Stocktide[/bold], HTTP, many SKUs, {CONNECTIONS} connections", found.saturated),
        (f"… open loop at {OPEN_LOOP_RATE}/s", found.steady),
        (f"… one hot SKU, {CONNECTIONS} connections", found.hot_http),
        (f"… one hot SKU in process, {callers} callers", found.hot_inside),
    )  # fmt: skip
    for title, outcome in rows:
        share = "" if outcome is found.hot_inside else _share(outcome)
        table.add_row(title, *_figures(outcome), share, "")
    for each in found.peers:
        if each.reason:
            table.add_row(each.peer.title, "null", "", "", f"did not run: {each.reason}")
        for words, one in (("many SKUs", each.many), ("one hot SKU", each.hot)):
            if one is not None:
                title = f"{each.peer.title} {one.version}, {words}, in process, {callers} callers"
                table.add_row(title, *_figures(one), "", each.peer.does_less)
    console.print(table)
    for line in goals(found):
        console.print(line)
    console.print(f"oversold units: {found.oversold_units}")
    show_invariants(console, found.invariants)


def goals(found: Reserved) -> Iterator[str]:
    """Each goal with how far the run came."""
    rates = (
        ("P3 over HTTP", found.saturated, HTTP_GOAL, HTTP_BEYOND),
        ("P4 hot SKU over HTTP", found.hot_http, HOT_HTTP_GOAL, HOT_HTTP_BEYOND),
        ("P4 hot SKU in process", found.hot_inside, HOT_GOAL, HOT_BEYOND),
    )
    for name, outcome, reach, beyond in rates:
        word = _word(outcome.per_second >= reach, outcome.per_second >= beyond)
        yield f"goal {name}, {reach:,}/s (beyond: {beyond:,}): {word} ({outcome.per_second:,.0f})"
    p99 = found.steady.p99_ms
    word = _word(p99 is not None and p99 <= P99_GOAL, p99 is not None and p99 <= P99_BEYOND)
    yield f"goal P3 p99 at {OPEN_LOOP_RATE}/s, {P99_GOAL:g} ms (beyond: {P99_BEYOND:g}): {word}"
    hot = found.hot_inside.p99_ms
    word = _word(hot is not None and hot <= HOT_P99_GOAL, is_beyond=False)
    yield f"goal P4 p99 in process, {HOT_P99_GOAL:g} ms: {word}"


def _word(is_reached: bool, is_beyond: bool) -> str:  # noqa: FBT001  (two answers, one word)
    return "beyond" if is_beyond else "reached" if is_reached else "missed"


def _figures(outcome: Outcome) -> tuple[str, str]:
    p99 = "" if outcome.p99_ms is None else f"{outcome.p99_ms:.1f}"
    return f"{outcome.per_second:,.0f}", p99


def _share(outcome: Outcome) -> str:
    return "" if outcome.cpu_share is None else f"{outcome.cpu_share:.0%}"
