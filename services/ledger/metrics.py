"""Metrics of the ledger."""

from prometheus_client import Counter

from shared.telemetry.metrics import (
    BATCH_MESSAGES,
    MESSAGE_HANDLING_SECONDS,
    PARKED_TOTAL,
)

SERVICE = "ledger"

MESSAGES = Counter(
    "stocktide_ledger_messages_total",
    "Messages by their fate: posted, duplicate, folded or parked.",
    ["fate"],
)
BATCH_SECONDS = MESSAGE_HANDLING_SECONDS.labels(SERVICE, "batch", "applied")
BATCH_SIZE = BATCH_MESSAGES.labels(SERVICE)
PARKED = PARKED_TOTAL
