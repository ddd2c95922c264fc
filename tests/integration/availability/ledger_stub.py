"""A stand-in for the ledger of tests that run availability alone: it answers what is asked."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from shared.contracts.republishing import Republish, RepublishState
from shared.contracts.topics import REPUBLISHES
from shared.kafka.producing import Outgoing, send_all


@asynccontextmanager
async def a_ledger_that_answers(servers: str, producer: AIOKafkaProducer) -> AsyncIterator[None]:
    """Whoever starts from nothing inside the block is answered at once."""
    there = asyncio.Event()
    there.set()
    answering = asyncio.create_task(answer_requests(servers, producer, there))
    try:
        yield
    finally:
        answering.cancel()
        await asyncio.gather(answering, return_exceptions=True)


async def answer_requests(servers: str, producer: AIOKafkaProducer, before: asyncio.Event) -> None:
    """Answer every request that there is and comes, once `before` is set; until cancelled."""
    consumer = AIOKafkaConsumer(bootstrap_servers=servers, auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign([TopicPartition(REPUBLISHES.name, 0)])
        while True:
            message = await consumer.getone()
            asked = json.loads(message.value)
            if asked["state"] != "asked":
                continue
            await before.wait()
            answer = Republish.decode(json.dumps(asked | {"state": RepublishState.TOLD}).encode())
            await send_all(
                producer,
                [
                    Outgoing(
                        topic=REPUBLISHES.name, partition=0, key=answer.key(),
                        value=answer.encode(), headers=[],
                    )
                ],
            )  # fmt: skip
    finally:
        await consumer.stop()
