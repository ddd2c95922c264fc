"""Metrics of publication. No SKU and no listing is ever a label."""

from prometheus_client import Counter, Gauge, Histogram

from shared.telemetry.metrics import (
    MESSAGE_HANDLING_SECONDS,
    PROPAGATION_SECONDS,
)

SERVICE = "publication"

PROPAGATION = PROPAGATION_SECONDS
LATE = Counter(
    "stocktide_propagation_late_total",
    "Values whose call started later than the channel's target, of those in propagation.",
    ["channel"],
)
TARGET = Gauge(
    "stocktide_propagation_target_seconds",
    "Within how long a value's call should start: 5 s, and one interval of the channel's pace.",
    ["channel"],
)
CALLS = Histogram(
    "stocktide_channel_call_seconds",
    "Calls to a channel, by the outcome of the call as a whole.",
    ["channel", "outcome"],
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.3, 1, 3, 10),
)
ATTEMPTS = Counter(
    "stocktide_publication_attempts_total", "Attempts by their fate.", ["channel", "fate"]
)
SATISFIED = Counter(
    "stocktide_publications_satisfied_total", "Versions that needed no call.", ["channel"]
)
LISTINGS = Gauge(
    "stocktide_publication_listings",
    "Open live listings by what a customer finds: offered, sold_out, untold; told by one worker.",
    ["channel", "state"],
)
QUEUED = Gauge("stocktide_publication_queue_listings", "Listings that wait.", ["channel"])
UNTOLD = Counter(
    "stocktide_publication_untold_total",
    "Figures for channels that no connector is configured for.",
)
MESSAGES = Counter("stocktide_publication_messages_total", "Messages by their fate.", ["fate"])
FOLD_SECONDS = MESSAGE_HANDLING_SECONDS.labels("publication", "batch", "applied")
DRIFT = Counter(
    "stocktide_publication_drift_units_total",
    "Units that a channel shows other than any order explains, by either sign.",
    ["channel"],
)
HEARD = Counter("stocktide_publication_heard_lines_total", "Order lines counted as heard.")
