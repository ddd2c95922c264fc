"""Metrics of orders."""

from prometheus_client import Counter, Gauge, Histogram

MESSAGES = Counter(
    "stocktide_orders_messages_total", "Messages by their fate: folded or parked.", ["fate"]
)
PARKED = Counter("stocktide_orders_parked_total", "Messages parked, by reason.", ["reason"])
BATCH_SECONDS = Histogram(
    "stocktide_orders_batch_seconds",
    "Time of one batch's transaction.",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5),
)
ORDERS_CHANGED = Counter("stocktide_orders_changed_total", "Orders for which a state was news.")
DECIDED = Counter(
    "stocktide_orders_lines_decided_total",
    "Lines decided, by decision and its reason.",
    ["decision", "reason"],
)
COMMANDS = Counter(
    "stocktide_orders_commands_total",
    "Wishes that changed: by an order's own state, or when it was decided again.",
    ["cause"],
)
RETURN_MOVEMENTS = Counter(
    "stocktide_orders_return_movements_total", "Movements of units that came back and were graded."
)
WAITING = Gauge(
    "stocktide_orders_lines_waiting", "Lines that wait for reference data, by reason.", ["reason"]
)
LAG = Gauge("stocktide_orders_lag_messages", "Messages behind the logs' ends.")
PUBLISHED = Gauge("stocktide_orders_published_messages", "Messages sent since the start.")
OLDEST_UNPUBLISHED = Gauge(
    "stocktide_orders_unpublished_age_seconds", "Age of the oldest message not yet sent."
)
