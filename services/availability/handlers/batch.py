"""One batch, one transaction: positions, what was told, the figures that follow from it."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.availability import metrics
from services.availability.domain.facts import Facts
from services.availability.domain.levels import fold_level
from services.availability.handlers import assembling, referring, waiting
from services.availability.handlers.computing import Computed, compute
from services.availability.handlers.planning import PlanCache, Plans
from services.availability.handlers.reading import Reading, read
from services.availability.handlers.referring import OwnChanges
from services.availability.handlers.remembering import RowMemory
from services.availability.repository import stock
from services.availability.repository.alone import record_alone
from services.availability.repository.parking import PARKING
from services.availability.repository.progress import keep_answers
from services.availability.repository.stock import Note, Opened, Rows
from services.availability.repository.supply import SUPPLY
from shared.contracts.partitions import partition_for
from shared.contracts.topics import AVAILABILITY
from shared.kafka.batches import Batch
from shared.kafka.supplying import apply_again
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Folded:
    """What a transaction comes to, once it has committed."""

    plans: Plans
    rows: Rows
    computed: Computed
    notes: Sequence[Note]


class AvailabilityHandler:
    """Folds levels, reference data and waiting lines into the SKUs' rows."""

    def __init__(
        self,
        connection: Callable[[], Awaitable[Connection]],
        plans: PlanCache,
        memory: RowMemory,
        *,
        committed: Callable[[Sequence[Note]], None],
    ) -> None:
        self._connection = connection
        self._plans = plans
        self._memory = memory
        self._committed = committed

    async def decode(self, batch: Batch) -> Reading:
        """Read and fold the batch's messages; changes nothing."""
        return await read(batch)

    async def apply(self, batch: Batch, decoded: Reading) -> None:
        """Record the batch behind its fence. Raises Fenced; then nothing has changed."""
        connection = await self._connection()
        with metrics.BATCH_SECONDS.time():
            if not await self._record_alone(connection, batch, decoded):
                async with connection.transaction():
                    opened = await stock.begin(connection, batch, alone=bool(decoded.records))
                    folded = await self._fold(connection, opened, decoded)
                self._keep(opened, folded)
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
        await apply_again(connection, SUPPLY, PARKING, taken)
        opened = await stock.begin(connection, UNFENCED, alone=bool(decoded.records))
        folded = await self._fold(connection, opened, decoded)

        def told() -> None:
            self._keep(opened, folded)
            self._tell(decoded)

        return told

    async def _record_alone(self, connection: Connection, batch: Batch, decoded: Reading) -> bool:
        """A batch of nothing but levels of remembered rows is decided on those, and recorded in
        one statement if they still hold. False when there is more to it, or they don't.
        """
        now, plans = self._memory.now(), self._plans.latest
        if now is None or plans is None or not decoded.is_levels_only:
            return False
        opened = Opened(at=now, policy_version=plans.reference.version)
        rows = self._memory.take(decoded.levels) if plans.holds(opened) else None
        if rows is None or any(row.stock.is_in_kits for row in rows.values()):
            return False
        touched = _fold_levels(rows, decoded)
        computed = compute((rows[sku] for sku in touched), plans, opened, inputs_changed=True)
        recorded = await record_alone(
            connection, batch, computed.changes, computed.held,
            policy_version=opened.policy_version, until=_until(plans, rows, now),
        )  # fmt: skip
        if recorded is None:
            metrics.OVERTAKEN.inc()
            return False
        computed.settle()
        self._memory.keep(rows.values())
        self._memory.hear(recorded.at)
        self._committed(recorded.notes)
        return True

    def _keep(self, opened: Opened, folded: "_Folded") -> None:
        """After the commit."""
        folded.computed.settle()
        self._memory.keep(folded.rows.values())
        self._memory.hear(opened.at)
        self._plans.adopt(folded.plans)
        self._committed(folded.notes)

    async def _fold(self, connection: Connection, opened: Opened, decoded: Reading) -> "_Folded":
        own, opened = await referring.keep_records(connection, opened, decoded.records)
        plans = await self._plans.at(connection, opened)
        moved = await waiting.keep_lines(connection, decoded.lines)
        skus = decoded.levels.keys() | decoded.lives.keys() | own.keys() | moved.keys()
        skus |= assembling.parts_told(decoded.lives)
        notes: list[Note] = []
        rows: Rows = {}
        computed = Computed()
        if skus:
            rows = await stock.lock(connection, sorted(skus), partition_of)
            touched = _fold_levels(rows, decoded)
            for sku, delta in moved.items():
                rows[sku].stock.unsourced = max(0, rows[sku].stock.unsourced + delta)
            facts = _fold_facts(rows, decoded, own)
            await referring.add_due_of_skus(connection, facts, opened)
            touched |= moved.keys() | facts.keys()
            touched |= await assembling.learn_kits(connection, rows, facts)
            await assembling.note_stale(connection, rows, touched)
            changed = [rows[sku] for sku in touched]
            parts = await assembling.parts_of(connection, changed, rows)
            computed = compute(changed, plans, opened, inputs_changed=True, parts=parts)
            computed.changes.facts = [(rows[sku].stock.sku_id, rows[sku].facts) for sku in facts]
            notes = await stock.record(connection, computed.changes)
        await keep_answers(connection, decoded.answers)
        await PARKING.park(connection, decoded.refusals)
        return _Folded(plans=plans, rows=rows, computed=computed, notes=notes)

    def _tell(self, decoded: Reading) -> None:
        metrics.MESSAGES.labels("folded").inc(decoded.messages - len(decoded.refusals))
        metrics.MESSAGES.labels("parked").inc(len(decoded.refusals))
        note_parked(metrics.SERVICE, decoded.refusals)


def _until(plans: Plans, rows: Rows, now: datetime) -> datetime | None:
    """The first moment after `now` at which plans or rows say something else by time alone."""
    moments = [at for row in rows.values() for at in row.stock.facts.boundaries() if at > now]
    if plans.until is not None:
        moments.append(plans.until)
    return min(moments, default=None)


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
