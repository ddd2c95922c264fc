"""A simulated WooCommerce shop: REST v3 for products, variations, orders, refunds and webhooks.

Source: woocommerce-rest-api-docs (`wp-api-v3/_products.md`, `_introduction.md`) and the REST
controllers of WooCommerce. The shop counts arrivals and sells by itself to whoever posts orders.
"""

import base64
import hmac
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from services.simulators.control import Control, json_of
from services.simulators.faults import Calls, Faults, Limit
from services.simulators.fronting import Front
from services.simulators.shop import Entry, Order, Shop, ShopError
from services.simulators.webhooks import Hook, Webhooks

ENTRIES_MAX = 100
PER_PAGE_MAX = 100
ROOT = "/wp-json/wc/v3"
KEY, SECRET = "ck_simulated", "cs_simulated"


class WooCommerceSimulator:
    """The shop behind its routes; `app` is the ASGI application."""

    def __init__(
        self,
        *,
        key: str = KEY,
        secret: str = SECRET,
        source: str = "http://shop.example/",
        now_us: Callable[[], int] = lambda: time.time_ns() // 1000,
    ) -> None:
        self.shop, self.calls = Shop(), Calls()
        self.faults, self.limit = Faults(), Limit()
        self.webhooks = Webhooks(source)
        self.entries_max = ENTRIES_MAX
        self._now_us = now_us
        self._credentials = base64.b64encode(f"{key}:{secret}".encode()).decode()
        control = Control(self.faults, self.limit, self.calls)
        routes = [*control.routes(), *self._routes()]
        self.app: ASGIApp = Front(
            Starlette(routes=routes), root=ROOT, faults=self.faults, calls=self.calls,
            refusal=self.refusal,
        )  # fmt: skip

    def stock(self, count: int, quantity: int) -> None:
        """Put products 1 to `count` on the shelf, each with `quantity` units."""
        for number in range(1, count + 1):
            self.shop.add(
                Entry(
                    id=number, sku=f"SKU-{number}", manage_stock=True, stock_quantity=quantity,
                    modified_us=self._now_us(),
                )
            )  # fmt: skip

    def refusal(self, authorization: str) -> Response | None:
        """What keeps a call out before its route sees it: credentials, pace, ordered faults."""
        if not hmac.compare_digest(f"Basic {self._credentials}", authorization):
            error = ShopError(
                "woocommerce_rest_cannot_view", "Sorry, you cannot list resources.", 401
            )
            return JSONResponse(error.body(), status_code=401)
        if (wait := self.limit.wait_seconds(self._now_us())) > 0:
            return _throttled(wait)
        if (fault := self.faults.take("throttle")) is not None:
            return _throttled(fault.seconds)
        if self.faults.take("error") is not None:
            message = "There has been a critical error on this website."
            error = ShopError("internal_server_error", message, 500)
            return JSONResponse(error.body(), status_code=500)
        if (fault := self.faults.take("unavailable")) is not None:
            return HTMLResponse("<h1>Briefly unavailable for scheduled maintenance.</h1>", 503)
        if self.faults.take("nonsense") is not None:
            return HTMLResponse("<!doctype html><title>Just a moment…</title>", 200)
        return None

    def _routes(self) -> list[Route]:
        batch, one = ["POST", "PUT", "PATCH"], ["GET", "PUT", "POST", "PATCH"]
        products, variations = f"{ROOT}/products", f"{ROOT}/products/{{parent:int}}/variations"
        order = f"{ROOT}/orders/{{order:int}}"
        return [
            Route(f"{products}/batch", self._batch, methods=batch),
            Route(f"{variations}/batch", self._batch, methods=batch),
            Route(f"{variations}/{{entry:int}}", _guarded(self._one), methods=one),
            Route(variations, _guarded(self._list), methods=["GET"]),
            Route(f"{products}/{{entry:int}}", _guarded(self._one), methods=one),
            Route(products, _guarded(self._list), methods=["GET"]),
            Route(products, _guarded(self._create), methods=["POST"]),
            Route(variations, _guarded(self._create), methods=["POST"]),
            Route(f"{ROOT}/orders", _guarded(self._place), methods=["POST"]),
            Route(f"{ROOT}/orders", _guarded(self._orders), methods=["GET"]),
            Route(order, _guarded(self._order), methods=["GET", "PUT", "POST"]),
            Route(f"{order}/refunds", _guarded(self._refund), methods=["POST"]),
            Route(f"{ROOT}/webhooks", self._subscribe, methods=["POST"]),
            Route(f"{ROOT}/webhooks", self._hooks, methods=["GET"]),
            Route(f"{ROOT}/webhooks/{{hook:int}}", _guarded(self._hook), methods=["GET", "PUT"]),
        ]

    async def _batch(self, request: Request) -> Response:
        """create + update + delete count together; each entry has a fate of its own."""
        arrived = self._now_us()
        body, parent = await json_of(request), request.path_params.get("parent", 0)
        lists = {name: _list_of(body.get(name)) for name in ("create", "update", "delete")}
        if sum(map(len, lists.values())) > self.entries_max:
            message = f"Unable to accept more than {self.entries_max} items for this request."
            error = ShopError("woocommerce_rest_request_entity_too_large", message, 413)
            return JSONResponse(error.body(), status_code=413)
        bad = self.faults.take("bad_entry")
        answer: dict[str, list[Any]] = {}
        for name, entries in lists.items():
            if entries:
                refused = None if bad is None else bad.entry
                answer[name] = [self._apply(name, e, parent, arrived, refused) for e in entries]
        return JSONResponse(answer)

    def _apply(
        self, name: str, fields: Any, parent: int, arrived: int, refused: int | None
    ) -> dict[str, Any]:
        entry_id = fields.get("id") if isinstance(fields, dict) else fields
        if entry_id is not None and entry_id == refused:
            error = ShopError("internal_server_error", "The entry could not be saved.", 500)
            return {"id": entry_id, "error": error.body()}
        try:
            if name == "create":
                return self._add(fields, parent).view()
            entry = self.shop.entry(entry_id, parent)
            if name == "delete":
                return self.shop.entries.pop(entry.id).view()
            self._write(entry, fields, arrived)
            return entry.view()
        except ShopError as error:
            return {"id": entry_id or 0, "error": error.body()}

    def _write(self, entry: Entry, fields: dict[str, Any], arrived: int) -> None:
        self.shop.write(entry, fields, arrived)
        if isinstance(quantity := fields.get("stock_quantity"), int):
            self.calls.note(arrived, entry.id, quantity)

    def _add(self, fields: Any, parent: int) -> Entry:
        told = fields if isinstance(fields, dict) else {}
        entry = Entry(id=told.get("id") or self.shop.new_id(), parent=parent)
        self.shop.write(entry, told, self._now_us())
        return self.shop.add(entry)

    async def _create(self, request: Request) -> Response:
        """An `id` may be given: a simulator's catalogue is numbered by who fills it."""
        parent = request.path_params.get("parent", 0)
        return JSONResponse(self._add(await json_of(request), parent).view(), status_code=201)

    async def _one(self, request: Request) -> Response:
        parent = request.path_params.get("parent", 0)
        entry = self.shop.entry(request.path_params["entry"], parent)
        if request.method != "GET":
            self._write(entry, await json_of(request), self._now_us())
        return JSONResponse(entry.view())

    async def _list(self, request: Request) -> Response:
        """`include`, `sku`, `page`, `per_page` (≤ 100), `_fields`."""
        query, parent = request.query_params, request.path_params.get("parent", 0)
        per_page = int(query.get("per_page", "10"))
        if not 1 <= per_page <= PER_PAGE_MAX:
            raise ShopError("rest_invalid_param", "Invalid parameter(s): per_page", 400)
        if include := query.get("include"):
            named = (int(text) for text in include.split(",") if text.isdecimal())
            found = [e for i in named if (e := self.shop.entries.get(i)) and e.parent == parent]
        else:
            found = [e for e in self.shop.entries.values() if e.parent == parent]
        if sku := query.get("sku"):
            found = [entry for entry in found if entry.sku == sku]
        start = (int(query.get("page", "1")) - 1) * per_page
        page = [_only(e.view(), query.get("_fields")) for e in found[start : start + per_page]]
        pages = -(-len(found) // per_page)
        headers = {"X-WP-Total": str(len(found)), "X-WP-TotalPages": str(pages)}
        return JSONResponse(page, headers=headers)

    async def _place(self, request: Request) -> Response:
        """A buyer's order. The stock check is the shop's checkout, which buyers go through."""
        body = await json_of(request)
        wanted: list[tuple[Entry, int]] = []
        for line in _list_of(body.get("line_items")):
            variation, quantity = line.get("variation_id") or 0, line.get("quantity", 1)
            parent = line.get("product_id", 0) if variation else 0
            if not isinstance(quantity, int) or quantity < 1:
                raise ShopError("rest_invalid_param", "Invalid parameter(s): line_items", 400)
            entry = self.shop.entry(variation or line.get("product_id"), parent)
            wanted.append((entry, quantity))
        if not wanted:
            raise ShopError("rest_invalid_param", "Invalid parameter(s): line_items", 400)
        order = self.shop.place(wanted, str(body.get("status", "processing")), self._now_us())
        self.webhooks.tell("order.created", order.view())
        return JSONResponse(order.view(), status_code=201)

    async def _orders(self, request: Request) -> Response:
        """The latest first, as Woo lists them; `modified_after` compares with the GMT date."""
        after = request.query_params.get("modified_after", "")
        per_page = min(int(request.query_params.get("per_page", "10")), PER_PAGE_MAX)
        page = int(request.query_params.get("page", "1")) - 1
        found = [o.view() for o in sorted(self.shop.orders.values(), key=lambda o: -o.id)]
        found = [order for order in found if order["date_modified_gmt"] > after]
        return JSONResponse(found[page * per_page : (page + 1) * per_page])

    async def _order(self, request: Request) -> Response:
        order = self._order_of(request)
        if request.method != "GET":
            status = str((await json_of(request)).get("status", order.status))
            self.shop.change_status(order, status, self._now_us())
            self.webhooks.tell("order.updated", order.view())
        return JSONResponse(order.view())

    async def _refund(self, request: Request) -> Response:
        order, body = self._order_of(request), await json_of(request)
        lines = _list_of(body.get("line_items"))
        quantities = {int(line["id"]): int(line["quantity"]) for line in lines}
        restocks = body.get("api_restock", True) is True
        refund = self.shop.refund(order, quantities, self._now_us(), restocks=restocks)
        self.webhooks.tell("order.updated", order.view())
        return JSONResponse(refund, status_code=201)

    def _order_of(self, request: Request) -> Order:
        order = self.shop.orders.get(request.path_params["order"])
        if order is None:
            raise ShopError("woocommerce_rest_shop_order_invalid_id", "Invalid ID.", 404)
        return order

    async def _subscribe(self, request: Request) -> Response:
        body = await json_of(request)
        hook = Hook(
            id=self.shop.new_id(), topic=str(body.get("topic", "")),
            delivery_url=str(body.get("delivery_url", "")), secret=str(body.get("secret", "")),
        )  # fmt: skip
        self.webhooks.add(hook)
        return JSONResponse(hook.view(), status_code=201)

    async def _hooks(self, _: Request) -> Response:
        return JSONResponse([hook.view() for hook in self.webhooks.hooks.values()])

    async def _hook(self, request: Request) -> Response:
        hook = self.webhooks.hooks.get(request.path_params["hook"])
        if hook is None:
            raise ShopError("woocommerce_rest_shop_webhook_invalid_id", "Invalid ID.", 404)
        if request.method == "PUT" and (await json_of(request)).get("status") == "active":
            hook.status, hook.failures = "active", 0
        return JSONResponse(hook.view())


def _guarded(
    endpoint: Callable[[Request], Awaitable[Response]],
) -> Callable[[Request], Awaitable[Response]]:
    """Errors as WordPress shapes them; parameters that make no sense are the caller's."""

    async def guarded(request: Request) -> Response:
        try:
            return await endpoint(request)
        except ShopError as error:
            return JSONResponse(error.body(), status_code=error.status)
        except (ValueError, TypeError, KeyError, AttributeError):
            senseless = ShopError("rest_invalid_param", "Invalid parameter(s).", 400)
            return JSONResponse(senseless.body(), status_code=400)

    return guarded


def _throttled(seconds: float) -> Response:
    error = ShopError("too_many_requests", "Too many requests.", 429)
    headers = {"Retry-After": str(max(1, round(seconds)))}
    return JSONResponse(error.body(), status_code=429, headers=headers)


def _list_of(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _only(view: dict[str, Any], fields: str | None) -> dict[str, Any]:
    wanted: Sequence[str] = fields.split(",") if fields else list(view)
    return {name: view[name] for name in wanted if name in view}
