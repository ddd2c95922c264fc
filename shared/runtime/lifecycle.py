"""The life of a service process: start → ready → close (take no more) → join (finish) → end."""

import asyncio
import gc
import logging
import signal
from collections.abc import Awaitable, Callable, Collection
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import uvicorn
import uvloop

from shared.telemetry.health import Health
from shared.telemetry.logging import configure_logging

log = logging.getLogger(__name__)

JOIN_SECONDS = 4.0
CANCEL_SECONDS = 0.5
BEAT_SECONDS = 0.5

Starter = Callable[[], Awaitable[None]]
ASGIApplication = Callable[..., Awaitable[None]]


@dataclass(slots=True, kw_only=True)
class Process:
    """What a composition root fills: resources on the stack, tasks to run, probes to answer.

    `closing` is set by SIGTERM or SIGINT: every task then finishes what it holds and returns. A
    task that returns earlier, or raises, closes the process; it then ends with status 1.
    """

    name: str
    health: Health
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    resources: AsyncExitStack = field(default_factory=AsyncExitStack)
    tasks: dict[str, Starter] = field(default_factory=dict)

    def add(self, name: str, task: Starter) -> None:
        """Run `task` for the life of the process."""
        assert name not in self.tasks, name
        self.tasks[name] = task

    def serve_http(self, application: ASGIApplication, *, host: str, port: int) -> None:
        """Serve an ASGI application for the life of the process."""
        config = uvicorn.Config(
            application, host=host, port=port, log_config=None, access_log=False,
            lifespan="off", timeout_graceful_shutdown=2, http="httptools", loop="uvloop",
        )  # fmt: skip
        server = _Server(config)

        async def task() -> None:
            stopper = asyncio.create_task(self._stop_when_closing(server))
            try:
                await server.serve()
            finally:
                stopper.cancel()

        self.add("http", task)

    async def _stop_when_closing(self, server: uvicorn.Server) -> None:
        await self.closing.wait()
        server.should_exit = True


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: the process has its own."""

    def capture_signals(self):  # type: ignore[no-untyped-def]  # uvicorn's is a generator
        return _nothing()


class _nothing:  # noqa: N801  (a context manager used like a function)
    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        return None


def run_process(
    name: str, build: Callable[[Process], Awaitable[None]], *, log_level: str = "INFO"
) -> int:
    """Run one service until a signal; returns the exit status (0 after a signal, else 1)."""
    configure_logging(name, log_level)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_live(name, build))


async def _live(name: str, build: Callable[[Process], Awaitable[None]]) -> int:
    process = Process(name=name, health=Health(name))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, process.closing.set)
    try:
        async with process.resources:
            await build(process)
            _calm_collector()
            log.info("started", extra={"action": "started"})
            return await _run_tasks(process)
    except Exception as error:
        log.critical("ended by an error", exc_info=error, extra={"action": "crashed"})
        return 1
    finally:
        log.info("ended", extra={"action": "ended"})


def _calm_collector() -> None:
    """What was built lives on, and a batch is thousands of objects without cycles: with Python's
    defaults the collector walks them all again and again (measured: half of a drain's decoding).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(200_000, 20, 50)


async def _run_tasks(process: Process) -> int:
    running = {asyncio.ensure_future(task()): name for name, task in process.tasks.items()}
    beat = asyncio.create_task(_beat(process))
    closing = asyncio.create_task(process.closing.wait())
    await asyncio.wait([*running, closing], return_when=asyncio.FIRST_COMPLETED)
    asked = process.closing.is_set()
    process.closing.set()
    process.health.close()
    done, late = await asyncio.wait(running, timeout=JOIN_SECONDS)
    await _end((*late, beat, closing))
    status = 0 if asked else 1
    for task in done:
        if (error := task.exception()) is not None:
            log.critical(
                "task failed",
                exc_info=error,
                extra={"action": "task_failed", "task": running[task]},
            )
            status = 1
    return status


async def _end(tasks: Collection[asyncio.Task[object]]) -> None:
    """Cancel, and wait for a bounded time: on Python 3.11 a cancellation that meets the end of a
    write gets lost in asyncio.wait_for, which redis-py writes with. The runner cancels once more.
    """
    for task in tasks:
        task.cancel()
    ended, stuck = await asyncio.wait(tasks, timeout=CANCEL_SECONDS)
    for task in ended:
        if not task.cancelled():
            task.exception()  # looked at, so that nobody is told of it later
    if stuck:
        log.warning("tasks go on", extra={"action": "not_cancelled", "tasks": len(stuck)})


async def _beat(process: Process) -> None:
    """Liveness is the event loop's heartbeat alone."""
    while True:
        process.health.beat()
        await asyncio.sleep(BEAT_SECONDS)
