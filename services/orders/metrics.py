"""Metrics of orders."""

from prometheus_client import Counter, Gauge

from shared.telemetry.metrics import (
    BATCH_MESSAGES,
    MESSAGE_HANDLING_SECONDS,
    PARKED_TOTAL,
)

SERVICE = "orders"

MESSAGES = Counter(
    "stocktide_orders_messages_total", "Messages by their fate: folded or parked.", ["fate"]
)
BATCH_SECONDS = MESSAGE_HANDLING_SECONDS.labels(SERVICE, "batch", "applied")
BATCH_SIZE = BATCH_MESSAGES.labels(SERVICE)
PARKED = PARKED_TOTAL
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
PUBLISHED = Gauge("stocktide_orders_published_messages", "Messages sent since the start.")
