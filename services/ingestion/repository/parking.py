"""The parked messages of ingestion, and refused deliveries, which are parked beside them.

A delivery has no place on Kafka: it is parked under the topic `inbox` and its id as the offset. Its
row in the inbox stays the only copy of what it says; a replay has it folded again.
"""

from collections.abc import Collection, Iterable, Sequence

from services.ingestion.repository.inbox import Settlement
from shared.postgres.connecting import Connection
from shared.postgres.parking import ParkedMessage, Parking, Refusal

PARKING = Parking("ingestion")
INBOX = "inbox"

RECEIVE_AGAIN = """
update ingestion.inbox set status = 'received', reason = null, detail = null
where inbox_id = any($1::bigint[]) and status = 'refused'
"""


async def park_deliveries(connection: Connection, settlements: Iterable[Settlement]) -> None:
    """Park the deliveries that were refused."""
    refusals = [
        Refusal(
            message=ParkedMessage(
                parked_id=0, topic=INBOX, partition=0, offset=one.inbox_id, timestamp=0,
                key=None, value=None, headers=[],
            ),
            reason=one.reason or "unknown", detail=one.detail or "",
        )
        for one in settlements
        if one.status == "refused"
    ]  # fmt: skip
    await PARKING.park(connection, refusals)


async def receive_again(connection: Connection, inbox_ids: Collection[int]) -> None:
    """Have refused deliveries folded again."""
    if inbox_ids:
        await connection.execute(RECEIVE_AGAIN, list(inbox_ids))


def deliveries_in(taken: Sequence[ParkedMessage]) -> list[int]:
    """The ids of deliveries among taken rows."""
    return [message.offset for message in taken if message.topic == INBOX]
