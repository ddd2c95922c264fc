"""The Admin GraphQL interface: one address, an answer with its cost, errors in HTTP 200.

Source: shopify.dev, GraphQL Admin API: `inventorySetQuantities`, `nodes`, `webhookSubscriptions`,
`webhookSubscriptionCreate`, rate limits. The header of the access token is (unverified).
"""

import asyncio
import hmac
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from services.simulators.control import json_of
from services.simulators.faults import Calls, Fault, Faults, Limit
from services.simulators.shopify import inventory
from services.simulators.shopify.budget import MUTATION_COST, QUERY_COST_MAX, Bucket, cost_of
from services.simulators.shopify.idempotency import MANDATORY_FROM, Keys
from services.simulators.shopify.inventory import UserError
from services.simulators.shopify.parsing import (
    GraphQLError,
    Operation,
    Selection,
    parse,
    project,
)
from services.simulators.shopify.stock import Stock, gid, number_of
from services.simulators.shopify.webhooks import TOPICS, Subscription, Webhooks

ROOT = "/admin/api"
TOKEN_HEADER = "X-Shopify-Access-Token"  # noqa: S105  (a header's name, no secret)
VERSIONS = ("2026-01", "2026-04", "2026-07", "2026-10", "unstable")
IDS_MAX = 250
Resolver = Callable[[Selection, str], Awaitable[dict[str, Any] | list[Any]]]


class ServerError(Exception):
    """The server fell over: HTTP 500, and nothing was applied."""


