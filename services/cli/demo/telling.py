"""What the warehouse's system tells us: CloudEvents over HTTP, to ingestion as anybody's would."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import httpx

from shared.contracts.records import Message
from shared.contracts.topics import Topic

BATCH = "application/cloudevents-batch+json"
SECONDS = 10.0
TRIES_MAX = 20
PAUSE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Telling:
    """One event: its topic says the type."""

    topic: Topic
    message: Message


class Teller:
    """One source of events. The same ids go out again after a failure, so a retry is no twin."""

    def __init__(self, ingestion: str, source: str, run: str) -> None:
        self._http = httpx.AsyncClient(base_url=ingestion, timeout=SECONDS, trust_env=False)
        self._source = source
        self._run = run
        self._count = 0
        self.told = 0

    async def close(self) -> None:
        """Drop the connections."""
        await self._http.aclose()

    async def tell(self, tellings: Sequence[Telling], at: datetime) -> None:
        """Send all in one request, in order; tried again while ingestion is away.

        Raises RuntimeError when it refuses them, or stays away.
        """
        if not tellings:
            return
        body = json.dumps([self._event(telling, at) for telling in tellings]).encode()
        problem = ""
        for _ in range(TRIES_MAX):
            try:
                answer = await self._http.post(
                    "/v1/events", content=body, headers={"content-type": BATCH}
                )
            except httpx.TransportError as error:
                problem = repr(error)
            else:
                if answer.status_code == 202:
                    self.told += len(tellings)
                    return
                problem = f"{answer.status_code}: {answer.text[:300]}"
                if answer.status_code < 500:
                    break
            await asyncio.sleep(PAUSE_SECONDS)
        raise RuntimeError(f"ingestion did not take what {self._source} tells: {problem}")

    def _event(self, telling: Telling, at: datetime) -> dict[str, object]:
        self._count += 1
        return {
            "specversion": "1.0", "id": f"{self._run}-{self._count}", "source": self._source,
            "type": telling.topic.ce_type, "time": at.isoformat(),
            "datacontenttype": "application/json", "data": json.loads(telling.message.encode()),
        }  # fmt: skip
