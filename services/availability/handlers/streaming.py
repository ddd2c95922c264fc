"""The stream of figures: everything told on availability-v1 from now on, to whoever listens.

A slow client gets the latest figure per key and not every one; a client that lags too far, or
comes back with an id that is no longer remembered, is told to read everything again.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from services.availability import metrics
from shared.kafka.batches import Message
from shared.runtime.waiting import wait_for_event

REMEMBERED_MAX = 10_000
CLIENTS_MAX = 500
SILENCE_SECONDS = 15.0
POLL_SECONDS = 1.0
RESET = b"event: reset\ndata: {}\n\n"
ALIVE = b": alive\n\n"


@dataclass(slots=True, eq=False)
class _Client:
    channel: bytes | None
    waiting: dict[bytes, tuple[int, bytes]] = field(default_factory=dict)
    must_reset: bool = False
    woken: asyncio.Event = field(default_factory=asyncio.Event)


class Stream:
    """Fans one topic's messages out. `epoch` tells this process's ids from all others'."""

    def __init__(self, *, keys_max: int, epoch: str) -> None:
        self._keys_max = keys_max
        self._epoch = epoch
        self._sequence = 0
        self._remembered: deque[tuple[int, bytes, bytes]] = deque(maxlen=REMEMBERED_MAX)
        self._clients: set[_Client] = set()
        # Somebody has come, and: whoever hears the topic for us is there.
        self.wanted = asyncio.Event()
        self.live = asyncio.Event()

    def heard(self, message: Message) -> None:
        """A figure was told."""
        key, value = message.key or b"", message.value or b"{}"
        self._sequence += 1
        self._remembered.append((self._sequence, key, value))
        for client in self._clients:
            self._offer(client, self._sequence, key, value)

    def lost(self) -> None:
        """Something may have been told that was not heard: who had heard all until here too."""
        self._sequence += 1
        self._remembered.clear()
        for client in self._clients:
            self._reset(client)

    @property
    def has_clients(self) -> bool:
        return bool(self._clients)

    @property
    def is_full(self) -> bool:
        """The process serves as many streams as it may."""
        return len(self._clients) >= CLIENTS_MAX

    async def events(
        self, *, channel: str | None, last_event_id: str | None, closing: asyncio.Event
    ) -> AsyncIterator[bytes]:
        """Server-sent events for one client until it leaves or the process closes. What is told
        after the first one, a sign of life, is heard.
        """
        client = _Client(channel=f"{channel}|".encode() if channel else None)
        self._clients.add(client)
        metrics.STREAM_CLIENTS.set(len(self._clients))
        self.wanted.set()
        silence = 0.0
        try:
            while not closing.is_set() and not await wait_for_event(self.live, POLL_SECONDS):
                pass
            if last_event_id is not None:
                self._resume(client, last_event_id)
            yield ALIVE
            while not closing.is_set():
                if await wait_for_event(client.woken, POLL_SECONDS):
                    client.woken.clear()
                    silence = 0.0
                    yield self._take(client)
                elif (silence := silence + POLL_SECONDS) >= SILENCE_SECONDS:
                    silence = 0.0
                    yield ALIVE
        finally:
            self._clients.discard(client)
            metrics.STREAM_CLIENTS.set(len(self._clients))

    def _offer(self, client: _Client, sequence: int, key: bytes, value: bytes) -> None:
        if client.channel is not None and not key.startswith(client.channel):
            return
        # Taken out first, so that what waits stands in the order of what was told last.
        client.waiting.pop(key, None)
        if len(client.waiting) >= self._keys_max:
            self._reset(client)
            return
        client.waiting[key] = sequence, value
        client.woken.set()

    def _reset(self, client: _Client) -> None:
        client.waiting.clear()
        client.must_reset = True
        client.woken.set()

    def _resume(self, client: _Client, last_event_id: str) -> None:
        epoch, _, number = last_event_id.partition("-")
        sequence = int(number) if len(number) < 19 and number.isascii() and number.isdigit() else -1
        first = self._remembered[0][0] if self._remembered else self._sequence + 1
        if epoch != self._epoch or not first - 1 <= sequence <= self._sequence:
            self._reset(client)
            return
        for told, key, value in self._remembered:
            if told > sequence:
                self._offer(client, told, key, value)

    def _take(self, client: _Client) -> bytes:
        waiting, client.waiting = client.waiting, {}
        parts: list[bytes] = []
        if client.must_reset:
            client.must_reset = False
            metrics.STREAM_RESETS.inc()
            parts.append(RESET)
        for sequence, value in waiting.values():
            head = f"id: {self._epoch}-{sequence}\nevent: availability\ndata: ".encode()
            parts += (head, value, b"\n\n")
        return b"".join(parts)
