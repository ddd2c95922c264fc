"""`event publish`: CloudEvents from a file onto their topics, all of them or none."""

import asyncio
import sys
from datetime import datetime
from pathlib import Path

from pydantic_core import from_json, to_json

from services.cli.console import say
from services.cli.exits import CommandError, Exit
from services.cli.state import running_stack
from services.cli.texts import tr
from shared.contracts.cloudevents import Event, decode_structured, headers_for
from shared.contracts.records import Undecodable
from shared.contracts.topics import TOPICS
from shared.kafka.producing import Outgoing, open_producer, send_all
from shared.runtime.clock import SystemClock
from shared.runtime.settings import StackSettings

BYTES_MAX = 64 * 1024 * 1024
PROBLEMS_SHOWN = 5


def publish(file: str) -> Exit:
    """Read and check everything, then send. Raises CommandError that names what is wrong."""
    content = _read(file)
    now = SystemClock().now()
    outgoing: list[Outgoing] = []
    problems: list[str] = []
    for number, body in enumerate(_events_in(content, file), start=1):
        found = message_of(body, now)
        if isinstance(found, str):
            problems.append(f"event {number}: {found}")
        else:
            outgoing.append(found)
    if problems:
        shown = "\n  ".join(problems[:PROBLEMS_SHOWN])
        raise CommandError(
            tr(
                "{file}: {problems} of {value} events are not as the contracts say; nothing "
                "was sent.\n  {shown}\n ",
                file=file,
                problems=len(problems),
                value=len(problems) + len(outgoing),
                shown=shown,
            ),
            tr("docs/topics tell the contracts; mend the file and publish it again."),
            Exit.USAGE,
        )
    if not outgoing:
        raise CommandError(
            tr("{file} holds no event.", file=file), tr("Give at least one."), Exit.USAGE
        )
    settings = StackSettings()
    servers = settings.kafka or running_stack(settings.data.absolute()).addresses.kafka
    asyncio.run(_send(servers, outgoing))
    say(tr("Published {outgoing} events.", outgoing=len(outgoing)))
    return Exit.OK


def message_of(body: bytes, now: datetime) -> Outgoing | str:
    """The Kafka message of a CloudEvent in JSON, or why there is none."""
    event = decode_structured(body)
    if isinstance(event, Undecodable):
        return f"{event.reason}: {event.detail}"
    topics = [topic for topic in TOPICS if topic.ce_type == event.headers.type]
    if not topics:
        known = ", ".join(topic.ce_type for topic in TOPICS)
        return f"type {event.headers.type!r} belongs to no topic; there are {known}"
    message = topics[0].decode(event.data)
    if isinstance(message, Undecodable):
        return f"{message.reason}: {message.detail}"
    return Outgoing(
        topic=topics[0].name, partition=topics[0].partition_of(message), key=message.key(),
        value=event.data, headers=_headers(event, now),
    )  # fmt: skip


def _headers(event: Event, now: datetime) -> list[tuple[str, bytes]]:
    told = event.headers
    return headers_for(
        id_=told.id, source=told.source, type_=told.type, time=told.time or now,
        subject=told.subject, dataschema=told.dataschema, traceparent=told.traceparent,
    )  # fmt: skip


def _read(file: str) -> bytes:
    try:
        if file == "-":
            return sys.stdin.buffer.read(BYTES_MAX + 1)
        with Path(file).open("rb") as opened:
            content = opened.read(BYTES_MAX + 1)
    except OSError as error:
        raise CommandError(
            tr("{file} cannot be read: {strerror}.", file=file, strerror=error.strerror),
            tr("Name a file, or - for stdin."),
            Exit.USAGE,
        ) from error
    if len(content) > BYTES_MAX:
        raise CommandError(
            tr("{file} is larger than {value} MiB.", file=file, value=BYTES_MAX // 2**20),
            tr("Publish it in parts."),
            Exit.USAGE,
        )
    return content


def _events_in(content: bytes, file: str) -> list[bytes]:
    """One event, an array of them, or one a line."""
    try:
        told = from_json(content, allow_inf_nan=False)
    except ValueError as error:
        lines = [line for line in content.splitlines() if line.strip()]
        if len(lines) > 1:
            return lines
        raise CommandError(
            tr("{file} is no JSON: {error}.", file=file, error=error),
            tr("Write CloudEvents in JSON."),
            Exit.USAGE,
        ) from error
    return [to_json(one) for one in told] if isinstance(told, list) else [content]


async def _send(servers: str, outgoing: list[Outgoing]) -> None:
    producer = await open_producer(servers)
    try:
        await send_all(producer, outgoing)
    finally:
        await producer.stop()
