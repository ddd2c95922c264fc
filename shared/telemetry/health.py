"""Probes: `/livez` is the loop's heartbeat alone, `/readyz` asks every part, `/metrics` counts."""

import time
from collections.abc import Callable

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

BEAT_SECONDS_MAX = 5.0

Check = Callable[[], str | None]


class Health:
    """What a process says of itself. A check returns None when all is well, else the reason."""

    def __init__(self, service: str) -> None:
        self.service = service
        self._checks: dict[str, Check] = {}
        self._beaten_at = time.monotonic()
        self._closing = False

    def add(self, name: str, check: Check) -> None:
        """Ask `check` at every `/readyz`."""
        self._checks[name] = check

    def beat(self) -> None:
        """The event loop is alive."""
        self._beaten_at = time.monotonic()

    def close(self) -> None:
        """Not ready any more: the process takes no more work."""
        self._closing = True

    @property
    def is_live(self) -> bool:
        return time.monotonic() - self._beaten_at < BEAT_SECONDS_MAX

    def problems(self) -> dict[str, str]:
        """Each failing check with its reason; empty when ready."""
        found = {name: reason for name, check in self._checks.items() if (reason := check())}
        return found | ({"process": "closing"} if self._closing else {})

    def routes(self) -> list[Route]:
        """The three probe routes, to be mounted in any ASGI application."""
        return [
            Route("/livez", self._livez),
            Route("/readyz", self._readyz),
            Route("/metrics", self._metrics),
        ]

    async def _livez(self, _: Request) -> Response:
        status = 200 if self.is_live else 503
        return JSONResponse({"service": self.service, "live": self.is_live}, status_code=status)

    async def _readyz(self, _: Request) -> Response:
        problems = self.problems()
        body = {"service": self.service, "ready": not problems, "problems": problems}
        return JSONResponse(body, status_code=503 if problems else 200)

    async def _metrics(self, _: Request) -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
