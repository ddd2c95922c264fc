"""What a person reads: the figures beside the peers', and what each peer does less."""

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table

from benchmarks.drain import Drained
from benchmarks.invariants import Invariant
from benchmarks.latency import Timed
from benchmarks.machine import Machine
from benchmarks.peering import Measured

FAUST_FACTOR = 4.0
QUIX_FACTOR = 0.6
BEYOND_EVENTS_PER_SECOND = 60_000
# Title, percentile, and the goals in milliseconds.
PERCENTILES: tuple[tuple[str, float, float | None, float | None], ...] = (
    ("p50", 50, 20, 12), ("p90", 90, None, None), ("p99", 99, 60, 30), ("max", 100, None, None),
)  # fmt: skip


def machine_line(machine: Machine) -> str:
    """One line that every figure is read with."""
    load = " ".join(f"{one:.2f}" for one in machine.load_before)
    return (
        f"{machine.cores} cores, {machine.memory_mib:,} MiB, {machine.system}, Python "
        f"{machine.python}; load before: {load}"
    )


def show_drain(
    console: Console, drained: Drained, peers: Sequence[Measured], machine: Machine
) -> None:
    """P1's table, its goals, and the invariants."""
    ours = drained.events_per_second
    console.print(f"\n[bold]P1: durable drain of {drained.events:,} events[/bold]")
    console.print(machine_line(machine))
    table = Table(show_lines=True)
    for title in ("what", "events", "seconds"):
        table.add_column(title, justify="left" if title == "what" else "right")
    table.add_column("events/s", justify="right")
    table.add_column("ours is", justify="right")
    table.add_column("what it does less")
    table.add_row(
        "[bold]Stocktide[/bold]: 2 ledger workers, 1 availability worker",
        f"{drained.events:,}", f"{drained.seconds:.2f}", f"[bold]{ours:,.0f}[/bold]", "",
        "nothing: ledger, levels, positions, relay, view in Postgres and Redis",
    )  # fmt: skip
    for one in peers:
        rate = one.events_per_second
        table.add_row(
            f"{one.peer.title} {one.version}".strip(),
            f"{one.events:,}" if rate else "",
            f"{one.seconds:.2f}" if rate else "",
            f"{rate:,.0f}" if rate else "null",
            f"{ours / rate:.2f} ×" if rate else "",
            one.peer.does_less if rate else f"did not run: {one.reason}",
        )
    console.print(table)
    for line in goals(ours, {one.peer.name: one.events_per_second for one in peers}):
        console.print(line)
    console.print(
        f"the ledger was at the end after {drained.ledger_seconds:.2f} s, Redis after "
        f"{drained.seconds:.2f} s; from the first batch's transaction on it is "
        f"{drained.events / drained.since_first_batch:,.0f} events/s"
    )
    if not drained.kept_partitions:
        console.print("A rebalance fell into the run: the figure is lower than without it.")
    show_invariants(console, drained.invariants)


def goals(ours: float, peers: dict[str, float | None]) -> Iterable[str]:
    """Each of P1's goals with how far the run came; nothing is said of a peer that did not run."""
    wanted = (("faust_noop", FAUST_FACTOR), ("quix_stateful", QUIX_FACTOR))
    for name, factor in wanted:
        rate = peers.get(name)
        if rate:
            word = "reached" if ours >= factor * rate else "missed"
            yield f"goal {factor:g} × {name}: {word} ({ours / rate:.2f} ×)"
    word = "reached" if ours >= BEYOND_EVENTS_PER_SECOND else "missed"
    yield f"goal beyond, {BEYOND_EVENTS_PER_SECOND:,} events/s: {word} ({ours:,.0f})"


def show_latency(console: Console, timed: Timed, machine: Machine) -> None:
    """P2's figures, its goals, and the invariants."""
    console.print(
        f"\n[bold]P2: event to channel, {timed.load.rate:,} events a second, open loop[/bold]"
    )
    console.print(machine_line(machine))
    table = Table()
    for title in ("", "ms", "reach", "beyond"):
        table.add_column(title, justify="right" if title else "left")
    for title, percent, reach, beyond in PERCENTILES:
        found = timed.milliseconds(percent)
        shown = "none" if found is None else f"{found:.1f}"
        is_missed = reach is not None and (found is None or found > reach)
        table.add_row(title, shown, *map(_limit, (reach, beyond)), style="red" if is_missed else "")
    console.print(table)
    console.print(
        f"{len(timed.times_us):,} of {timed.events:,} events measured after "
        f"{timed.warm_up_seconds} s of warm-up; {timed.calls:,} calls carried "
        f"{timed.quantities:,} quantities. The generator itself was late by at most "
        f"{timed.sent.lateness_ms_max:.1f} ms (p99 {timed.sent.lateness_ms_p99:.1f}), which is "
        f"inside the figures. Processes: {', '.join(timed.services)}."
    )
    for stage in timed.stages:
        console.print(
            f"  {stage.name}: p50 {stage.p50_ms:.1f} ms, p99 {stage.p99_ms:.1f} ms "
            f"({stage.count:,})"
        )
    show_invariants(console, timed.invariants)


def _limit(milliseconds: float | None) -> str:
    return "" if milliseconds is None else f"≤ {milliseconds:g}"


def show_invariants(console: Console, invariants: Sequence[Invariant]) -> None:
    """Each invariant, how much was looked at, and what was wrong."""
    table = Table(title="invariants: the figures count only when all hold", title_justify="left")
    table.add_column("invariant")
    table.add_column("checked", justify="right")
    table.add_column("violations", justify="right")
    for one in invariants:
        wrong = f"{one.violations:,}" + "".join(f"\n{text}" for text in one.examples)
        table.add_row(one.name, f"{one.checked:,}", wrong, style="" if one.holds else "bold red")
    console.print(table)
