"""P2: from an event's scheduled send to the arrival of the channel's first call that includes it.

Every event is a sale of one unit, so every one changes what its listing shows; a call that shows
`stock − k` includes the listing's first k sales. All of it is seen from outside: the schedule of
the publisher, and the log of the simulated shop, by the clock of one machine.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace

from benchmarks import invariants
from benchmarks.catalogue import CHANNEL
from benchmarks.children import Child, Service, running, stocktide, watched
from benchmarks.filling import SETTLE_SECONDS_MAX, STOCK, reference_data, stock_up
from benchmarks.invariants import Invariant
from benchmarks.machine import Machine
from benchmarks.matching import Call, Matched, Scheduled, match, percentile
from benchmarks.pacing import Load, Sent, entry_of, send
from benchmarks.progress import Overdue, Progress, until
from benchmarks.shop import Shop
from benchmarks.stack import publish_reference_data
from benchmarks.stages import Stage, stages_since
from benchmarks.workload import location_name, sku_name
from services.cli.registry import SERVICES
from shared.contracts.topics import STOCK_MOVEMENTS
from shared.runtime.infrastructure import Addresses

ARRIVE_SECONDS_MAX = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """One run. `times_us` are those of the events after the warm-up, ascending; `events` counts
    those events, and `calls` the HTTP calls that arrived in the same time.
    """

    load: Load
    warm_up_seconds: int
    events: int
    times_us: tuple[int, ...]
    calls: int
    quantities: int
    sent: Sent
    services: tuple[str, ...]
    stages: tuple[Stage, ...]
    invariants: tuple[Invariant, ...]

    def milliseconds(self, percent: float) -> float | None:
        """A percentile of the times, 100 the longest; None when nothing was measured."""
        return percentile(self.times_us, percent) / 1000 if self.times_us else None


async def latency(
    addresses: Addresses, load: Load, warm_up_seconds: int, say: Callable[[str], None]
) -> Timed:
    """Run P2 on a fresh stack; `load` lasts warm-up and measurement together.

    Raises ServiceError when a service ends, Overdue when an event does not arrive.
    """
    shop = Shop.of(load.skus)
    services = [shop.service(), *_services(addresses, shop)]
    await publish_reference_data(addresses.kafka, list(reference_data(load.skus)))
    with running(services) as children:
        async with Progress(addresses) as progress:
            await stock_up(addresses, progress, shop, children, say)
            say(f"{load.rate:,} events a second for {load.seconds} s")
            sent = await send(addresses.kafka, load)
            calls = await _arrived(shop, sent.events, children)
            ends = await progress.ends(STOCK_MOVEMENTS)
            await until(
                "the end", lambda: progress.is_drained(ends), seconds_max=SETTLE_SECONDS_MAX,
                alive=watched(children), pause=0.2,
            )  # fmt: skip
            matched = match(sent.events, calls, STOCK)
            found = await _check(progress, load, sent.events, calls, matched)
            begun = sent.events[warm_up_seconds * load.rate].at_us / 1_000_000
            stages = await stages_since(progress.postgres, begun)
    timed = _timed(load, warm_up_seconds, sent, calls, matched)
    return replace(
        timed, invariants=tuple(found), stages=stages,
        services=tuple(service.name for service in services),
    )  # fmt: skip


def _services(addresses: Addresses, shop: Shop) -> Iterator[Service]:
    """Every service there is, one process each; publication knows the shop."""
    for known in SERVICES:
        service = stocktide(known.name, addresses)
        if known.schema == "publication":
            service = replace(
                service, environment={**service.environment, **shop.settings(CHANNEL)}
            )
        yield service


async def _arrived(
    shop: Shop, events: Sequence[Scheduled], children: Sequence[Child]
) -> list[Call]:
    """All calls of the run, once the shop shows what the events come to. Asked after the last event
    was sent, so that asking disturbs little.
    """
    wanted = sold(events)
    calls: list[Call] = []
    shown: dict[int, int] = {}

    async def all_there() -> bool:
        news = shop.new_calls()
        calls.extend(news)
        shown.update((call.entry, call.value) for call in news)
        return all(shown.get(entry) == STOCK - count for entry, count in wanted.items())

    # What has not come by then is reported as not measured, and breaks an invariant.
    with suppress(Overdue):
        await until(
            "the last event's call", all_there,
            seconds_max=ARRIVE_SECONDS_MAX, alive=watched(children), pause=0.25,
        )  # fmt: skip
    return calls


def sold(events: Sequence[Scheduled]) -> dict[int, int]:
    """Entry → how many units the events take from it."""
    counts: dict[int, int] = {}
    for event in events:
        counts[event.entry] = counts.get(event.entry, 0) + 1
    return counts


async def _check(
    progress: Progress, load: Load, events: Sequence[Scheduled], calls: Sequence[Call],
    matched: Matched,
) -> list[Invariant]:  # fmt: skip
    postgres = progress.postgres
    counts = sold(events)
    left = {sku_name(n): STOCK - counts.get(entry_of(n), 0) for n in range(load.skus)}
    sellable = await invariants.sellable_of(postgres)
    view = await invariants.view_of(postgres)
    cached = await invariants.in_redis(progress.redis, await progress.prefix(), list(view))
    unmatched = sum(time is None for time in matched.times_us)
    return [
        await invariants.levels_are_their_movements(postgres),
        await invariants.accounts_sum_to_zero(postgres),
        await invariants.posted_once(postgres, len(events) + load.skus),
        invariants.compared(
            "levels = stock less the events",
            {(sku, location_name(0)): quantity for sku, quantity in left.items()}, sellable,
        ),
        invariants.compared(
            "view = levels", left, invariants.shown_in(view, CHANNEL)
        ),
        invariants.compared("Redis = Postgres' view", view, cached),
        await invariants.nothing_left(postgres, "parked"),
        await invariants.nothing_left(postgres, "unpublished"),
        Invariant(name="every event arrived", checked=len(events), violations=unmatched),
        Invariant(
            name="no call showed what never was", checked=len(calls),
            violations=len(matched.impossible),
        ),
    ]  # fmt: skip


def _timed(
    load: Load, warm_up_seconds: int, sent: Sent, calls: Sequence[Call], matched: Matched
) -> Timed:  # fmt: skip
    first = warm_up_seconds * load.rate
    counted = matched.times_us[first:]
    begun = sent.events[first].at_us
    late_enough = [call for call in calls if call.arrived_us >= begun]
    return Timed(
        load=load, warm_up_seconds=warm_up_seconds, events=len(counted),
        times_us=tuple(sorted(time for time in counted if time is not None)),
        # One batch arrives at one moment, with all its entries.
        calls=len({call.arrived_us for call in late_enough}), quantities=len(late_enough),
        sent=sent, services=(), stages=(), invariants=(),
    )  # fmt: skip


def report(timed: Timed, machine: Machine) -> dict[str, object]:
    """The report's JSON."""
    return {
        "benchmark": "latency",
        "channel": "woocommerce",
        "p50_ms": timed.milliseconds(50),
        "p99_ms": timed.milliseconds(99),
        "max_ms": timed.milliseconds(100),
        "events": timed.events,
        "measured": len(timed.times_us),
        "calls": timed.calls,
        "invariants": [one.as_json() for one in timed.invariants],
        "invariants_hold": all(one.holds for one in timed.invariants),
        "run": {
            **asdict(timed.load), "seconds": timed.load.seconds - timed.warm_up_seconds,
            "warm_up_seconds": timed.warm_up_seconds,
            "quantities": timed.quantities, "p90_ms": timed.milliseconds(90),
            "generator_late_ms_p99": timed.sent.lateness_ms_p99,
            "generator_late_ms_max": timed.sent.lateness_ms_max,
            "services": list(timed.services),
            "stages": [asdict(stage) for stage in timed.stages],
        },
        "machine": machine.as_json(),
    }  # fmt: skip
