"""What may be promised for a day: what can be sold now, less what is accepted for later."""

from datetime import datetime
from typing import TypedDict

from services.availability.domain.promise import available_to_promise
from services.availability.repository import lines, packing, reading
from shared.postgres.connecting import Pool


class Promise(TypedDict):
    """A channel's promise for a moment, with what it is made of; base units, signed."""

    sku: str
    channel: str
    by: datetime
    available_to_sell: int
    available_to_promise: int
    dated: list[dict[str, object]]


async def promise(pool: Pool, sku: str, channel: str, by: datetime) -> Promise | None:
    """How many units can be promised through a channel by a moment; None where it has no figure.

    Expected arrivals count nothing until supply orders are read.
    """
    found = (await reading.views(pool, [sku])).get(sku)
    shown = packing.unpack_shown(found.view).get(channel) if found is not None else None
    if shown is None:
        return None
    async with pool.acquire(timeout=5) as connection:
        demand = await lines.dated_demand(connection, sku)
    available = shown["available_to_sell"]
    return Promise(
        sku=sku, channel=channel, by=by, available_to_sell=available,
        available_to_promise=available_to_promise(available, (), demand, by),
        dated=[{"requested_for": at, "units": units} for at, units in demand],
    )  # fmt: skip
