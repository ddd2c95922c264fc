"""The simulated warehouse: learns its work from the ledger's answers, and tells us by HTTP."""

import asyncio

from aiokafka import AIOKafkaConsumer

from services.cli.demo.kafka_reading import partitions_of
from services.cli.demo.picking import Bench
from services.cli.demo.telling import Teller
from shared.contracts.allocations import Allocation
from shared.contracts.topics import ALLOCATIONS
from shared.runtime.clock import Clock

POLL_MS = 100
RECORDS_MAX = 2_000
EVENTS_A_CALL = 500


class Warehouse:
    """Reads without a group, from the beginning: lines of an earlier run may still be open."""

    def __init__(self, servers: str, bench: Bench, teller: Teller, clock: Clock) -> None:
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=servers, enable_auto_commit=False, auto_offset_reset="earliest"
        )
        self._teller = teller
        self._clock = clock
        self._ends_at: float | None = None
        self._task: asyncio.Task[None] | None = None
        self.bench = bench

    async def start(self) -> None:
        """Begin to work."""
        self.bench.looks_again = True
        await self._consumer.start()
        partitions = partitions_of([ALLOCATIONS.name])
        self._consumer.assign(partitions)
        await self._consumer.seek_to_beginning(*partitions)
        self._task = asyncio.create_task(self._work())

    async def stop(self, seconds: float) -> None:
        """Finish what is begun, for so many seconds at most. Raises what ended the work."""
        if self._task is None:
            return
        self.bench.looks_again = False
        self._ends_at = self._clock.monotonic() + seconds
        task, self._task = self._task, None
        try:
            await task
        finally:
            await self._consumer.stop()

    @property
    def is_over(self) -> bool:
        """The work has ended; unless it was told to stop, by an error."""
        return self._task is None or self._task.done()

    def _is_finished(self) -> bool:
        if self._ends_at is None:
            return False
        return self.bench.is_idle or self._clock.monotonic() >= self._ends_at

    async def _work(self) -> None:
        while not self._is_finished():
            found = await self._consumer.getmany(timeout_ms=POLL_MS, max_records=RECORDS_MAX)
            for batch in found.values():
                for message in batch:
                    allocation = ALLOCATIONS.decode(message.value)
                    assert isinstance(allocation, Allocation), allocation
                    self.bench.take_in(allocation, self._clock.monotonic())
            at = self._clock.now()
            told = self.bench.work_off(self._clock.monotonic(), at)
            for start in range(0, len(told), EVENTS_A_CALL):
                await self._teller.tell(told[start : start + EVENTS_A_CALL], at)
