"""HTTP of goods-in: what was to come beside what came."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query

from services.ledger.domain.goods_in import GoodsIn, due_of
from services.ledger.repository import supply
from shared.postgres.connecting import Pool


def goods_in_router(pool: Pool, now: Callable[[], datetime], kept_for: timedelta) -> APIRouter:
    """The route; orders that are over are told of for `kept_for`."""
    router = APIRouter()

    @router.get("/v1/goods-in")
    async def goods_in(
        location: str | None = None,
        supply_id: str | None = None,
        *,
        deviations: bool = False,
        after: str = "",
        after_line: str = "",
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> dict[str, object]:
        """Lines of supply orders with what has come in for them; or only what to look at. Go on
        after `next`, while there is one.
        """
        async with pool.acquire(timeout=5) as connection:
            found = await supply.goods_in(
                connection, now(), since=now() - kept_for, after=(after, after_line),
                location=location, supply_id=supply_id, limit=limit,
            )  # fmt: skip
        last = found[-1].line if len(found) == limit else None
        return {
            "lines": [_told(one) for one in found if one.is_deviating or not deviations],
            "next": last and {"after": last.supply_id, "after_line": last.line_id},
        }

    return router


def _told(one: GoodsIn) -> Mapping[str, object]:
    line, came = one.line, one.came
    return {
        "supply_id": line.supply_id, "line_id": line.line_id, "type": one.type,
        "order_state": one.order_state, "supplier_id": one.supplier_id, "sku": line.sku,
        "location": line.location, "state": one.state, "expected_at": line.expected_at,
        "ordered": line.ordered, "due": due_of(line), "received": came.received,
        "rejected": line.rejected, "missing": one.missing, "damaged": came.damaged,
        "sent_back": came.sent_back, "last_received_at": came.last_at,
        "told_received": line.received, "is_deviating": one.is_deviating,
    }  # fmt: skip
