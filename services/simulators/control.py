"""The control routes of a simulator: faults, limits, the log of calls. No part of any protocol."""

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.simulators.faults import Calls, Faults, Limit

READ_MAX = 50_000


class Control:
    """`/_control/…`: how a test, a demo or a benchmark steers a simulator and reads what came."""

    def __init__(self, faults: Faults, limit: Limit, calls: Calls) -> None:
        self._faults, self._limit, self._calls = faults, limit, calls

    def routes(self) -> list[Route]:
        """The routes, to be put beside the protocol's."""
        return [
            Route("/_control/faults", self._set_faults, methods=["PUT"]),
            Route("/_control/limits", self._set_limits, methods=["PUT"]),
            Route("/_control/calls", self._read_calls),
            Route("/_control/health", self._health),
        ]

    async def _set_faults(self, request: Request) -> Response:
        body = await json_of(request)
        try:
            self._faults.set(list(body.get("faults", [])))
        except (TypeError, ValueError) as error:
            return JSONResponse({"error": str(error)}, status_code=400)
        return JSONResponse({"faults": body.get("faults", [])})

    async def _set_limits(self, request: Request) -> Response:
        body = await json_of(request)
        rate = body.get("calls_per_second")
        self._limit.set(None if rate is None else float(rate), float(body.get("burst", 1.0)))
        return JSONResponse(body)

    async def _read_calls(self, request: Request) -> Response:
        """`?after=&limit=`: writes as [arrived_us, entry, value], and the cursor to go on from."""
        after = int(request.query_params.get("after", "0"))
        limit = min(int(request.query_params.get("limit", "10000")), READ_MAX)
        cursor, found = self._calls.read(after, limit)
        return JSONResponse({"next": cursor, "requests": self._calls.requests, "calls": found})

    async def _health(self, _: Request) -> Response:
        return JSONResponse({"ok": True})


async def json_of(request: Request) -> dict[str, Any]:
    """The request's JSON object; {} for anything else."""
    try:
        body = json.loads(await request.body() or b"{}")
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
