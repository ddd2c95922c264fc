"""What each channel was told, how soon, and whether it took."""

from grafana_foundation_sdk.builders import stat, timeseries
from grafana_foundation_sdk.builders.dashboard import Dashboard

from deploy.grafana.definitions.panels import ANY_IS_BAD, graph, number, page, quantile, rate

PROPAGATION = "stocktide_propagation_seconds"
ATTEMPTS = "stocktide_publication_attempts_total"
SOLD_OUT_LISTINGS = 'stocktide_publication_listings{state="sold_out"}'
SOLD_OUT = f"sum({SOLD_OUT_LISTINGS})"


def channels() -> Dashboard:
    """Freshness against its objective, the queue, the calls, drift."""
    return page(
        "channels",
        "Stocktide channels",
        "What each channel was told, how soon, and whether it took.",
        [*_numbers(), *_graphs()],
    )


def _numbers() -> list[stat.Panel]:
    return [
        number("Told in time, last hour",
               "Share of figures whose call started within the channel's target; 99 % is the aim.",
               "1 - max(stocktide:propagation_late:ratio_rate1h)", unit="percentunit",
               steps=((None, "red"), (0.99, "green"))),
        number("Waiting", "Listings whose figure waits for its channel.",
               "sum(stocktide_publication_queue_listings)"),
        number("Refused, last hour", "Attempts that a channel did not take.",
               f'sum(increase({ATTEMPTS}{{fate!="acknowledged"}}[1h])) or vector(0)',
               steps=((None, "green"), (1, "orange"))),
        number("Drift, last hour", "Units shown other than any order explains, by either sign.",
               "sum(increase(stocktide_publication_drift_units_total[1h])) or vector(0)",
               steps=ANY_IS_BAD),
        number("Sold out", "Share of the listings that we feed which show nothing.",
               f"{SOLD_OUT} / sum(stocktide_publication_listings)", unit="percentunit",
               steps=((None, "green"), (0.05, "orange"), (0.2, "red"))),
        number("Not connected", "Figures for channels that no connector is configured for.",
               "sum(stocktide_publication_untold_total)", steps=((None, "green"), (1, "orange"))),
    ]  # fmt: skip


def _graphs() -> list[timeseries.Panel]:
    return [
        graph("Told too late",
              "Share of figures whose call started after the channel's target, in five minutes.",
              ("stocktide:propagation_late:ratio_rate5m", "{{channel}}"), unit="percentunit"),
        graph("Propagation p50", "From the computation of a figure to its call's start.",
              (quantile(0.5, PROPAGATION, "channel"), "{{channel}}"), unit="s"),
        graph("Propagation p99", "The same, for the slowest of a hundred, and the target.",
              (quantile(0.99, PROPAGATION, "channel"), "{{channel}}"),
              ("max by (channel) (stocktide_propagation_target_seconds)", "{{channel}} target"),
              unit="s"),
        graph("Attempts", "By fate, per second.",
              (rate(ATTEMPTS, "channel, fate"), "{{channel}} {{fate}}"), unit="ops"),
        graph("Needed no call", "Versions whose figure the listing shows already, per second.",
              (f"{rate('stocktide_publications_satisfied_total', 'channel')} or vector(0)",
               "{{channel}}"), unit="ops"),
        graph("Queues", "Listings that wait for their channel.",
              ("sum by (channel) (stocktide_publication_queue_listings)", "{{channel}}")),
        graph("Calls", "Per second, by outcome.",
              (rate("stocktide_channel_call_seconds_count", "channel, outcome"),
               "{{channel}} {{outcome}}"), unit="ops"),
        graph("Calls p50", "Time of a call, by outcome.",
              (quantile(0.5, "stocktide_channel_call_seconds", "channel, outcome"),
               "{{channel}} {{outcome}}"), unit="s"),
        graph("Calls p99", "The same, for the slowest of a hundred.",
              (quantile(0.99, "stocktide_channel_call_seconds", "channel, outcome"),
               "{{channel}} {{outcome}}"), unit="s"),
        graph("Sold out", "Share of each channel's listings that show nothing.",
              (f"sum by (channel) ({SOLD_OUT_LISTINGS}) "
               "/ sum by (channel) (stocktide_publication_listings)", "{{channel}}"),
              unit="percentunit"),
        graph("Listings", "By what a customer finds there.",
              ("sum by (channel, state) (stocktide_publication_listings)",
               "{{channel}} {{state}}")),
        graph("Orders heard", "Lines counted as heard, per second.",
              ("sum(rate(stocktide_publication_heard_lines_total[5m]))", "lines"), unit="ops"),
        graph("Marketplaces polled", "Time since their orders were last read to the end.",
              ("max by (channel) (stocktide_ingestion_poll_age_seconds)", "{{channel}}"),
              unit="s", span=12),
        graph("Drift", "Units per hour that a channel shows other than any order explains.",
              ("sum by (channel) (increase(stocktide_publication_drift_units_total[1h])) "
               "or vector(0)", "{{channel}}"), span=12),
    ]  # fmt: skip
