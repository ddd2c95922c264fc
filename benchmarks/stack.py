"""Where a benchmark runs: fresh servers, one database with every service's schema, all topics."""

import asyncio
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from services.cli.migrating import migrate_all
from services.cli.topics import create_topics, present_topics
from shared.contracts.records import Message
from shared.contracts.topics import REFERENCE_DATA, TOPICS
from shared.kafka.producing import Outgoing, open_producer, send_all
from shared.postgres.connecting import connect
from shared.runtime.infrastructure import (
    Addresses,
    GivenAddresses,
    InfrastructureError,
    Progress,
    choose,
    described,
    started,
    wipe,
)

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / ".stocktide" / "benchmarks"


@contextmanager
def fresh_stack(progress: Progress) -> Iterator[Addresses]:
    """Servers with nothing in them: embedded ones in a folder of their own, unless all are given.

    Raises InfrastructureError when a given Kafka or database already holds a Stocktide.
    """
    given = GivenAddresses(
        kafka=os.environ.get("STOCKTIDE_KAFKA"),
        postgres=os.environ.get("STOCKTIDE_POSTGRES"),
        redis=os.environ.get("STOCKTIDE_REDIS"),
    )
    wipe(FOLDER)
    infrastructure = choose(given=given, data_folder=FOLDER, docker=False)
    with started(infrastructure, progress) as addresses:
        progress(f"servers: {described(infrastructure.providers)}")
        asyncio.run(_prepare(addresses))
        yield addresses


async def _prepare(addresses: Addresses) -> None:
    await _require_empty(addresses)
    await create_topics(addresses.kafka)
    await migrate_all(addresses.postgres)


async def _require_empty(addresses: Addresses) -> None:
    connection = await connect(addresses.postgres, application="stocktide-benchmarks")
    try:
        has_schema = await connection.fetchval("select to_regnamespace('ledger') is not null")
    finally:
        await connection.close()
    if has_schema or present_here(await present_topics(addresses.kafka)):
        raise InfrastructureError(
            "The given servers hold a Stocktide already, and a benchmark fills what it is given. "
            "Name empty ones, or unset STOCKTIDE_KAFKA, STOCKTIDE_POSTGRES and STOCKTIDE_REDIS to "
            "have embedded servers."
        )


def present_here(topics: Iterable[str]) -> list[str]:
    """The catalogue's topics among these names."""
    return sorted({topic.name for topic in TOPICS} & set(topics))


async def publish_reference_data(kafka: str, records: Sequence[Message]) -> None:
    """Send reference records with acks=all."""
    producer = await open_producer(kafka)
    try:
        await send_all(
            producer,
            [
                Outgoing(
                    topic=REFERENCE_DATA.name,
                    partition=REFERENCE_DATA.partition_of(record),
                    key=record.key(),
                    value=record.encode(),
                    headers=[("content-type", b"application/json")],
                )
                for record in records
            ],
        )
    finally:
        await producer.stop()
