"""Metrics of ingestion."""

from prometheus_client import Counter, Gauge

from shared.telemetry.metrics import PARKED_TOTAL

SERVICE = "ingestion"

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
PARKED = PARKED_TOTAL
INBOX = Gauge("stocktide_ingestion_inbox_rows", "Deliveries in the inbox, by status.", ["status"])
POLLS = Counter(
    "stocktide_ingestion_polls_total",
    "Lists of a marketplace's orders, by outcome: complete, or away (no answer that makes sense).",
    ["channel", "outcome"],
)
POLL_AGE = Gauge(
    "stocktide_ingestion_poll_age_seconds",
    "Time since a marketplace's orders were last read to the end.",
    ["channel"],
)
ACCEPTANCES = Counter(
    "stocktide_ingestion_acceptances_total",
    "Orders that a marketplace was asked to accept, and whether it did.",
    ["channel", "accepted"],
)
