"""The store-front: what buyers see and order, and what the shop's staff do with their orders.

These routes are the simulator's own: Shopify's checkout has no public interface. What they do to
stock and which webhooks they cause is Shopify's.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.simulators.control import json_of
from services.simulators.shopify.orders import Order, Orders
from services.simulators.shopify.stock import Item, ShopError, Stock
from services.simulators.shopify.webhooks import Webhooks

PER_PAGE, PER_PAGE_MAX = 50, 250
LINES_MAX = 500


class Storefront:
    """`/storefront/…` of one shop."""

    def __init__(
        self, stock: Stock, orders: Orders, webhooks: Webhooks, now_us: Callable[[], int]
    ) -> None:
        self._stock, self._orders = stock, orders
        self._webhooks, self._now_us = webhooks, now_us

    def routes(self) -> list[Route]:
        """The routes, to be put beside the protocol's."""
        root = "/storefront/orders"
        return [
            Route("/storefront/products", _guarded(self._products)),
            Route(root, _guarded(self._list)),
            Route(root, _guarded(self._place), methods=["POST"]),
            Route(f"{root}/{{order:int}}", _guarded(self._read)),
            Route(f"{root}/{{order:int}}/cancel", _guarded(self._cancel), methods=["POST"]),
            Route(f"{root}/{{order:int}}/refunds", _guarded(self._refund), methods=["POST"]),
            Route(f"{root}/{{order:int}}/fulfillments", _guarded(self._fulfill), methods=["POST"]),
        ]

    async def _products(self, request: Request) -> Response:
        """`?page=&per_page=`: what is shown, from the first page on."""
        found = list(self._stock.items.values())
        start, per_page = _page(request)
        page = [item.view() for item in found[start : start + per_page]]
        return JSONResponse({"products": page, "pages": -(-len(found) // per_page)})

    async def _list(self, request: Request) -> Response:
        found = list(self._orders.orders.values())
        start, per_page = _page(request)
        page = [order.view() for order in found[start : start + per_page]]
        return JSONResponse({"orders": page, "pages": -(-len(found) // per_page)})

    async def _place(self, request: Request) -> Response:
        """`{"line_items": [{"variant_id", "quantity"}]}`; 422 beyond what is shown."""
        wanted: list[tuple[Item, int]] = []
        for line in _lines(await json_of(request), "line_items"):
            quantity = line.get("quantity")
            if not isinstance(quantity, int) or isinstance(quantity, bool) or quantity < 1:
                raise ShopError("Quantity must be greater than 0.")
            wanted.append((self._stock.variant(line.get("variant_id")), quantity))
        order = self._orders.place(wanted, self._now_us())
        self._tell("orders/create", order)
        return JSONResponse({"order": order.view()}, status_code=201)

    async def _read(self, request: Request) -> Response:
        return JSONResponse({"order": self._order(request).view()})

    async def _cancel(self, request: Request) -> Response:
        """`{"reason"}`; the refund, the cancellation and the new state are told one by one."""
        order, body = self._order(request), await json_of(request)
        refund = self._orders.cancel(order, str(body.get("reason", "customer")), self._now_us())
        if refund:
            self._webhooks.tell("refunds/create", refund, order.updated_us)
        self._tell("orders/cancelled", order)
        self._tell("orders/updated", order)
        return JSONResponse({"order": order.view()})

    async def _refund(self, request: Request) -> Response:
        """`{"refund_line_items": [{"line_item_id", "quantity", "restock_type"}]}`."""
        order, body = self._order(request), await json_of(request)
        refund = self._orders.refund(order, _lines(body, "refund_line_items"), self._now_us())
        self._webhooks.tell("refunds/create", refund, order.updated_us)
        self._tell("orders/updated", order)
        return JSONResponse({"refund": refund}, status_code=201)

    async def _fulfill(self, request: Request) -> Response:
        order = self._order(request)
        fulfillment = self._orders.fulfill(order, self._now_us())
        self._tell("orders/updated", order)
        return JSONResponse({"fulfillment": fulfillment}, status_code=201)

    def _order(self, request: Request) -> Order:
        return self._orders.order(request.path_params["order"])

    def _tell(self, topic: str, order: Order) -> None:
        self._webhooks.tell(topic, order.view(), order.updated_us)


def _page(request: Request) -> tuple[int, int]:
    query = request.query_params
    page, per_page = int(query.get("page", "1")), int(query.get("per_page", PER_PAGE))
    if page < 1 or not 1 <= per_page <= PER_PAGE_MAX:
        raise ShopError("The page is invalid.", 400)
    return (page - 1) * per_page, per_page


def _lines(body: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found = body.get(name)
    if not isinstance(found, list) or not 1 <= len(found) <= LINES_MAX:
        raise ShopError(f"{name}: 1 to {LINES_MAX} are needed.")
    if not all(isinstance(line, dict) for line in found):
        raise ShopError(f"{name}: not an object.")
    return found


def _guarded(
    endpoint: Callable[[Request], Awaitable[Response]],
) -> Callable[[Request], Awaitable[Response]]:
    """A refusal is an answer; parameters that make no sense are the caller's."""

    async def guarded(request: Request) -> Response:
        try:
            return await endpoint(request)
        except ShopError as error:
            return JSONResponse({"errors": error.message}, status_code=error.status)
        except (ValueError, TypeError, KeyError):
            return JSONResponse({"errors": "Invalid parameters."}, status_code=400)

    return guarded
