"""What waits is taken in groups: one transaction for all who came while the last one ran."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from shared.postgres.connecting import TRANSIENT

log = logging.getLogger(__name__)

Q = TypeVar("Q")
A = TypeVar("A")

GROUP_MAX = 256
WAITING_MAX = 10_000
ATTEMPTS_MAX = 6
FIRST_PAUSE_SECONDS = 0.02


class UnavailableError(Exception):
    """The ledger cannot decide now: nothing is said about the request, which may be sent again."""


async def retried(work: Callable[[], Awaitable[A]]) -> A:
    """Run work that may be run again with the same ids until it comes through.

    After a lost COMMIT nobody knows whether it was done: the same ids find out. Raises
    UnavailableError after the last attempt.
    """
    pause = FIRST_PAUSE_SECONDS
    for attempt in range(1, ATTEMPTS_MAX + 1):
        try:
            return await work()
        except TRANSIENT as error:
            if attempt == ATTEMPTS_MAX:
                raise UnavailableError(repr(error)) from error
            log.warning(
                "run again with the same ids", extra={"action": "retry", "reason": repr(error)}
            )
            await asyncio.sleep(pause)
            pause *= 2
    raise AssertionError("the last attempt returns or raises")


class Collector(Generic[Q, A]):
    """Answers questions in the order of their arrival, as many at once as have come meanwhile.

    `work` is given a group and answers each of it, in its order; a group that fails by a bug is
    halved until the question is found that it fails on, and that one's caller is told.
    """

    def __init__(
        self,
        work: Callable[[Sequence[Q]], Awaitable[Sequence[A]]],
        closing: asyncio.Event,
        *,
        group_max: int = GROUP_MAX,
    ) -> None:
        self._work = work
        self._closing = closing
        self._group_max = group_max
        self._waiting: deque[tuple[Q, asyncio.Future[A]]] = deque()
        self._woken = asyncio.Event()
        self._ended = False

    async def ask(self, question: Q) -> A:
        """The answer to one question. Raises UnavailableError when too many wait already, when
        the database is away, and at the end of the process.
        """
        if self._ended or len(self._waiting) >= WAITING_MAX:
            raise UnavailableError("too many requests wait, or the process ends")
        future: asyncio.Future[A] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, future))
        self._woken.set()
        return await future

    async def run(self) -> None:
        """Work until told to close; who waits then is answered first."""
        closing = asyncio.create_task(self._closing.wait())
        closing.add_done_callback(lambda _: self._woken.set())
        try:
            while not self._closing.is_set() or self._waiting:
                await self._woken.wait()
                self._woken.clear()
                while self._waiting:
                    await self._answer(self._take())
        finally:
            self._ended = True
            closing.cancel()
            for _, future in self._waiting:
                _fail(future, UnavailableError("the process ends"))

    def _take(self) -> list[tuple[Q, asyncio.Future[A]]]:
        size = min(len(self._waiting), self._group_max)
        return [self._waiting.popleft() for _ in range(size)]

    async def _answer(self, group: Sequence[tuple[Q, asyncio.Future[A]]]) -> None:
        questions = [question for question, _ in group]
        try:
            answers = await retried(lambda: self._work(questions))
        except UnavailableError as error:
            for _, future in group:
                _fail(future, error)
        except Exception as error:
            if len(group) == 1:
                _fail(group[0][1], error)
                return
            await self._answer(group[: len(group) // 2])
            await self._answer(group[len(group) // 2 :])
        else:
            for (_, future), answer in zip(group, answers, strict=True):
                if not future.done():  # a caller may have gone
                    future.set_result(answer)


def _fail(future: asyncio.Future[A], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
