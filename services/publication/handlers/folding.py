"""One batch, one transaction: records and figures folded, attempts opened where a lane is free."""

from collections.abc import Callable

from services.publication import metrics
from services.publication.engine import Engine, Plan
from services.publication.handlers.reading import Reading, read
from services.publication.repository.attempts import Recorded
from services.publication.repository.folding import FigureColumns, Touched
from services.publication.repository.store import Store, Transaction
from shared.kafka.batches import Batch, Fenced
from shared.postgres.connecting import TRANSIENT
from shared.postgres.parking import internal_error, note_parked
from shared.runtime.clock import Clock


class PublicationHandler:
    """What the worker does with a batch, however large."""

    def __init__(
        self, store: Store, engine: Engine, clock: Clock, *, woken: Callable[[], None]
    ) -> None:
        self._store = store
        self._engine = engine
        self._clock = clock
        self._woken = woken

    async def decode(self, batch: Batch) -> Reading:
        """Read the batch; what cannot be read is part of the result."""
        return read(batch)

    async def apply(self, batch: Batch, decoded: Reading) -> None:
        """Fold, decide, record; then calls go. Raises Fenced, and then nothing has changed."""
        try:
            with metrics.FOLD_SECONDS.time():
                if decoded.is_plain:
                    plan = await self._apply_figures(batch, decoded)
                else:
                    plan = await self._apply_all(batch, decoded)
        except (Fenced, *TRANSIENT):
            # A commit whose answer was lost may have moved the position: what it folded is in
            # the database, and in nobody's queue.
            self._engine.reload_all()
            raise
        if plan.settling:
            self._woken()
        self._tell(batch, decoded)

    async def _apply_figures(self, batch: Batch, decoded: Reading) -> Plan:
        """Figures alone: one statement folds, another opens attempts where a lane is free."""
        engine = self._engine
        folded = await self._store.fold(batch, decoded.figures, engine.ownership())
        plan = engine.plan(folded.touched)
        recorded = Recorded(opened=frozenset(), held=folded.held)
        if not plan.is_silent:
            try:
                recorded = await self._store.record(
                    plan.held, plan.calls, plan.settling, plan.shadowed, engine.new_call_id()
                )
            except BaseException as error:
                engine.requeue(plan)
                if isinstance(error, TRANSIENT):
                    return plan
                raise
        engine.accept(plan, recorded)
        return plan

    async def _apply_all(self, batch: Batch, decoded: Reading) -> Plan:
        """Records and refusals too: one transaction."""
        plan: Plan | None = None
        try:
            async with self._store.transaction() as transaction:
                channels, touched = await self._fold(transaction, batch, decoded)
                plan = self._engine.plan(touched)
                recorded = await transaction.record(
                    plan.held, plan.calls, plan.settling, plan.shadowed, plan.wanted,
                    self._engine.new_call_id(),
                )  # fmt: skip
                await transaction.park(decoded.refusals)
        except BaseException:
            if plan is not None:
                self._engine.cancel(plan)
            raise
        self._engine.accept(plan, recorded)
        self._engine.reload(channels)
        return plan

    async def park(self, batch: Batch, error: BaseException) -> None:
        """Keep the batch's one message as `internal_error`, and move past it."""
        refusal = internal_error(next(batch.messages()), error)
        async with self._store.transaction() as transaction:
            await transaction.fold_figures(batch, FigureColumns())
            await transaction.park([refusal])
        metrics.MESSAGES.labels("parked").inc()
        note_parked(metrics.SERVICE, [refusal])

    async def _fold(
        self, transaction: Transaction, batch: Batch, decoded: Reading
    ) -> tuple[list[str], list[Touched]]:
        """Records first, so that figures of the same batch meet the terms that came with them."""
        if not decoded.references:
            return [], await transaction.fold_figures(batch, decoded.figures)
        channels, listing_ids = await transaction.fold_references(
            batch, decoded.references, self._clock.now()
        )
        touched = {t.desired.listing_id: t for t in await transaction.listings(listing_ids)}
        for one in await transaction.fold_figures(None, decoded.figures):
            touched[one.desired.listing_id] = one
        return channels, list(touched.values())

    def _tell(self, batch: Batch, decoded: Reading) -> None:
        parked = len(decoded.refusals)
        metrics.MESSAGES.labels("folded").inc(len(batch) - parked)
        metrics.MESSAGES.labels("parked").inc(parked)
        note_parked(metrics.SERVICE, decoded.refusals)
