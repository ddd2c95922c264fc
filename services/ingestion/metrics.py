"""Metrics of ingestion."""

from prometheus_client import Counter, Gauge

EVENTS = Counter(
    "stocktide_ingestion_events_total",
    "Events posted, by fate: accepted, refused, or away (Kafka did not answer).",
    ["fate"],
)
DELIVERIES = Counter(
    "stocktide_ingestion_deliveries_total", "Deliveries of webhooks, by fate.", ["protocol", "fate"]
)
FOLDED = Counter(
    "stocktide_ingestion_messages_total",
    "Kept deliveries by what became of them: folded, waiting, refused.",
    ["fate"],
)
LAG = Gauge("stocktide_ingestion_consumer_lag_messages", "Messages behind the log's end.")
INBOX = Gauge("stocktide_ingestion_inbox_rows", "Deliveries in the inbox, by status.", ["status"])
OLDEST_UNPUBLISHED = Gauge(
    "stocktide_ingestion_unpublished_age_seconds", "Age of the oldest order not yet on Kafka."
)
