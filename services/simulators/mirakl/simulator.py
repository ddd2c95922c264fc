"""The marketplace behind its routes: the seller's interface, a store-front, and the control."""

import hmac
import time
from collections.abc import Awaitable, Callable
from datetime import datetime

from starlette.applications import Starlette
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from services.simulators.control import Control, json_of
from services.simulators.faults import Calls, Faults, Limit
from services.simulators.fronting import Front
from services.simulators.mirakl.frequency import Frequencies
from services.simulators.mirakl.imports import Imports
from services.simulators.mirakl.marketplace import Marketplace, MiraklError

KEY = "key-of-the-simulated-shop"
SHOP_ID = 2001
MAX_DEFAULT, MAX_MAX = 10, 100
STORE_PAGE = 100
ROOT = "/api/"
IMPORTS = "/api/offers/stock/imports"

Endpoint = Callable[[Request], Awaitable[Response]]


class MiraklSimulator:
    """One shop on one marketplace; `app` is the ASGI application.

    `speed` makes its clock run faster where time is waited out: the intervals between calls and
    the time that imports take are divided by it.
    """

    def __init__(
        self,
        *,
        key: str = KEY,
        speed: float = 1.0,
        accepts: bool = False,
        now_us: Callable[[], int] = lambda: time.time_ns() // 1000,
    ) -> None:
        self.marketplace, self.calls = Marketplace(), Calls()
        self.marketplace.accepts = accepts
        self.faults, self.limit = Faults(), Limit()
        self.frequencies = Frequencies(speed)
        self.imports = Imports(self.marketplace, self.calls.note, speed)
        self._now_us = now_us
        self._key = key
        self._run: tuple[str, ...] | None = None
        control = Control(self.faults, self.limit, self.calls)
        routes = [*control.routes(), *self._steering(), *self._seller(), *self._store()]
        self.app: ASGIApp = Front(
            Starlette(routes=routes), root=ROOT, faults=self.faults, calls=self.calls,
            refusal=self.refusal, first=self.advance,
        )  # fmt: skip

    def stock(self, count: int, quantity: int) -> None:
        """Offers 1 to `count`, `SKU-1` and so on, each with `quantity` units."""
        for number in range(1, count + 1):
            self.marketplace.add(f"SKU-{number}", quantity)

    def advance(self) -> None:
        """Bring the imports up to date."""
        self.imports.advance(self._now_us(), self._bad_entry)

    def refusal(self, authorization: str) -> Response | None:
        """What keeps a call out before its route sees it: the key, the pace, ordered faults."""
        if not hmac.compare_digest(self._key.encode(), authorization.encode()):
            return _error(MiraklError(401, "Unauthorized"))
        if (wait := self.limit.wait_seconds(self._now_us())) > 0:
            return _throttled(wait)
        if (fault := self.faults.take("throttle")) is not None:
            return _throttled(fault.seconds)
        if self.faults.take("error") is not None:
            return _error(MiraklError(500, "Internal Server Error"))
        if self.faults.take("unavailable") is not None:
            return HTMLResponse("<h1>503 Service Unavailable</h1>", 503)
        if self.faults.take("nonsense") is not None:
            return HTMLResponse("<!doctype html><title>Just a moment…</title>", 200)
        return None

    def _bad_entry(self) -> int | None:
        fault = self.faults.take("bad_entry")
        return None if fault is None else fault.entry

    def _seller(self) -> list[Route]:
        order = "/api/orders/{order}"
        return [
            Route(IMPORTS, _guarded(self._import), methods=["POST"]),
            Route(f"{IMPORTS}/{{name}}/status", _guarded(self._status)),
            Route(f"{IMPORTS}/{{name}}/error_report", _guarded(self._report)),
            Route("/api/offers", _guarded(self._offers)),
            Route("/api/orders", _guarded(self._orders)),
            Route("/api/orders/refund", _guarded(self._refund), methods=["PUT"]),
            Route(f"{order}/accept", _guarded(self._accept), methods=["PUT"]),
            Route(f"{order}/ship", _guarded(self._ship), methods=["PUT"]),
            Route(f"{order}/cancel", _guarded(self._cancel), methods=["PUT"]),
        ]

    def _store(self) -> list[Route]:
        order = "/storefront/orders/{order}"
        return [
            Route("/storefront/offers", _guarded(self._shown)),
            Route("/storefront/orders", _guarded(self._buy), methods=["POST"]),
            Route(order, _guarded(self._bought)),
            Route(f"{order}/cancel", _guarded(self._withdraw), methods=["PUT"]),
        ]

    def _steering(self) -> list[Route]:
        return [
            Route("/_control/violations", self._violations),
            Route("/_control/operator", self._operate, methods=["PUT"]),
            Route("/_control/imports", self._fail_imports, methods=["PUT"]),
            Route("/_control/offers", _guarded(self._put_offers), methods=["PUT"]),
            Route("/_control/orders", self._placed),
        ]

    def _keep_to(self, operation: str) -> None:
        early = self.frequencies.early_seconds(operation, self._now_us())
        if early > 0:
            raise MiraklError(429, f"{operation} came {early:.2f} s too early.")

    async def _import(self, request: Request) -> Response:
        """STO01."""
        async with request.form() as form:
            upload = form.get("file")
            if not isinstance(upload, UploadFile):
                raise MiraklError(400, "A file is required, as multipart/form-data.")
            text = (await upload.read()).decode()
        self._keep_to("STO01")
        made = self.imports.add(text, self._now_us())
        headers = {"Location": f"{IMPORTS}/{made.id}/status"}
        return JSONResponse({"import_id": made.id}, status_code=201, headers=headers)

    async def _status(self, request: Request) -> Response:
        """STO02."""
        self._keep_to("STO02")
        found = self.imports.get(request.path_params["name"])
        return JSONResponse(found.view(self._now_us(), SHOP_ID))

    async def _report(self, request: Request) -> Response:
        """STO03."""
        self._keep_to("STO03")
        found = self.imports.get(request.path_params["name"])
        if not found.errors:
            raise MiraklError(404, f"Import {found.id} has no error report")
        return Response(found.report(), media_type="text/csv")

    async def _offers(self, request: Request) -> Response:
        """OF21: `sku`, `max`, `offset`."""
        offers, sku = list(self.marketplace.offers.values()), request.query_params.get("sku")
        if sku:
            offers = [offer for offer in offers if offer.sku == sku]
        start, end = _page(request)
        views = [offer.view() for offer in offers[start:end]]
        return JSONResponse({"offers": views, "total_count": len(offers)})

    async def _orders(self, request: Request) -> Response:
        """OR11: `start_update_date`, `order_state_codes`, `max`, `offset`.

        The pages after the first belong to its call, where they ask for the same (unverified).
        """
        query = request.query_params
        run = tuple(f"{k}={v}" for k, v in sorted(query.items()) if k != "offset")
        start, end = _page(request)
        if start == 0 or run != self._run:
            self._keep_to("OR11")
            self._run = run
        since = query.get("start_update_date")
        since_us = 0 if since is None else round(datetime.fromisoformat(since).timestamp() * 1e6)
        codes = frozenset(filter(None, query.get("order_state_codes", "").split(",")))
        found = self.marketplace.listed(since_us, codes)
        views = [order.view() for order in found[start:end]]
        return JSONResponse({"orders": views, "total_count": len(found)})

    async def _accept(self, request: Request) -> Response:
        """OR21."""
        lines = (await json_of(request)).get("order_lines") or []
        decisions = {str(line["id"]): line["accepted"] is True for line in lines}
        order = self.marketplace.order(request.path_params["order"])
        self.marketplace.accept(order, decisions, self._now_us())
        return Response(status_code=204)

    async def _ship(self, request: Request) -> Response:
        """OR24."""
        order = self.marketplace.order(request.path_params["order"])
        self.marketplace.ship(order, self._now_us())
        return Response(status_code=204)

    async def _cancel(self, request: Request) -> Response:
        """OR29."""
        order = self.marketplace.order(request.path_params["order"])
        self.marketplace.cancel(order, self._now_us())
        return Response(status_code=204)

    async def _refund(self, request: Request) -> Response:
        """OR28."""
        told = (await json_of(request)).get("refunds") or []
        refunds = [
            self.marketplace.refund(one["order_line_id"], int(one["quantity"]), self._now_us())
            for one in told
        ]
        return JSONResponse({"refunds": refunds})

    async def _shown(self, request: Request) -> Response:
        """What customers see: `?page=` from 1."""
        offers, page = self.marketplace.offers, int(request.query_params.get("page", "1"))
        shown = list(offers.values())[(page - 1) * STORE_PAGE : page * STORE_PAGE]
        found = [{"offer_sku": offer.sku, "quantity": offer.quantity} for offer in shown]
        return JSONResponse({"offers": found, "pages": max(1, -(-len(offers) // STORE_PAGE))})

    async def _buy(self, request: Request) -> Response:
        """A customer's order; 409 beyond what is shown."""
        lines = (await json_of(request)).get("lines") or []
        wanted = [(str(line["offer_sku"]), int(line["quantity"])) for line in lines]
        order = self.marketplace.place(wanted, self._now_us())
        return JSONResponse(_receipt(order.id, order.state), status_code=201)

    async def _bought(self, request: Request) -> Response:
        order = self.marketplace.order(request.path_params["order"])
        return JSONResponse(_receipt(order.id, order.state))

    async def _withdraw(self, request: Request) -> Response:
        """The customer doesn't want it any more."""
        order = self.marketplace.order(request.path_params["order"])
        self.marketplace.cancel(order, self._now_us())
        return JSONResponse(_receipt(order.id, order.state))

    async def _violations(self, _: Request) -> Response:
        """The calls that came too early, the last thousand of them, and how many by operation."""
        found = [
            {"operation": one.operation, "at_us": one.at_us, "early_seconds": one.early_seconds}
            for one in self.frequencies.violations
        ]
        return JSONResponse({"counts": self.frequencies.counts, "violations": found})

    async def _operate(self, request: Request) -> Response:
        """`{"accepts": true}`: the operator accepts orders by himself."""
        self.marketplace.accepts = (await json_of(request)).get("accepts") is True
        return JSONResponse({"accepts": self.marketplace.accepts})

    async def _fail_imports(self, request: Request) -> Response:
        """`{"failing": 2}`: so many of the next imports end as FAILED."""
        self.imports.failing = int((await json_of(request)).get("failing", 0))
        return JSONResponse({"failing": self.imports.failing})

    async def _put_offers(self, request: Request) -> Response:
        """`{"offers": [{"sku", "quantity"}]}`: new ones are numbered in the order given."""
        told = [
            (str(one["sku"]), int(one["quantity"])) for one in (await json_of(request))["offers"]
        ]
        for sku, quantity in told:
            offer = self.marketplace.offers.get(sku) or self.marketplace.add(sku, quantity)
            offer.quantity = quantity
        return JSONResponse({"offers": len(told)})

    async def _placed(self, _: Request) -> Response:
        """Every order that the marketplace has taken, as customers and operator know it."""
        found = [order.view() for order in self.marketplace.orders.values()]
        return JSONResponse({"orders": found})


def _guarded(endpoint: Endpoint) -> Endpoint:
    """Errors as Mirakl shapes them; another shop's orders and senseless parameters are refused."""

    async def guarded(request: Request) -> Response:
        if request.query_params.get("shop_id", str(SHOP_ID)) != str(SHOP_ID):
            return _error(MiraklError(403, "The shop is not one of the user's"))
        try:
            return await endpoint(request)
        except MiraklError as error:
            return _error(error)
        except (ValueError, TypeError, KeyError, AttributeError):
            return _error(MiraklError(400, "VALIDATION_ERROR: Input validation failed"))

    return guarded


def _error(error: MiraklError) -> Response:
    return JSONResponse(error.body(), status_code=error.status)


def _throttled(seconds: float) -> Response:
    error = MiraklError(429, "Too many requests")
    headers = {"Retry-After": str(max(1, round(seconds)))}
    return JSONResponse(error.body(), status_code=429, headers=headers)


def _page(request: Request) -> tuple[int, int]:
    size = int(request.query_params.get("max", MAX_DEFAULT))
    start = int(request.query_params.get("offset", "0"))
    if not 1 <= size <= MAX_MAX or start < 0:
        raise MiraklError(400, f"max is from 1 to {MAX_MAX}")
    return start, start + size


def _receipt(order_id: str, state: str) -> dict[str, str]:
    return {"order_id": order_id, "order_state": state}
