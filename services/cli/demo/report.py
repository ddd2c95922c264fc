"""The report: the run in figures, as JSON for programs and as a block for people."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from services.cli.demo.checker import Verdict
from services.cli.demo.propagation import Latencies
from services.cli.texts import tr

CAUSES_SHOWN = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything that a run is judged by; `seconds` are those of the replay, `start_seconds`
    those from the command to the first sale. `publications` are counted by the simulators;
    `propagation_ms` leaves channels out whose protocol waits between two calls.
    """

    source: str
    seconds: float
    start_seconds: float
    providers: Mapping[str, str]
    openings: int
    movements: int
    sales: int
    orders: int
    returns: int
    publications: Mapping[str, int]
    propagation_ms: Mapping[str, float | None]
    propagation_by_channel_ms: Mapping[str, Mapping[str, float | None]]
    ordered_units: int
    oversold_units: int
    oversold_causes: Sequence[str]
    sold_out_listings: int
    refused_orders: int
    short_lines: int
    short_picks: int
    lost_units: int
    parked: int
    invariants: Mapping[str, bool]

    @property
    def all_hold(self) -> bool:
        return all(self.invariants.values())


def propagation_of(latencies: Latencies) -> dict[str, float | None]:
    """p50, p99 and max in milliseconds."""
    return {"p50": latencies.p50, "p99": latencies.p99, "max": latencies.max}


def invariants_of(verdicts: Sequence[Verdict]) -> dict[str, bool]:
    """Each invariant's name, and whether it holds."""
    return {verdict.name: verdict.holds for verdict in verdicts}


def write_report(path: Path, report: Report) -> None:
    """Replace the file with the report as JSON."""
    path.write_text(json.dumps(asdict(report), indent=2) + "\n")


def _oversold(causes: Sequence[str]) -> list[str]:
    lines = [tr("  oversold: {cause}", cause=cause) for cause in causes[:CAUSES_SHOWN]]
    if (more := len(causes) - CAUSES_SHOWN) > 0:
        lines.append(tr("  … and {more} more, in the report", more=more))
    return lines


def summary(report: Report, verdicts: Sequence[Verdict]) -> list[str]:
    """What a person reads at the end."""
    told = report.propagation_ms
    told_items = ", ".join(f"{name} {n}" for name, n in report.publications.items())
    lines = [
        tr(
            "{sales} store sales in {seconds:.1f} s, {movements} movements posted, {openings} "
            "openings before them.",
            sales=report.sales,
            seconds=report.seconds,
            movements=report.movements,
            openings=report.openings,
        ),
        tr(
            "Published: {items}. Propagation p50 {p50} ms, p99 {p99} ms, max {max} ms.",
            items=told_items,
            **told,
        ),
        tr(
            "{orders} orders of {units} units, {refused} refused by the shops as sold out, "
            "{returns} returns; {short_picks} picks found too little, {short_lines} lines are "
            "short.",
            orders=report.orders,
            units=report.ordered_units,
            refused=report.refused_orders,
            returns=report.returns,
            short_picks=report.short_picks,
            short_lines=report.short_lines,
        ),
        tr(
            "{sold_out} listings sold out, {lost} units asked for in vain at tills, {oversold} "
            "oversold in shops, {parked} parked.",
            sold_out=report.sold_out_listings,
            lost=report.lost_units,
            oversold=report.oversold_units,
            parked=report.parked,
        ),
        *_oversold(report.oversold_causes),
    ]
    for verdict in verdicts:
        fate = tr("holds") if verdict.holds else tr("BROKEN")
        lines.append(f"  {fate:6}  {verdict.name}")
        lines += [f"            {one}" for one in verdict.evidence]
    return lines
