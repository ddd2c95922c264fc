"""Metrics of the catalog."""

from prometheus_client import Counter

from shared.telemetry.metrics import (
    BATCH_MESSAGES,
    MESSAGE_HANDLING_SECONDS,
    PARKED_TOTAL,
)

SERVICE = "catalog"

MESSAGES = Counter(
    "stocktide_catalog_messages_total", "Messages by their fate: read or parked.", ["fate"]
)
PARKED = PARKED_TOTAL
CHANGED = Counter("stocktide_catalog_changed_total", "Records that were news, by kind.", ["kind"])
BATCH_SECONDS = MESSAGE_HANDLING_SECONDS.labels(SERVICE, "batch", "applied")
BATCH_SIZE = BATCH_MESSAGES.labels(SERVICE)
ANSWERS = Counter(
    "stocktide_catalog_answers_total",
    "Codes asked for, by outcome: answered, ambiguous, unknown.",
    ["outcome"],
)
IMPORTS = Counter("stocktide_catalog_imports_total", "Imports settled, by status.", ["status"])
IMPORT_ROWS = Counter(
    "stocktide_catalog_import_rows_total", "Rows of imports by what became of them.", ["fate"]
)
