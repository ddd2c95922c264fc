"""Ring-fences in and out: what is left of them, and what was taken of them by whom."""

import json
from collections.abc import Collection, Sequence
from datetime import datetime

from services.ledger.domain.fences import Fence, Use, Whom
from services.ledger.repository.holds import MOVED
from shared.postgres.connecting import Connection

READ = """
select hold_no, hold_id, part, level_id, quantity - used as units, held_until, beneficiary
from ledger.holds
where level_id = any($1::integer[]) and purpose = 'ring_fence' and settled_at is null
  and beneficiary is not null and used < quantity
order by held_until, hold_id, part
"""
# The levels are locked. `moved` counts what was taken off what is reserved.
TAKE = f"""
with input as materialized (
    select i.* from unnest($2::text[], $3::smallint[], $4::bigint[], $5::text[], $6::smallint[],
                           $7::bigint[])
        as i(fence_id, fence_part, quantity, hold_id, part, order_line_id)),
taken as (
    update ledger.holds f set used = f.used + i.units
    from (select fence_id, fence_part, sum(quantity)::bigint as units
          from input group by fence_id, fence_part) i
    where f.hold_id = i.fence_id and f.part = i.fence_part and f.settled_at is null
    returning f.level_id, i.units),
kept as (
    insert into ledger.fence_uses
        (fence_id, fence_part, quantity, hold_id, part, order_line_id, used_at)
    select i.*, $1::timestamptz from input i),
changed as (select level_id, -units as delta from taken),
{MOVED}
select coalesce(sum(units), 0)::bigint from taken
"""  # noqa: S608  (only our own constant is put into the text)
Taker = tuple[str, int] | int  # a hold's part, or an order line


async def read_fences(connection: Connection, levels: Collection[int]) -> list[Fence]:
    """What is left of fences at these levels, those that end first before the others."""
    return [
        Fence(number, hold_id, part, level_id, units, until, _whom(beneficiary))
        for number, hold_id, part, level_id, units, until, beneficiary in await connection.fetch(
            READ, list(levels)
        )
    ]


def _whom(recorded: str) -> Whom:
    told = json.loads(recorded)
    return Whom(told.get("channel"), told.get("customer_ref"), told.get("order_id"))


async def take(connection: Connection, now: datetime, uses: Sequence[tuple[Use, Taker]]) -> None:
    """Take units of fences whose levels are locked: they are no longer reserved as the fence's."""
    if not uses:
        return
    parts = [taker if isinstance(taker, tuple) else (None, None) for _, taker in uses]
    taken = await connection.fetchval(
        TAKE, now, [use.fence.hold_id for use, _ in uses], [use.fence.part for use, _ in uses],
        [use.quantity for use, _ in uses], [hold_id for hold_id, _ in parts],
        [part for _, part in parts],
        [None if isinstance(taker, tuple) else taker for _, taker in uses],
    )  # fmt: skip
    assert taken == sum(use.quantity for use, _ in uses), "fences were read with levels locked"
