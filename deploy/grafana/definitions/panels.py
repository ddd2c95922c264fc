"""The kinds of panels that our dashboards are made of, over the one data source."""

from collections.abc import Sequence

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    DataSourceRef,
    LegendDisplayMode,
    LegendPlacement,
    TooltipDisplayMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardLinkType,
    Threshold,
    ThresholdsMode,
)

SOURCE = DataSourceRef(type_val="prometheus", uid="prometheus")
TAG = "stocktide"
# Colours from a value on; the first has no value.
Steps = Sequence[tuple[float | None, str]]
GOOD: Steps = ((None, "green"),)
ANY_IS_BAD: Steps = ((None, "green"), (1, "red"))
ANY_IS_WORK: Steps = ((None, "green"), (1, "orange"))


def number(
    title: str, description: str, expression: str, *, unit: str = "none", steps: Steps = GOOD,
    span: int = 4,
) -> stat.Panel:  # fmt: skip
    """One figure, coloured by what it means."""
    return (
        stat.Panel()
        .title(title)
        .description(description)
        .datasource(SOURCE)
        .span(span)
        .height(4)
        .unit(unit)
        .thresholds(_thresholds(steps))
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .color_mode(BigValueColorMode.BACKGROUND)
        .graph_mode(BigValueGraphMode.NONE)
        .with_target(_query("A", expression, ""))
    )


def graph(
    title: str, description: str, *queries: tuple[str, str], unit: str = "none", span: int = 8
) -> timeseries.Panel:
    """Lines over time, each query with the pattern of its legend."""
    panel = (
        timeseries.Panel()
        .title(title)
        .description(description)
        .datasource(SOURCE)
        .span(span)
        .height(8)
        .unit(unit)
        .min(0)
        .legend(
            common.VizLegendOptions()
            .display_mode(LegendDisplayMode.LIST)
            .placement(LegendPlacement.BOTTOM)
        )
        .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI))
    )
    for letter, (expression, legend) in zip("ABCDEF", queries, strict=False):
        panel = panel.with_target(_query(letter, expression, legend))
    return panel


def quantile(q: float, metric: str, by: str, window: str = "1m") -> str:
    """The quantile of a histogram by some labels: `service, handler`."""
    labels = f"{by}, le" if by else "le"
    return f"histogram_quantile({q}, sum by ({labels}) (rate({metric}_bucket[{window}])))"


def rate(metric: str, by: str, window: str = "1m") -> str:
    """Of a counter, per second."""
    return f"sum by ({by}) (rate({metric}[{window}]))"


def page(
    name: str, title: str, description: str, panels: Sequence[stat.Panel | timeseries.Panel]
) -> dashboard.Dashboard:
    """A dashboard that links to its siblings."""
    siblings = (
        dashboard.DashboardLink("Stocktide")
        .type(DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .as_dropdown(as_dropdown=True)
        .keep_time(keep_time=True)
    )
    made = (
        dashboard.Dashboard(title)
        .uid(f"{TAG}-{name}")
        .description(description)
        .tags([TAG])
        .timezone("browser")
        .refresh("5s")
        .time("now-15m", "now")
        .readonly()
        .link(siblings)
    )
    for number_of, panel in enumerate(panels, start=1):
        made = made.with_panel(panel.id(number_of))
    return made


def _query(letter: str, expression: str, legend: str) -> prometheus.Dataquery:
    return (
        prometheus.Dataquery()
        .ref_id(letter)
        .expr(expression)
        .legend_format(legend)
        .datasource(SOURCE)
    )


def _thresholds(steps: Steps) -> dashboard.ThresholdsConfig:
    made = [Threshold(value=value, color=color) for value, color in steps]
    return dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(made)
