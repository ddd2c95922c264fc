"""The metrics that several services tell alike, one definition each; `service` tells them apart.

One observation a batch, not one a message: nothing here is on the way of a single movement. No
SKU, order or location is ever a label.
"""

from prometheus_client import Counter, Gauge, Histogram

MESSAGE_HANDLING_SECONDS = Histogram(
    "stocktide_message_handling_seconds",
    "Time of one batch's transaction; the outcome is the decision's name, `applied` for a batch.",
    ["service", "handler", "outcome"],
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5),
)
BATCH_MESSAGES = Histogram(
    "stocktide_batch_messages",
    "Messages in one batch.",
    ["service"],
    buckets=(1, 2, 5, 10, 50, 100, 500, 1000, 5000, 10000),
)
CONSUMER_LAG_MESSAGES = Gauge(
    "stocktide_consumer_lag_messages",
    "Messages between this worker's positions and the ends of its logs.",
    ["service"],
)
UNPUBLISHED_AGE_SECONDS = Gauge(
    "stocktide_unpublished_age_seconds",
    "Age of the oldest state that a commit has left and nobody was told yet.",
    ["service"],
)
PARKED_TOTAL = Counter(
    "stocktide_parked_total", "Messages parked since the start, by reason.", ["service", "reason"]
)
PARKED_MESSAGES = Gauge(
    "stocktide_parked_messages",
    "Messages that are parked now; told by one worker of a service, 0 by its others.",
    ["service"],
)
PROPAGATION_SECONDS = Histogram(
    "stocktide_propagation_seconds",
    "From the computation of a figure to its call's start, per value sent.",
    ["channel"],
    buckets=(0.002, 0.005, 0.01, 0.02, 0.03, 0.06, 0.1, 0.3, 1, 3, 10, 60, 300),
)
OVERSOLD_UNITS = Gauge(
    "stocktide_oversold_units",
    "Units reserved, allocated or without a place beyond what is sellable, over all SKUs; told by "
    "one worker of the ledger, 0 by its others.",
)
INVARIANT_VIOLATIONS = Gauge(
    "stocktide_invariant_violations",
    "Whether an invariant of the design is violated now, by what this process can see.",
    ["invariant"],
)

UNPUBLISHED_SECONDS_MAX = 5.0
PUBLISHED_IN_TIME = "published_within_5_s"


def note_unpublished(service: str, seconds: float) -> None:
    """The age of the oldest unpublished state, and whether the invariant about it holds."""
    UNPUBLISHED_AGE_SECONDS.labels(service).set(seconds)
    violated = seconds > UNPUBLISHED_SECONDS_MAX
    INVARIANT_VIOLATIONS.labels(f"{service}_{PUBLISHED_IN_TIME}").set(int(violated))
