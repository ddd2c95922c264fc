"""Costs worked out behind the movements: a SKU whose cost has changed, from there on."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, datetime

from services.ledger.domain.costing import Entity, points
from services.ledger.repository import costs
from services.ledger.repository.costs import Dirty
from services.ledger.repository.terms import terms_version
from shared.contracts.places import Location
from shared.contracts.topics import REFERENCE_DATA
from shared.postgres.connecting import TRANSIENT, Connection, Pool
from shared.runtime.waiting import wait_for_event

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0
RETRY_SECONDS = 2.0
SLICE = 500
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


class Costing:
    """Once a second, one worker at a time, a transaction for each SKU.

    What occurred up to a SKU's last cost is late from the moment that its levels say so, which is
    before its movements are read: nothing is posted in between unseen.
    """

    def __init__(self, pool: Pool, closing: asyncio.Event) -> None:
        self._pool = pool
        self._closing = closing
        self._entities: dict[str, Entity] = {}
        self._version: int | None = None

    async def run(self) -> None:
        """Work until told to close."""
        while not self._closing.is_set():
            pause = POLL_SECONDS
            try:
                pause = 0.0 if await self.turn() == SLICE else POLL_SECONDS
            except TRANSIENT as error:
                log.warning("costs wait", extra={"action": "retry", "reason": repr(error)})
                pause = RETRY_SECONDS
            await wait_for_event(self._closing, pause)

    async def turn(self) -> int:
        """Work some SKUs out; returns how many."""
        async with self._pool.acquire(timeout=5) as connection:
            dirty = await costs.dirty_skus(connection, SLICE)
            if dirty:
                await self._learn(connection)
            for one in dirty:
                costed_at = await costs.raise_costed(connection, one)
                async with connection.transaction():
                    if not await costs.take_turn(connection):
                        return 0
                    await self._work_out(connection, one, costed_at)
        return len(dirty)

    async def _work_out(self, connection: Connection, dirty: Dirty, costed_at: datetime) -> None:
        """No point is later than `costed_at`: what comes later of its moment would not be late."""
        base = await costs.base_before(connection, dirty.sku_id, dirty.since)
        states, moment = ({}, BEGINNING) if base is None else (base.states, base.at)
        moves = await costs.moves_after(connection, dirty.sku_id, moment, self._entities)
        found = points(states, [move for move in moves if move.at <= costed_at])
        await costs.save(connection, dirty, found)
        log.info(
            "cost worked out",
            extra={"action": "costed", "sku_id": dirty.sku_id, "since": dirty.since.isoformat(),
                   "points": len(found)},
        )  # fmt: skip

    async def _learn(self, connection: Connection) -> None:
        """Whose each location is. Who changes hands does so for what is worked out from then on."""
        version = await terms_version(connection)
        if version == self._version:
            return
        self._entities = entities_of(await costs.location_records(connection))
        self._version = version


def entities_of(records: Sequence[bytes]) -> dict[str, Entity]:
    """The legal entity of each location, by its latest record."""
    found: dict[str, Location] = {}
    for record in records:
        told = REFERENCE_DATA.decode(record)
        if isinstance(told, Location) and not told.deleted:
            held = found.get(told.location_id)
            if held is None or (held.from_ or BEGINNING) <= (told.from_ or BEGINNING):
                found[told.location_id] = told
    return {name: told.legal_entity or "" for name, told in found.items()}
