"""A courier between a shop and its receiver: takes each webhook at once, and carries it until it is
taken.

WooCommerce tries a delivery once. A receiver that is killed every few seconds would miss some of
them, and nobody could tell what was lost on the way from what was lost behind a 2xx.
"""

import asyncio
import random
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

PAUSE_SECONDS = 0.1
CALL_SECONDS = 5.0
TOLD_AGAIN = 0.3
OF_THE_WAY = ("host", "content-length", "connection", "accept-encoding")


@dataclass(slots=True, kw_only=True)
class Courier:
    """Carries in the order of arrival; some bodies twice. `refused` are answers that no retry
    would change: what carries wrong things is a fault of the test.
    """

    target: str
    rng: random.Random
    url: str = ""
    carried: int = 0
    retries: int = 0
    refused: list[str] = field(default_factory=list)
    _queue: "asyncio.Queue[tuple[bytes, dict[str, str]]]" = field(default_factory=asyncio.Queue)

    async def take(self, request: Request) -> Response:
        """The route that a shop delivers to."""
        headers = {k: v for k, v in request.headers.items() if k not in OF_THE_WAY}
        await self._queue.put((await request.body(), headers))
        return Response(status_code=200)

    async def carry(self) -> None:
        """Deliver for ever."""
        async with httpx.AsyncClient(timeout=CALL_SECONDS, trust_env=False) as http:
            while True:
                body, headers = await self._queue.get()
                for _ in range(2 if self.rng.random() < TOLD_AGAIN else 1):
                    await self._deliver(http, body, headers)
                self.carried += 1
                self._queue.task_done()

    async def join(self, *, seconds: float) -> None:
        """Return when everything was carried. Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            await self._queue.join()

    async def _deliver(self, http: httpx.AsyncClient, body: bytes, headers: dict[str, str]) -> None:
        while True:
            try:
                answer = await http.post(self.target, content=body, headers=headers)
            except httpx.TransportError:
                answer = None
            if answer is not None and answer.is_success:
                return
            if answer is not None and answer.is_client_error:
                self.refused.append(f"{answer.status_code} {answer.text[:200]}")
                return
            self.retries += 1
            await asyncio.sleep(PAUSE_SECONDS)


@asynccontextmanager
async def a_courier(target: str, rng: random.Random) -> AsyncIterator[Courier]:
    """A courier at work, on a free port of loopback."""
    courier = Courier(target=target, rng=rng)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        courier.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        application = Starlette(routes=[Route("/{path:path}", courier.take, methods=["POST"])])
        config = uvicorn.Config(application, log_config=None, access_log=False, lifespan="off")
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server._serve([listening]))
        carrying = asyncio.create_task(courier.carry())
        try:
            yield courier
        finally:
            carrying.cancel()
            await asyncio.gather(carrying, return_exceptions=True)
            server.should_exit = True
            await serving
