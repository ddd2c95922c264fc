"""The live screen: rates, propagation, what was published where, what runs low. A line without a
terminal.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table

from services.cli.demo.propagation import Latencies
from services.cli.texts import tr

LINE_SECONDS = 5.0
LOWEST_SHOWN = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """The demo at one moment. Rates are per second over the last few seconds."""

    seconds: float
    sales: int
    sales_per_second: float
    movements: int
    lost_units: int
    bought: Mapping[str, int]
    published: Mapping[str, int]
    published_per_second: float
    latencies: Mapping[str, Latencies]
    lowest: Sequence[tuple[str, int]]
    sold_out: int
    refused: int
    sent_units: int
    returns: int
    short_lines: int
    parked: int
    oversold_units: int


class Screen:
    """Use as a context; `show` as often as there is news."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = (
            Live(console=console, refresh_per_second=4, transient=True)
            if console.is_terminal
            else None
        )
        self._next_line = 0.0

    def __enter__(self) -> "Screen":
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, picture: Picture) -> None:
        """Redraw, or print a line when the last one is old enough."""
        if self._live is not None:
            self._live.update(_drawn(picture))
        elif picture.seconds >= self._next_line:
            self._next_line = picture.seconds + LINE_SECONDS
            self._console.print(line_of(picture), markup=False, soft_wrap=True)
            self._console.file.flush()


def line_of(picture: Picture) -> str:
    """The picture in one line."""
    published = ", ".join(f"{name} {n}" for name, n in picture.published.items())
    times = ", ".join(
        f"{name} p50 {one.p50 or 0:.0f} ms p99 {one.p99 or 0:.0f} ms"
        for name, one in picture.latencies.items()
    )
    return tr(
        "{seconds:5.0f} s  {sales} sales ({rate:.0f}/s), {orders} orders ({refused} refused), "
        "{sent} units sent, {returns} returns, published {published}, {times}, "
        "{sold_out} sold out, {short} short, {parked} parked, {oversold} oversold",
        seconds=picture.seconds, sales=picture.sales, rate=picture.sales_per_second,
        orders=sum(picture.bought.values()), refused=picture.refused, sent=picture.sent_units,
        returns=picture.returns, published=published, times=times, sold_out=picture.sold_out,
        short=picture.short_lines, parked=picture.parked, oversold=picture.oversold_units,
    )  # fmt: skip


def _drawn(picture: Picture) -> Group:
    main = Table(
        title=tr("Stocktide demo · {seconds:.0f} s", seconds=picture.seconds), title_justify="left"
    )
    for name in ("", tr("so far"), tr("per second")):
        main.add_column(name, justify="left" if not name else "right")
    main.add_row(tr("store sales"), str(picture.sales), f"{picture.sales_per_second:.0f}")
    for channel, count in picture.bought.items():
        main.add_row(tr("ordered at {channel}", channel=channel), str(count), "")
    for channel, count in picture.published.items():
        main.add_row(
            tr("told to {channel}", channel=channel),
            str(count),
            f"{picture.published_per_second:.0f}",
        )
    main.add_row(tr("movements in the log"), str(picture.movements), "")
    main.add_row(tr("units asked for in vain"), str(picture.lost_units), "")
    main.add_row(tr("listings sold out"), str(picture.sold_out), "")
    main.add_row(tr("orders refused as sold out"), str(picture.refused), "")
    main.add_row(tr("units sent"), str(picture.sent_units), "")
    main.add_row(tr("returns graded"), str(picture.returns), "")
    main.add_row(tr("short lines"), str(picture.short_lines), "")
    main.add_row(tr("parked messages"), str(picture.parked), "")
    main.add_row(tr("oversold units"), str(picture.oversold_units), "")
    times = Table(title=tr("from the event to the shop"), title_justify="left")
    times.add_column(tr("channel"))
    for name in ("p50 ms", "p99 ms", "max ms"):
        times.add_column(name, justify="right")
    for channel, one in picture.latencies.items():
        times.add_row(channel, *(f"{x:.0f}" if x else "–" for x in (one.p50, one.p99, one.max)))
    low = Table(title=tr("lowest stocks"), title_justify="left")
    low.add_column(tr("SKU"))
    low.add_column(tr("left to sell"), justify="right")
    for sku, left in picture.lowest:
        low.add_row(sku, str(left))
    return Group(main, times, low)
