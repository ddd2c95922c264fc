"""The parked messages of orders, and orders that a bug kept from being decided again.

Such an order has no message. It is parked under the topic `redecide:` and its id, so that a second
failure finds the same row, and its replay notes the order to be decided again.
"""

from shared.postgres.connecting import Connection
from shared.postgres.parking import ParkedMessage, Parking, Refusal, traceback_of

PARKING = Parking("orders")
REDECIDE = "redecide:"


async def park_order(connection: Connection, order_id: str, error: BaseException) -> None:
    """Keep an order whose decision hit a bug."""
    place = ParkedMessage(
        parked_id=0, topic=f"{REDECIDE}{order_id}", partition=0, offset=0, timestamp=0,
        key=order_id.encode(), value=None, headers=[],
    )  # fmt: skip
    refusal = Refusal(message=place, reason="internal_error", detail=traceback_of(error))
    await PARKING.park(connection, [refusal])


def order_of(message: ParkedMessage) -> str | None:
    """The order that is to be decided again; None for a message from Kafka."""
    return message.topic.removeprefix(REDECIDE) if message.topic.startswith(REDECIDE) else None
