"""Parked messages: the only record of what was refused."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from shared.kafka.batches import Message
from shared.postgres.connecting import Connection

PARK = """
insert into orders.parked
    (topic, partition, kafka_offset, reason, detail, key, headers, value)
select topic, partition, kafka_offset, reason, detail, key, headers::jsonb, value
from unnest($1::text[], $2::integer[], $3::bigint[], $4::text[], $5::text[], $6::bytea[],
            $7::text[], $8::bytea[])
    as i(topic, partition, kafka_offset, reason, detail, key, headers, value)
on conflict (topic, partition, kafka_offset) do nothing
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A message that isn't applied, with its reason."""

    message: Message
    reason: str
    detail: str


async def park(connection: Connection, refusals: Sequence[Refusal]) -> None:
    """Keep the messages as they came."""
    if not refusals:
        return
    messages = [refusal.message for refusal in refusals]
    await connection.execute(
        PARK,
        [m.topic for m in messages], [m.partition for m in messages],
        [m.offset for m in messages], [r.reason for r in refusals], [r.detail for r in refusals],
        [m.key for m in messages], [_headers(m) for m in messages], [m.value for m in messages],
    )  # fmt: skip


def _headers(message: Message) -> str:
    # Postgres' jsonb has no NUL, and a header may be any bytes.
    found = [(n, v.decode("utf-8", "replace")) for n, v in message.headers]
    return json.dumps(found).replace("\\u0000", "\\ufffd")
