"""Metrics of the ledger."""

from prometheus_client import Counter, Gauge, Histogram

MESSAGES = Counter(
    "stocktide_ledger_messages_total",
    "Messages by their fate: posted, duplicate, folded or parked.",
    ["fate"],
)
PARKED = Counter("stocktide_parked_total", "Messages parked, by reason.", ["service", "reason"])
BATCH_SECONDS = Histogram(
    "stocktide_message_handling_seconds",
    "Time of one batch's transaction.",
    ["service", "handler", "outcome"],
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5),
)
BATCH_MESSAGES = Histogram(
    "stocktide_batch_messages",
    "Messages in one batch.",
    ["service"],
    buckets=(1, 2, 5, 10, 50, 100, 500, 1000, 5000, 10000),
)
LAG = Gauge("stocktide_consumer_lag_messages", "Messages behind the log's end.", ["service"])
PUBLISHED = Counter("stocktide_states_published_total", "States sent by the relay.", ["service"])
OLDEST_UNPUBLISHED = Gauge(
    "stocktide_unpublished_age_seconds", "Age of the oldest state not yet sent.", ["service"]
)
