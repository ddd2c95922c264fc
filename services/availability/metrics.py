"""Metrics of availability."""

from prometheus_client import Counter, Gauge, Histogram

MESSAGES = Counter(
    "stocktide_availability_messages_total",
    "Messages by their fate: folded or parked.",
    ["fate"],
)
PARKED = Counter(
    "stocktide_availability_parked_total", "Messages parked, by reason.", ["service", "reason"]
)
BATCH_SECONDS = Histogram(
    "stocktide_availability_batch_seconds",
    "Time of one batch's transaction.",
    ["service", "handler", "outcome"],
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5),
)
BATCH_MESSAGES = Histogram(
    "stocktide_availability_batch_messages",
    "Messages in one batch.",
    ["service"],
    buckets=(1, 2, 5, 10, 50, 100, 500, 1000, 5000, 10000),
)
LAG = Gauge("stocktide_availability_lag_messages", "Messages behind the log's end.", ["service"])
OLDEST_UNPUBLISHED = Gauge(
    "stocktide_availability_unpublished_age_seconds",
    "Age of the oldest state not yet told, by where it goes: topic or view.",
    ["kind"],
)
AGE_SECONDS = Gauge(
    "stocktide_availability_age_seconds", "Age of the view: what was told before is in it."
)
RECOMPUTED = Counter(
    "stocktide_availability_recomputed_total",
    "SKUs computed anew without a message, by what asked for it.",
    ["reason"],
)
WAITING = Gauge(
    "stocktide_availability_recompute_waiting", "SKUs and sweeps that wait to be computed again."
)
ANSWERS = Counter(
    "stocktide_availability_answers_total", "SKUs answered, by where from.", ["source"]
)
STREAM_CLIENTS = Gauge("stocktide_availability_stream_clients", "Open event streams.")
STREAM_RESETS = Counter(
    "stocktide_availability_stream_resets_total", "Clients told to read everything again."
)
CACHE_GENERATIONS = Counter(
    "stocktide_availability_cache_generations_total",
    "Generations begun because Redis was wiped, restarted or replaced.",
)
