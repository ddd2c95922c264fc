"""Metrics of availability."""

from prometheus_client import Counter, Gauge

from shared.telemetry.metrics import (
    BATCH_MESSAGES,
    MESSAGE_HANDLING_SECONDS,
    PARKED_TOTAL,
)

SERVICE = "availability"

MESSAGES = Counter(
    "stocktide_availability_messages_total",
    "Messages by their fate: folded or parked.",
    ["fate"],
)
BATCH_SECONDS = MESSAGE_HANDLING_SECONDS.labels(SERVICE, "batch", "applied")
BATCH_SIZE = BATCH_MESSAGES.labels(SERVICE)
PARKED = PARKED_TOTAL
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
OVERTAKEN = Counter(
    "stocktide_availability_overtaken_total",
    "Batches decided on remembered rows that somebody had changed since, and decided again.",
)
