"""From an event at the door to a figure in the view: where is it, and what keeps it?"""

from grafana_foundation_sdk.builders import stat, timeseries
from grafana_foundation_sdk.builders.dashboard import Dashboard

from deploy.grafana.definitions.panels import ANY_IS_BAD, graph, number, page, quantile, rate

HANDLING = "stocktide_message_handling_seconds"
SIZE = "stocktide_batch_messages"


def pipeline() -> Dashboard:
    """Ingestion, ledger, relay and view, in the order that an event meets them."""
    return page(
        "pipeline",
        "Stocktide ledger and pipeline",
        "From an event at the door to a figure in the view.",
        [*_numbers(), *_graphs()],
    )


def _numbers() -> list[stat.Panel]:
    return [
        number("Lag", "Messages on Kafka that no service has read yet.",
               "sum(max by (service) (stocktide_consumer_lag_messages))",
               steps=((None, "green"), (5_000, "orange"), (50_000, "red"))),
        number("Oldest unpublished state", "What a commit has left, and Kafka does not have yet.",
               "max(stocktide_unpublished_age_seconds)", unit="s",
               steps=((None, "green"), (1, "orange"), (5, "red"))),
        number("Age of the view", "What was told before that long is in every answer.",
               "max(stocktide_availability_age_seconds)", unit="s",
               steps=((None, "green"), (1, "orange"), (5, "red"))),
        number("Failed inside, last hour", "Messages set aside because of a bug.",
               'sum(increase(stocktide_parked_total{reason="internal_error"}[1h])) or vector(0)',
               steps=ANY_IS_BAD),
        number("Open event streams", "Readers of availability that are told of each change.",
               "sum(stocktide_availability_stream_clients)"),
        number("Cache begun anew, last hour", "Times that Redis was wiped, restarted or replaced.",
               "sum(increase(stocktide_availability_cache_generations_total[1h])) or vector(0)"),
    ]  # fmt: skip


def _graphs() -> list[timeseries.Panel]:
    return [
        graph("Events posted", "Over HTTP by fate, per second.",
              (f"{rate('stocktide_ingestion_events_total', 'fate')} or vector(0)", "{{fate}}"),
              unit="ops"),
        graph("Webhooks", "Deliveries by protocol and fate, per second.",
              (rate("stocktide_ingestion_deliveries_total", "protocol, fate"),
               "{{protocol}} {{fate}}"), unit="ops"),
        graph("Inbox", "Deliveries that ingestion keeps, by status.",
              ("sum by (status) (stocktide_ingestion_inbox_rows)", "{{status}}")),
        graph("Ledger messages", "By fate, per second.",
              (rate("stocktide_ledger_messages_total", "fate"), "{{fate}}"), unit="ops"),
        graph("Parked by reason, last hour", "Messages set aside, by service and reason.",
              ("sum by (service, reason) (increase(stocktide_parked_total[1h])) or vector(0)",
               "{{service}} {{reason}}")),
        graph("Consumer lag", "Messages on Kafka that a service has not read yet.",
              ("max by (service) (stocktide_consumer_lag_messages)", "{{service}}")),
        graph("Messages in a batch", "Mean by service; a service under load makes larger ones.",
              (f"{rate(f'{SIZE}_sum', 'service')} / {rate(f'{SIZE}_count', 'service')}",
               "{{service}}")),
        graph("Handling time p50", "Of one batch's transaction.",
              (quantile(0.5, HANDLING, "service"), "{{service}}"), unit="s"),
        graph("Handling time p99", "Of one batch's transaction.",
              (quantile(0.99, HANDLING, "service"), "{{service}}"), unit="s"),
        graph("Unpublished states", "Age of the oldest change that Kafka has not acknowledged.",
              ("max by (service) (stocktide_unpublished_age_seconds)", "{{service}}"), unit="s"),
        graph("Computed again", "SKUs that wait for it, and those done, by what asked for it.",
              ("sum(stocktide_availability_recompute_waiting)", "waiting"),
              (f"{rate('stocktide_availability_recomputed_total', 'reason')} or vector(0)",
               "{{reason}} per second")),
        graph("Answers", "SKUs answered per second, by where from.",
              (f"{rate('stocktide_availability_answers_total', 'source')} or vector(0)",
               "{{source}}"), unit="ops"),
    ]  # fmt: skip
