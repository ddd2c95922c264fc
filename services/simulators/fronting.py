"""What stands before a simulator's protocol: faults that were ordered, and who is let in."""

import asyncio
from collections.abc import Callable

from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.simulators.faults import Calls, Faults

# What keeps a call out before its route sees it, by its Authorization header.
Refusal = Callable[[str], Response | None]


def nothing_first() -> None:
    """For a simulator in which nothing goes on between calls."""


def nobody_is_refused(authorization: str) -> Response | None:
    """For a protocol whose routes judge by themselves, because refusals have its own form."""
    del authorization
    return None


class Front:
    """Counts calls below `root`, and lets them hang, be slow, be refused or lose their answer.

    Everything else goes to `routes` as it came: the control, a store-front. `first` is called
    before any of it, for what time has brought since the last call.
    """

    def __init__(
        self,
        routes: ASGIApp,
        *,
        root: str,
        faults: Faults,
        calls: Calls,
        refusal: Refusal = nobody_is_refused,
        first: Callable[[], None] = nothing_first,
    ) -> None:
        self._routes, self._root = routes, root
        self._faults, self._calls, self._refusal = faults, calls, refusal
        self._first = first

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One call; its faults are used up in the order hang, latency, refusal, lost answer."""
        self._first()
        if scope["type"] != "http" or not scope["path"].startswith(self._root):
            await self._routes(scope, receive, send)
            return
        self._calls.requests += 1
        if (hang := self._faults.take("hang")) is not None:
            await asyncio.sleep(hang.seconds)
            await HTMLResponse("<h1>504 Gateway Time-out</h1>", 504)(scope, receive, send)
            return
        if (latency := self._faults.take("latency")) is not None:
            await asyncio.sleep(latency.seconds)
        authorization = dict(scope["headers"]).get(b"authorization", b"").decode("latin-1")
        if (refusal := self._refusal(authorization)) is not None:
            await refusal(scope, receive, send)
            return
        if (lost := self._faults.take("lost_answer")) is not None:
            await self._routes(scope, receive, _nowhere)
            await asyncio.sleep(lost.seconds)
            await HTMLResponse("<h1>502 Bad Gateway</h1>", 502)(scope, receive, send)
            return
        await self._routes(scope, receive, send)


async def _nowhere(_: Message) -> None:
    """Where the answer of an applied call goes that its caller never sees."""
