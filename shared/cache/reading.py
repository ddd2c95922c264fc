"""Reading the view: a value counts only when it is of the generation that is known to be whole."""

import asyncio
import logging
from collections.abc import Sequence

from shared.cache.connecting import REDIS_ERRORS
from shared.cache.generations import GenerationMark
from shared.cache.versioned import Outcome, Versioned, VersionedStrings

log = logging.getLogger(__name__)


class ViewReader:
    """Answers with values of the trusted generation; whatever else is None, which means unknown.

    Give `on_server` to `open_redis`, and call `refresh` about twice a second. While Redis is away
    nothing is trusted and nothing is asked of it, so that a hung server costs each caller nothing.
    """

    def __init__(self) -> None:
        self._strings: VersionedStrings | None = None
        self._mark: GenerationMark | None = None
        self._run_id: str | None = None
        self._asked: list[tuple[str, asyncio.Future[Versioned | None]]] = []
        self._flight: asyncio.Task[None] | None = None
        self.generation: int | None = None
        self.as_of_ms = 0

    def attach(self, strings: VersionedStrings, mark: GenerationMark) -> None:
        """The two ports, which need the client that needs this reader's `on_server`."""
        self._strings, self._mark = strings, mark

    def on_server(self, run_id: str) -> None:
        """A connection was made; another server than before is not trusted."""
        if run_id != self._run_id:
            self._run_id = run_id
            self.generation = None

    async def refresh(self) -> None:
        """Learn which generation is whole and how old the view is."""
        assert self._mark is not None, "attach first"
        try:
            mark = await self._mark.read()
        except REDIS_ERRORS as error:
            self._distrust(error)
            return
        if mark is None or mark.made_for != self._run_id:
            self.generation = None
            return
        self.generation, self.as_of_ms = mark.generation, mark.as_of_ms

    async def get(self, key: str) -> Versioned | None:
        """The key's known value. Callers that come while a read is under way go with the next one:
        a command for each would cost the process more than all the rest of a request.
        """
        if self.generation is None:
            return None
        answer: asyncio.Future[Versioned | None] = asyncio.get_running_loop().create_future()
        self._asked.append((key, answer))
        if self._flight is None:
            self._flight = asyncio.create_task(self._fly())
        return await answer

    async def get_many(self, keys: Sequence[str]) -> list[Versioned | None]:
        """The known values in the order of the keys. Raises nothing: away is unknown."""
        if self.generation is None or self._strings is None or self._mark is None:
            return [None] * len(keys)
        try:
            found, marked = await self._strings.get_many_under(keys, self._mark.name)
        except REDIS_ERRORS as error:
            self._distrust(error)
            return [None] * len(keys)
        # Asked only now: a connection made for this very read may have reached another server, and
        # a server that was wiped since has no mark, though the writer, not knowing it yet, may have
        # put single keys back, each with what was then its next change to tell.
        trusted = self.generation
        if marked != trusted:
            return [None] * len(keys)
        return [value if value and value.generation == trusted else None for value in found]

    async def _fly(self) -> None:
        try:
            while self._asked:
                asked, self._asked = self._asked, []
                found = await self.get_many([key for key, _ in asked])
                for (_, answer), value in zip(asked, found, strict=True):
                    if not answer.done():  # its caller may have gone
                        answer.set_result(value)
        finally:
            self._flight = None

    async def repair(self, entries: Sequence[tuple[str, int, bytes]]) -> bool:
        """Put what was read elsewhere where it was missing; compare-and-set keeps what is newer.
        Says whether each key now holds its entry's version or a higher one, in the generation that
        is still the one to trust.
        """
        trusted = self.generation
        if trusted is None or self._strings is None or self._mark is None:
            return False
        try:
            outcomes = await self._strings.put_many(trusted, entries)
            mark = await self._mark.read()  # after the writing: a wipe takes what was written
        except REDIS_ERRORS as error:
            self._distrust(error)
            return False
        return Outcome.BEHIND not in outcomes and mark is not None and mark.generation == trusted

    def _distrust(self, error: BaseException) -> None:
        if self.generation is not None:
            log.warning(
                "Redis is away, answering from Postgres",
                extra={"action": "cache_away", "reason": repr(error)},
            )
        self.generation = None
