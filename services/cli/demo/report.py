"""The report: the run in figures, as JSON for programs and as a block for people."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from services.cli.demo.checker import Verdict
from services.cli.demo.propagation import Latencies

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
    lines = [f"  oversold: {cause}" for cause in causes[:CAUSES_SHOWN]]
    if more := len(causes) - CAUSES_SHOWN:
        lines += [f"  … and {more} more, in the report"] if more > 0 else []
    return lines


def summary(report: Report, verdicts: Sequence[Verdict]) -> list[str]:
    """What a person reads at the end."""
    told = report.propagation_ms
    told_items = ", ".join(f"{name} {n}" for name, n in report.publications.items())
    lines = [
        f"{report.sales} store sales in {report.seconds:.1f} s, {report.movements} movements "
        f"posted, {report.openings} openings before them.",
        f"Published: {told_items}. Propagation p50 {told['p50']} ms, p99 {told['p99']} ms, "
        f"max {told['max']} ms.",
        f"{report.orders} orders of {report.ordered_units} units, {report.refused_orders} refused "
        f"by the shops as sold out, {report.returns} returns; {report.short_picks} picks found too "
        f"little, {report.short_lines} lines are short.",
        f"{report.sold_out_listings} listings sold out, {report.lost_units} units asked for in "
        f"vain at tills, {report.oversold_units} oversold in shops, {report.parked} parked.",
        *_oversold(report.oversold_causes),
    ]
    for verdict in verdicts:
        lines.append(f"  {'holds ' if verdict.holds else 'BROKEN'}  {verdict.name}")
        lines += [f"            {one}" for one in verdict.evidence]
    return lines
