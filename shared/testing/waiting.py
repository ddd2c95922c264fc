"""Waiting in tests: a condition is polled until a deadline, never slept for."""

import asyncio
from collections.abc import Awaitable, Callable

POLL_SECONDS = 0.05


async def until(condition: Callable[[], Awaitable[bool]], *, seconds: float = 30.0) -> None:
    """Return as soon as `condition` holds; raises TimeoutError after `seconds`."""
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110  (the condition lies in other processes)
            await asyncio.sleep(POLL_SECONDS)
