"""Metrics of the ledger."""

from prometheus_client import Counter, Gauge

from shared.telemetry.metrics import (
    BATCH_MESSAGES,
    MESSAGE_HANDLING_SECONDS,
    PARKED_TOTAL,
)

SERVICE = "ledger"

MESSAGES = Counter(
    "stocktide_ledger_messages_total",
    "Messages by their fate: posted, observed, duplicate, folded, answered or parked.",
    ["fate"],
)
OBSERVATIONS = Gauge(
    "stocktide_observations",
    "What observing sources told and the book doesn't say: `waiting` for the fact to be posted, "
    "`unmatched` for too long, or `differing`; told by one worker, 0 by its others.",
    ["state"],
)
UNDECLARED_SOURCES = Gauge(
    "stocktide_undeclared_sources",
    "Sources that post because nobody has declared them; told by one worker, 0 by its others.",
)
SEQUENCE_GAPS = Gauge(
    "stocktide_sequence_gaps",
    "Ranges of sources' message numbers that are missing; told by one worker, 0 by its others.",
)
SILENCES = Gauge(
    "stocktide_silent_sources",
    "Sources that are silent beyond their limit, once a location; told by one worker, 0 by its "
    "others.",
)
SUSPENDED_LEVELS = Gauge(
    "stocktide_suspended_levels",
    "SKUs that were looked for at a place in vain and are not offered there at a distance until "
    "they are counted; told by one worker, 0 by its others.",
)
TRANSFER_DISCREPANCIES = Gauge(
    "stocktide_transfer_discrepancies",
    "SKUs of which a transfer has not all come long after its dispatch, or more than was "
    "dispatched, once a destination; told by one worker, 0 by its others.",
)
LATE_COUNTS = Gauge(
    "stocktide_closed_counts_with_late_entries",
    "Counts that were closed in the last 30 days and that something late has come to since; told "
    "by one worker, 0 by its others.",
)
GOODS_IN_DEVIATIONS = Gauge(
    "stocktide_goods_in_deviations",
    "Lines of supply orders that are overdue, or came short, over, unannounced or otherwise than "
    "told; told by one worker, 0 by its others.",
)
OVERDUE_HOLDS = Gauge(
    "stocktide_overdue_holds",
    "Holds that have been open for longer than their kind allows; told by one worker, 0 by its "
    "others.",
    ["purpose"],
)
BATCH_SECONDS = MESSAGE_HANDLING_SECONDS.labels(SERVICE, "batch", "applied")
BATCH_SIZE = BATCH_MESSAGES.labels(SERVICE)
PARKED = PARKED_TOTAL