class Admin:
    """The interface over one shop's state. The public fields are what the control may change."""

    def __init__(
        self,
        stock: Stock,
        webhooks: Webhooks,
        *,
        token: str,
        faults: Faults,
        limit: Limit,
        calls: Calls,
        new_id: Callable[[], int],
        now_us: Callable[[], int],
    ) -> None:
        self._stock, self._webhooks, self._token = stock, webhooks, token
        self._faults, self._limit, self._calls = faults, limit, calls
        self._new_id, self._now_us = new_id, now_us
        self._keys = Keys()
        self.bucket = Bucket()
        self.entries_max = inventory.ENTRIES_MAX
        self.mutation_cost = MUTATION_COST
        self.throttled_status = 200
        self.naming = "each"
        self.work_seconds = 0.0
        self._queries: Mapping[str, Resolver] = {
            "nodes": self._nodes, "webhookSubscriptions": self._subscriptions,
        }  # fmt: skip
        self._mutations: Mapping[str, Resolver] = {
            "inventorySetQuantities": self._set_quantities,
            "webhookSubscriptionCreate": self._subscribe,
        }

    def routes(self) -> list[Route]:
        """The one route."""
        return [Route(f"{ROOT}/{{version}}/graphql.json", self._post, methods=["POST"])]

    async def _post(self, request: Request) -> Response:
        version = request.path_params["version"]
        token = request.headers.get(TOKEN_HEADER, "")
        if not hmac.compare_digest(self._token.encode(), token.encode()):
            message = "[API] Invalid API key or access token (unrecognized login or wrong password)"
            return JSONResponse({"errors": message}, status_code=401)
        if version not in VERSIONS:
            return JSONResponse({"errors": "Not Found"}, status_code=404)
        if (away := self._away()) is not None:
            return away
        body = await json_of(request)
        document, variables = body.get("query"), body.get("variables") or {}
        if not isinstance(document, str) or not isinstance(variables, dict):
            missing = {"query": "Required parameter missing or invalid"}
            return JSONResponse({"errors": missing}, status_code=400)
        try:
            return await self._answer(parse(document, variables), version)
        except GraphQLError as error:
            return JSONResponse({"errors": [_error(error)]})
        except ServerError:
            told = {"message": "Internal error.", "extensions": {"code": "INTERNAL_SERVER_ERROR"}}
            return JSONResponse({"errors": [told]}, status_code=500)

    def _away(self) -> Response | None:
        if self._faults.take("unavailable") is not None:
            return JSONResponse({"errors": "Service Unavailable"}, status_code=503)
        if self._faults.take("nonsense") is not None:
            return HTMLResponse("<!doctype html><title>Just a moment…</title>", 200)
        return None

    async def _answer(self, operation: Operation, version: str) -> Response:
        cost, now = cost_of(operation, self.mutation_cost), self._now_us()
        if cost > QUERY_COST_MAX:
            message = f"Query cost is {cost}, which exceeds the single query max cost limit."
            raise GraphQLError(message, "MAX_COST_EXCEEDED", cost=cost, maxCost=QUERY_COST_MAX)
        if (wait := self._wait_seconds(cost, now)) is not None:
            return self._throttled(cost, now, wait)
        data: dict[str, Any] = {}
        for root in operation.roots:
            data[root.key] = project(await self._resolve(operation.kind, root, version), root)
        return JSONResponse({"data": data, "extensions": self._cost(cost, cost, self._now_us())})

    def _wait_seconds(self, cost: int, now: int) -> float | None:
        """How long the bucket, the pace or an ordered fault make the caller wait; None: not."""
        if (fault := self._faults.take("throttle")) is not None:
            self.bucket.drain(now)
            return fault.seconds
        if (wait := self._limit.wait_seconds(now)) > 0:
            return wait
        if self.bucket.take(cost, now):
            return None
        left = self.bucket.status(now)["currentlyAvailable"]
        return float((cost - left) / self.bucket.restore_rate)

    def _throttled(self, cost: int, now: int, wait: float) -> Response:
        """In HTTP 200 without data, or as 429: which of them is disputed, so both can be had."""
        error = GraphQLError("Throttled", "THROTTLED")
        told = {"errors": [_error(error)], "extensions": self._cost(cost, None, now)}
        headers = {"Retry-After": f"{wait:.1f}"} if self.throttled_status == 429 else None
        return JSONResponse(told, status_code=self.throttled_status, headers=headers)

    def _cost(self, requested: int, actual: int | None, now: int) -> dict[str, Any]:
        return {
            "cost": {
                "requestedQueryCost": requested, "actualQueryCost": actual,
                "throttleStatus": self.bucket.status(now),
            }
        }  # fmt: skip

    async def _resolve(self, kind: str, root: Selection, version: str) -> Any:
        resolvers, type_name = (
            (self._mutations, "Mutation") if kind == "mutation" else (self._queries, "QueryRoot")
        )
        if (resolver := resolvers.get(root.name)) is None:
            message = f"Field '{root.name}' doesn't exist on type '{type_name}'"
            raise GraphQLError(message, "undefinedField", fieldName=root.name)
        return await resolver(root, version)

    async def _nodes(self, root: Selection, _: str) -> list[dict[str, Any] | None]:
        ids = root.arguments.get("ids")
        if not isinstance(ids, list):
            raise GraphQLError("Argument 'ids' is required", "missingRequiredArguments")
        if len(ids) > IDS_MAX:
            message = f"The input array size of {len(ids)} is greater than {IDS_MAX}."
            raise GraphQLError(message, "MAX_INPUT_SIZE_EXCEEDED")
        self._fall()
        items = [self._stock.items.get(number_of("InventoryItem", one) or 0) for one in ids]
        return [None if item is None else item.resolved() for item in items]

    async def _set_quantities(self, root: Selection, version: str) -> dict[str, Any]:
        """Once per key: what the same key has brought before is told again, and not done again."""
        told = root.arguments.get("input") or {}
        entries = inventory.entries_of(told, version, self.entries_max)
        key = root.directives.get("idempotent", {}).get("key")
        if key is None:
            if version >= MANDATORY_FROM:  # the shape of this error is (unverified)
                message = "The @idempotent directive is required for this mutation."
                raise GraphQLError(message, "BAD_REQUEST")
            return self._set(told, entries, version)
        before = self._keys.begin(str(key), told, version)
        if isinstance(before, str):
            return _payload(None, [UserError(before)])
        if before is not None:
            return before
        result: dict[str, Any] | None = None
        try:
            if self.work_seconds:
                await asyncio.sleep(self.work_seconds)
            result = self._set(told, entries, version)
        finally:
            self._keys.end(str(key), result)
        return result

    def _set(
        self, told: Mapping[str, Any], entries: list[inventory.Entry], version: str
    ) -> dict[str, Any]:
        self._fall()
        errors = inventory.judged(self._stock, told, entries, version)
        if (bad := self._faults.take("bad_entry")) is not None:
            errors += _bad(entries, bad)
        if errors:
            return _payload(None, inventory.named(errors, self.naming))
        now = self._now_us()
        written, changes = inventory.apply(self._stock, str(told["name"]), entries)
        for item, quantity in written:
            self._calls.note(now, item.id, quantity)
        if not changes:
            return _payload(None, [])
        group = {
            "__typename": "InventoryAdjustmentGroup", "reason": told["reason"],
            "id": gid("InventoryAdjustmentGroup", self._new_id()), "changes": changes,
            "referenceDocumentUri": told.get("referenceDocumentUri"),
        }  # fmt: skip
        return _payload(group, [])

    def _fall(self) -> None:
        if self._faults.take("error") is not None:
            raise ServerError

    async def _subscriptions(self, _root: Selection, _: str) -> dict[str, Any]:
        found = [one.resolved() for one in self._webhooks.subscriptions.values()]
        return {"__typename": "WebhookSubscriptionConnection", "nodes": found}

    async def _subscribe(self, root: Selection, _: str) -> dict[str, Any]:
        topic = str(root.arguments.get("topic", "")).lower().replace("_", "/", 1)
        told = root.arguments.get("webhookSubscription")
        uri = told.get("uri") if isinstance(told, dict) else None
        kind = "WebhookSubscriptionCreatePayload"
        if topic not in TOPICS or not isinstance(uri, str):
            errors = [UserError("INVALID", ("webhookSubscription",)).view()]
            return {"__typename": kind, "webhookSubscription": None, "userErrors": errors}
        made = Subscription(id=self._new_id(), topic=topic, uri=uri)
        self._webhooks.add(made)
        return {"__typename": kind, "webhookSubscription": made.resolved(), "userErrors": []}


def _bad(entries: list[inventory.Entry], bad: Fault) -> list[UserError]:
    """The entries of one item, which an ordered fault makes wrong."""
    item = gid("InventoryItem", bad.entry)
    return [
        entry.error("INVALID_INVENTORY_ITEM", "inventoryItemId")
        for entry in entries
        if entry.told["inventoryItemId"] == item
    ]


def _payload(group: dict[str, Any] | None, errors: list[UserError]) -> dict[str, Any]:
    return {
        "__typename": "InventorySetQuantitiesPayload", "inventoryAdjustmentGroup": group,
        "userErrors": [error.view() for error in errors],
    }  # fmt: skip


def _error(error: GraphQLError) -> dict[str, Any]:
    return {"message": error.message, "extensions": error.extensions}
