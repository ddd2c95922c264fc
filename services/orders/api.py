"""HTTP of orders: an order folded, with what each line wants and got."""

from fastapi import FastAPI, HTTPException

from services.orders.handlers.answering import answer
from services.orders.repository.parking import PARKING
from shared.http.parked import Replay, parked_router
from shared.postgres.connecting import Pool
from shared.telemetry.health import Health


def create(pool: Pool, replay: Replay, health: Health) -> FastAPI:
    """The application: `/v1/orders/{order_id}`, `/v1/parked` and the probes."""
    app = FastAPI(title="Stocktide orders", version="1", docs_url=None, redoc_url=None)
    app.router.routes.extend(health.routes())
    app.include_router(parked_router(pool, PARKING, replay))

    @app.get("/v1/orders/{order_id:path}")
    async def order(order_id: str) -> dict[str, object]:
        async with pool.acquire(timeout=5) as connection:
            found = await answer(connection, order_id)
        if found is None:
            raise HTTPException(404, "no state of this order has been heard")
        return found

    return app
