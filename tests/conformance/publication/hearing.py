"""What tests of a comparing channel say: a worker over it, its orders, the ledger's outcomes."""

from datetime import UTC, datetime
from typing import Any

from services.publication.engine import LaneOptions
from services.publication.handlers import HearingHandler
from shared.contracts.topics import ALLOCATIONS, ORDERS
from tests.conformance.publication.channels import ComparingChannel
from tests.conformance.publication.stage import (
    CHANNEL,
    Stage,
    Worker,
    a_channel,
    a_figure,
    a_listing,
    eventually,
)

PATIENT = LaneOptions(lease_seconds=9.0, renew_seconds=0.2, heard_after_seconds=30.0)
BRISK = LaneOptions(lease_seconds=9.0, renew_seconds=0.2, heard_after_seconds=0.05)
FORGETFUL = LaneOptions(
    lease_seconds=9.0, renew_seconds=0.2, heard_after_seconds=0.05, unheard_seconds_max=0.3
)
MORTAL = LaneOptions(lease_seconds=1.5, renew_seconds=0.2, heard_after_seconds=30.0)


async def a_worker(
    stage: Stage, channel: ComparingChannel, options: LaneOptions = BRISK, **listing: Any
) -> Worker:
    """Serving, with one listing."""
    worker = stage.worker_for(channel, options)
    await stage.tell(worker, a_channel(), a_listing("SKU-1", "c1", **listing))
    worker.start()
    await worker.is_serving()
    return worker


async def told(stage: Stage, worker: Worker, channel: ComparingChannel, available: int) -> None:
    """A first figure, shown and known to be."""
    await stage.figures(worker, a_figure("SKU-1", available, 1))
    await eventually(lambda: channel.shown.get("c1") == available)

    async def is_known() -> bool:
        rows = await stage.fetch("select shown, basis from publication.published")
        return bool(rows) and rows[0]["shown"] == available and rows[0]["basis"] is not None

    await eventually(is_known)


def an_order(order_id: str, units: int = 1, **line: Any) -> dict[str, Any]:
    """An order of one line, of the listing."""
    lines = [{"line_id": "1", "listing": "c1", "quantity": units} | line]
    return {"order_id": order_id, "channel": CHANNEL, "state": "confirmed", "version": 1,
            "lines": lines}  # fmt: skip


def an_outcome(order_id: str, wanted: int = 1, version: int = 1) -> dict[str, Any]:
    """What the ledger answered for its line."""
    return {
        "order_id": order_id, "line_id": "1", "version": version, "decided_for": version,
        "sku": "SKU-1", "wanted": wanted, "recorded_at": datetime.now(UTC).isoformat(),
    }  # fmt: skip


async def hear(
    stage: Stage, worker: Worker, *messages: dict[str, Any], after: float = 0.05
) -> None:
    """Orders and outcomes through the handler that hears them."""
    handler = HearingHandler(worker.store, after)
    for topic, name in ((ORDERS.name, "state"), (ALLOCATIONS.name, "wanted")):
        if payloads := [m for m in messages if name in m]:
            batch = await stage.feed.batch(topic, list(payloads))
            await handler.apply(batch, await handler.decode(batch))
