"""Parked messages brought back: figures and records folded, orders and outcomes kept."""

from collections.abc import Collection

from services.publication import metrics
from services.publication.domain.wanting import withheld
from services.publication.engine import Engine
from services.publication.handlers import hearing, reading
from services.publication.repository.folding import Touched
from services.publication.repository.parking import PARKING
from services.publication.repository.store import Store, Transaction
from shared.contracts.topics import ALLOCATIONS, ORDERS
from shared.postgres.connecting import Connection, Pool
from shared.postgres.parking import UNFENCED, ParkedMessage, Told, batch_of, note_parked
from shared.runtime.clock import Clock

HEARD = (ORDERS.name, ALLOCATIONS.name)


class Replaying:
    """Applies parked messages behind no fence: every state is folded by its own version.

    What they touch is handed over to the channels' owners, whichever process those are.
    """

    def __init__(
        self, store: Store, engine: Engine, clock: Clock, heard_after_seconds: float
    ) -> None:
        self._store = store
        self._engine = engine
        self._clock = clock
        self._heard_after_seconds = heard_after_seconds

    async def replay(self, pool: Pool, ids: Collection[int]) -> int:
        """Bring parked messages back; returns how many were taken."""
        return await PARKING.replay(pool, ids, self._apply)

    async def _apply(self, connection: Connection, taken: list[ParkedMessage]) -> Told:
        transaction = self._store.within(connection)
        orders = hearing.read(batch_of(m for m in taken if m.topic in HEARD))
        await transaction.hear(orders.lines, orders.outcomes, self._heard_after_seconds)
        told = reading.read(batch_of(m for m in taken if m.topic not in HEARD))
        channels, touched = await self._fold(transaction, told)
        await transaction.hand_over(
            [t.desired for t in touched if withheld(t.desired.listing, t.channel_mode) is None]
        )
        refusals = told.refusals
        await transaction.park(refusals)

        def note() -> None:
            metrics.MESSAGES.labels("folded").inc(len(taken) - len(refusals))
            metrics.MESSAGES.labels("parked").inc(len(refusals))
            note_parked(metrics.SERVICE, refusals)
            self._engine.reload(channels)

        return note

    async def _fold(
        self, transaction: Transaction, told: reading.Reading
    ) -> tuple[list[str], list[Touched]]:
        channels: list[str] = []
        listing_ids: list[int] = []
        if told.references:
            channels, listing_ids = await transaction.fold_references(
                UNFENCED, told.references, self._clock.now()
            )
        touched = await transaction.listings(listing_ids)
        return channels, [*touched, *await transaction.fold_figures(None, told.figures)]
