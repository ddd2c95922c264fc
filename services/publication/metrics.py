"""Metrics of publication. No SKU and no listing is ever a label."""

from prometheus_client import Counter, Gauge, Histogram

PROPAGATION = Histogram(
    "stocktide_propagation_seconds",
    "From the computation of a figure to its call's start, per value sent.",
    ["channel"],
    buckets=(0.002, 0.005, 0.01, 0.02, 0.03, 0.06, 0.1, 0.3, 1, 3, 10, 60, 300),
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
QUEUED = Gauge("stocktide_publication_queue_listings", "Listings that wait.", ["channel"])
UNTOLD = Counter(
    "stocktide_publication_untold_total",
    "Figures for channels that no connector is configured for.",
)
MESSAGES = Counter("stocktide_publication_messages_total", "Messages by their fate.", ["fate"])
LAG = Gauge("stocktide_publication_lag_messages", "Messages behind the log's end.")
FOLD_SECONDS = Histogram(
    "stocktide_publication_fold_seconds",
    "Time of one batch's transaction.",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2),
)
