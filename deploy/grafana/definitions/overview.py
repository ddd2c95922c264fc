"""The first page: is anything wrong, and does everything flow?"""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from deploy.grafana.definitions.panels import (
    ANY_IS_BAD,
    ANY_IS_WORK,
    graph,
    number,
    page,
    quantile,
    rate,
)

PROPAGATION = "stocktide_propagation_seconds"


def overview() -> Dashboard:
    """Of every part the figure that tells whether to look further."""
    return page("overview", "Stocktide overview", "Is anything wrong, and does everything flow?", [
        number("Services up", "Processes that answer Prometheus.",
               'sum(up{job="stocktide"})', steps=((None, "red"), (1, "green"))),
        number("Propagation p50",
               "From the computation of a figure to the start of the call that carries it.",
               quantile(0.5, PROPAGATION, "", "5m"), unit="s",
               steps=((None, "green"), (0.5, "orange"), (5, "red"))),
        number("Propagation p99", "The same, for the slowest of a hundred.",
               quantile(0.99, PROPAGATION, "", "5m"), unit="s",
               steps=((None, "green"), (1, "orange"), (10, "red"))),
        number("Oversold", "Units promised beyond what there is, buffers not counted.",
               "sum(stocktide_oversold_units)", steps=ANY_IS_BAD),
        number("Parked", "Messages set aside that wait for a person or for what they name.",
               "sum(stocktide_parked_messages)", steps=ANY_IS_WORK),
        number("Invariants broken", "Findings of the invariants that run beside the services.",
               "sum(stocktide_invariant_violations)", steps=ANY_IS_BAD),
        graph("Messages handled", "By service, per second.",
              (rate("stocktide_batch_messages_sum", "service"), "{{service}}"), unit="ops"),
        graph("Consumer lag", "Messages on Kafka that a service has not read yet.",
              ("max by (service) (stocktide_consumer_lag_messages)", "{{service}}")),
        graph("Handling time p99", "Of one batch's transaction.",
              (quantile(0.99, "stocktide_message_handling_seconds", "service"), "{{service}}"),
              unit="s"),
        graph("Propagation by channel", "p50 and p99 of each channel.",
              (quantile(0.5, PROPAGATION, "channel"), "{{channel}} p50"),
              (quantile(0.99, PROPAGATION, "channel"), "{{channel}} p99"), unit="s"),
        graph("Publications by channel", "Attempts by their fate, per second.",
              (rate("stocktide_publication_attempts_total", "channel, fate"),
               "{{channel}} {{fate}}"), unit="ops"),
        graph("Channel queues", "Listings that wait for their channel.",
              ("sum by (channel) (stocktide_publication_queue_listings)", "{{channel}}")),
        graph("Calls to channels p99", "Time of a call, by channel and outcome.",
              (quantile(0.99, "stocktide_channel_call_seconds", "channel, outcome"),
               "{{channel}} {{outcome}}"), unit="s"),
        graph("Unpublished states",
              "Age of the oldest change that Kafka has not acknowledged; 5 s is too old.",
              ("max by (service) (stocktide_unpublished_age_seconds)", "{{service}}"), unit="s"),
        graph("Age of the view",
              "What was told before that long is in every answer; 5 s makes answers stale.",
              ("max(stocktide_availability_age_seconds)", "age"), unit="s"),
    ])  # fmt: skip
