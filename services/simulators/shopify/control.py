"""The control of a simulated Shopify shop: what all have, and the limits that are Shopify's own."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.simulators.control import Control, json_of
from services.simulators.faults import Calls, Faults, Limit
from services.simulators.shopify.admin import Admin
from services.simulators.shopify.budget import BUCKET_SECONDS, PLANS
from services.simulators.shopify.inventory import NAMINGS
from services.simulators.shopify.stock import Item, Level, Stock
from services.simulators.shopify.webhooks import Webhooks


class ShopifyControl(Control):
    """`/_control/…`, with `items` to fill the shop, and more limits."""

    def __init__(
        self,
        faults: Faults,
        limit: Limit,
        calls: Calls,
        *,
        admin: Admin,
        stock: Stock,
        webhooks: Webhooks,
    ) -> None:
        super().__init__(faults, limit, calls)
        self._admin, self._stock, self._webhooks = admin, stock, webhooks

    def routes(self) -> list[Route]:
        """Those of every simulator, and `items`."""
        return [*super().routes(), Route("/_control/items", self._put_items, methods=["PUT"])]

    async def _set_limits(self, request: Request) -> Response:
        """`calls_per_second`, `burst` as everywhere; `plan`, or `restore_rate` and `maximum`;
        `throttled_status` 200 or 429; `entries_max`; `naming`; `work_seconds`, how long a mutation
        takes; `webhook_pause_seconds`, the first pause before a retry.
        """
        body, admin = await json_of(request), self._admin
        rate = PLANS.get(str(body.get("plan")), body.get("restore_rate"))
        status = body.get("throttled_status", admin.throttled_status)
        naming = body.get("naming", admin.naming)
        is_known = status in (200, 429) and naming in NAMINGS and body.get("plan") in (None, *PLANS)
        if not is_known:
            return JSONResponse({"error": "unknown plan, status or naming"}, status_code=400)
        if rate is not None:
            maximum = float(body.get("maximum", rate * BUCKET_SECONDS))
            admin.bucket.set(float(rate), maximum)
        admin.throttled_status, admin.naming = status, naming
        admin.entries_max = int(body.get("entries_max", admin.entries_max))
        admin.work_seconds = float(body.get("work_seconds", admin.work_seconds))
        pause = body.get("webhook_pause_seconds", self._webhooks.first_pause_seconds)
        self._webhooks.first_pause_seconds = float(pause)
        if "calls_per_second" in body:
            return await super()._set_limits(request)
        return JSONResponse(body)

    async def _put_items(self, request: Request) -> Response:
        """`{"items": [{"id", "variant_id", "sku", "quantity"}]}`, stocked at the first of the
        locations.
        """
        told = (await json_of(request)).get("items", [])
        first = self._stock.locations[0]
        try:
            items = [
                Item(
                    id=int(one["id"]), variant_id=int(one["variant_id"]), sku=str(one["sku"]),
                    levels={first: Level(int(one["quantity"]))},
                )
                for one in told
            ]  # fmt: skip
        except (KeyError, TypeError, ValueError) as error:
            return JSONResponse({"error": str(error)}, status_code=400)
        for item in items:
            self._stock.add(item)
        return JSONResponse({"items": len(items)})
