"""One batch, one transaction: positions, what was told, the figures that follow from it."""

from collections.abc import Awaitable, Callable, Collection, Sequence

from services.availability import metrics
from services.availability.domain.facts import Facts
from services.availability.domain.levels import fold_level
from services.availability.handlers import referring, waiting
from services.availability.handlers.computing import compute
from services.availability.handlers.planning import PlanCache, Plans
from services.availability.handlers.reading import Reading, read
from services.availability.handlers.referring import OwnChanges
from services.availability.repository import stock
from services.availability.repository.parking import PARKING
from services.availability.repository.progress import keep_answers
from services.availability.repository.stock import Note, Opened, Rows
from shared.contracts.partitions import partition_for
from shared.contracts.topics import AVAILABILITY
from shared.kafka.batches import Batch
from shared.postgres.connecting import Connection, Pool
from shared.postgres.parking import (
    UNFENCED,
    ParkedMessage,
    Told,
    batch_of,
    internal_error,
    note_parked,
)


def partition_of(sku: str) -> int:
    """The partition of the topics that are partitioned by SKU."""
    return partition_for(sku.encode(), AVAILABILITY.partitions)


class AvailabilityHandler:
    """Folds levels, reference data and waiting lines into the SKUs' rows."""

    def __init__(
        self,
        connection: Callable[[], Awaitable[Connection]],
        plans: PlanCache,
        *,
        committed: Callable[[Sequence[Note]], None],
    ) -> None:
        self._connection = connection
        self._plans = plans
        self._committed = committed

    async def decode(self, batch: Batch) -> Reading:
        """Read and fold the batch's messages; changes nothing."""
        return await read(batch)

    async def apply(self, batch: Batch, decoded: Reading) -> None:
        """Record the batch behind its fence. Raises Fenced; then nothing has changed."""
        connection = await self._connection()
        with metrics.BATCH_SECONDS.time():
            async with connection.transaction():
                opened = await stock.begin(connection, batch, alone=bool(decoded.records))
                plans, notes = await self._fold(connection, opened, decoded)
        self._plans.adopt(plans)
        self._committed(notes)
        metrics.BATCH_SIZE.observe(len(batch))
        self._tell(decoded)

    async def park(self, batch: Batch, error: BaseException) -> None:
        """Keep the batch's one message as `internal_error`, and move past it."""
        connection = await self._connection()
        refusal = internal_error(next(batch.messages()), error)
        async with connection.transaction():
            await stock.begin(connection, batch, alone=False)
            await PARKING.park(connection, [refusal])
        metrics.PARKED.labels(metrics.SERVICE, "internal_error").inc()

    async def replay(self, pool: Pool, ids: Collection[int]) -> int:
        """Bring parked messages back; returns how many were taken. States are folded by their
        versions: one that was overtaken meanwhile changes nothing.
        """
        return await PARKING.replay(pool, ids, self._apply_again)

    async def _apply_again(self, connection: Connection, taken: list[ParkedMessage]) -> Told:
        decoded = await read(batch_of(taken))
        opened = await stock.begin(connection, UNFENCED, alone=bool(decoded.records))
        plans, notes = await self._fold(connection, opened, decoded)

        def told() -> None:
            self._plans.adopt(plans)
            self._committed(notes)
            self._tell(decoded)

        return told

    async def _fold(
        self, connection: Connection, opened: Opened, decoded: Reading
    ) -> tuple[Plans, list[Note]]:
        own, opened = await referring.keep_records(connection, opened, decoded.records)
        plans = await self._plans.at(connection, opened)
        moved = await waiting.keep_lines(connection, decoded.lines)
        skus = decoded.levels.keys() | decoded.lives.keys() | own.keys() | moved.keys()
        notes: list[Note] = []
        if skus:
            rows = await stock.lock(connection, sorted(skus), partition_of)
            touched = _fold_levels(rows, decoded)
            for sku, delta in moved.items():
                rows[sku].stock.unsourced = max(0, rows[sku].stock.unsourced + delta)
            facts = _fold_facts(rows, decoded, own)
            await referring.add_due_of_skus(connection, facts, opened)
            touched |= moved.keys() | facts.keys()
            changes = compute((rows[sku] for sku in touched), plans, opened, inputs_changed=True)
            changes.facts = [(rows[sku].stock.sku_id, rows[sku].facts) for sku in facts]
            notes = await stock.record(connection, changes)
        await keep_answers(connection, decoded.answers)
        await PARKING.park(connection, decoded.refusals)
        return plans, notes

    def _tell(self, decoded: Reading) -> None:
        metrics.MESSAGES.labels("folded").inc(decoded.messages - len(decoded.refusals))
        metrics.MESSAGES.labels("parked").inc(len(decoded.refusals))
        note_parked(metrics.SERVICE, decoded.refusals)


def _fold_levels(rows: Rows, decoded: Reading) -> set[str]:
    """Fold what was told into the rows; returns the SKUs for which it was news."""
    touched: set[str] = set()
    for sku, told in decoded.levels.items():
        held = rows[sku].stock.levels
        for location, level in told.items():
            if fold_level(held, location, level):
                touched.add(sku)
    return touched


def _fold_facts(rows: Rows, decoded: Reading, own: OwnChanges) -> dict[str, Facts]:
    """Fold product records and SKUs' own policies into the rows; returns the facts that are new."""
    changed: dict[str, Facts] = {}
    for sku in decoded.lives.keys() | own.keys():
        facts = referring.fold_lives(rows[sku].stock.facts, decoded.lives.get(sku, ()))
        if sku in own:
            facts = own[sku].applied_to(facts)
        if stock.with_facts(rows[sku], facts):
            changed[sku] = facts
    return changed
