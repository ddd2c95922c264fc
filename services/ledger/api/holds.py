"""HTTP of holds: reserve, extend, confirm, release, read; problem+json for every refusal."""

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Annotated, Final, TypeVar

from fastapi import APIRouter, Header, Path, Query, Request
from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from services.ledger.handlers.collecting import UnavailableError
from services.ledger.handlers.holding import EndedError, Holding
from services.ledger.handlers.reserving import Conflict
from shared.contracts.fields import QUANTITY_MAX, Identifier, LocationId, Sku
from shared.contracts.holds import Confirm, Extend, Hold, HoldRequest, HoldState
from shared.contracts.records import Record, undecodable
from shared.postgres.connecting import TRANSIENT
from shared.runtime.clock import new_id

HOLDS: Final = "/v1/holds"
JSON: Final = "application/json"
PROBLEM: Final = "application/problem+json"
RETRY_AFTER_SECONDS: Final = 1
BODY_BYTES_MAX: Final = 1024 * 1024
PROBLEMS: Final[dict[int | str, dict[str, object]]] = {
    status: {"description": text, "content": {PROBLEM: {}}}
    for status, text in (
        (404, "No such hold."),
        (409, "Refused with reasons and what would have been possible, ended, or the id is taken."),
        (422, "The request says something that no hold can be."),
        (503, "Nothing can be decided now; the same request may be sent again."),
    )
}
HOLD_ID: Final = TypeAdapter(Identifier)

R = TypeVar("R", bound=Record)
HoldId = Annotated[Identifier, Path()]


def holds_router(holding: Holding) -> APIRouter:
    """The routes of holds."""
    router = APIRouter(responses=PROBLEMS)
    _reserves(router, holding)
    _reads(router, holding)
    _warns(router, holding)
    _changes(router, holding)
    _confirms(router, holding)
    return router


class ReserveFirst:
    """Answers `POST /v1/holds` before the framework's router, dependencies and validation.

    They took 110 of 270 µs of processor a request (64 connections, many SKUs). The route stands
    in the router all the same, for the OpenAPI file, and runs the same function.
    """

    def __init__(self, app: ASGIApp, holding: Holding) -> None:
        self._app = app
        self._holding = holding

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == HOLDS and scope["method"] == "POST":
            response = await _reserve(Request(scope, receive), self._holding)
            await response(scope, receive, send)
        else:
            await self._app(scope, receive, send)


async def _reserve(request: Request, holding: Holding) -> Response:
    async def decided(asked: HoldRequest) -> Response:
        key = request.headers.get("idempotency-key")
        try:
            hold_id = asked.hold_id or HOLD_ID.validate_python(key or new_id())
        except ValidationError as error:
            return _invalid(f"Idempotency-Key: {undecodable(error).detail}")
        return _answered(await holding.reserve(hold_id, asked), hold_id)

    return await _with(request, HoldRequest, decided)


def _reserves(router: APIRouter, holding: Holding) -> None:
    @router.post(HOLDS, status_code=201, openapi_extra=_body(HoldRequest))
    async def reserve(
        request: Request,
        idempotency_key: Annotated[str | None, Header()] = None,
    ) -> Response:
        """Hold units: all of the lines or nothing, or what there is if `partial`."""
        return await _reserve(request, holding)


def _reads(router: APIRouter, holding: Holding) -> None:
    @router.get(HOLDS)
    async def holds(
        location: Annotated[LocationId | None, Query()] = None,
        sku: Annotated[Sku | None, Query()] = None,
        after: Annotated[int, Query(ge=0, le=2**63 - 1)] = 0,
        overdue: bool = False,  # noqa: FBT001, FBT002  (a query parameter, never positional)
    ) -> Response:
        """What is held at a location, or `overdue` at any, in order of arrival; go on after the
        last `hold_no`.
        """

        async def listed() -> Response:
            if overdue:
                found = await holding.overdue(location, after)
            elif location is not None:
                found = await holding.open_at(location, sku, after)
            else:
                return _invalid("name the location, or ask for what is overdue")
            return Response(to_json({"holds": found}), media_type=JSON)

        return await _available(listed)

    @router.get("/v1/holds/{hold_id}")
    async def read(hold_id: HoldId) -> Response:
        """A hold as it stands."""

        async def found() -> Response:
            return _found(await holding.read(hold_id), hold_id)

        return await _available(found)


def _warns(router: APIRouter, holding: Holding) -> None:
    @router.get("/v1/tills/{location}/{sku}")
    async def till(
        location: LocationId, sku: Sku, quantity: Annotated[int, Query(ge=1, le=QUANTITY_MAX)] = 1
    ) -> Response:
        """Before a till sells: a `warning` where the units that it scans are held for others."""

        async def looked() -> Response:
            told = await holding.at_till(location, sku, quantity)
            if told is None:
                return _problem(404, "unknown-level", f"{sku} has never been at {location}")
            return Response(to_json(told), media_type=JSON)

        return await _available(looked)


def _changes(router: APIRouter, holding: Holding) -> None:
    @router.post("/v1/holds/{hold_id}/extend", openapi_extra=_body(Extend))
    async def extend(hold_id: HoldId, request: Request) -> Response:
        """Have a hold end at another time."""

        async def extended(asked: Extend) -> Response:
            return _still(await holding.extend(hold_id, asked), hold_id, HoldState.HELD)

        return await _with(request, Extend, extended)

    @router.post("/v1/holds/{hold_id}/release")
    async def release(hold_id: HoldId) -> Response:
        """Give a hold's units back. One that was released or has expired is left as it is."""
        return await _available(lambda: _released(holding, hold_id))


def _confirms(router: APIRouter, holding: Holding) -> None:
    @router.post("/v1/holds/{hold_id}/confirm", openapi_extra=_body(Confirm))
    async def confirm(hold_id: HoldId, request: Request) -> Response:
        """Turn a hold into lines of an order."""

        async def confirmed(asked: Confirm) -> Response:
            held = await holding.confirm(hold_id, asked)
            if isinstance(held, Conflict):
                return _problem(
                    409, "not-held",
                    f"hold {hold_id} has ended, became another order, or has other lines",
                )  # fmt: skip
            return _found(held, hold_id)

        return await _with(request, Confirm, confirmed)


def _answered(held: Hold | Conflict, hold_id: str) -> Response:
    if isinstance(held, Conflict):
        return _problem(409, "id-taken", f"{hold_id} is another request's; its answer stands")
    return _refused(held) if held.state is HoldState.REFUSED else _told(held, HTTPStatus.CREATED)


async def _released(holding: Holding, hold_id: str) -> Response:
    ended = (HoldState.RELEASED, HoldState.EXPIRED, HoldState.REFUSED)
    return _still(await holding.release(hold_id), hold_id, *ended)


async def _with(
    request: Request, model: type[R], answer: Callable[[R], Awaitable[Response]]
) -> Response:
    """Read the body, and answer it."""
    body = b""
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > BODY_BYTES_MAX:
                return _problem(413, "too-large", "the body is larger than any request of holds")
        asked = model.decode(body)
    except ClientDisconnect:
        return _problem(400, "gone", "the caller went away before the end of the body")
    except ValidationError as error:
        return _invalid(undecodable(error).detail)
    return await _available(lambda: answer(asked))


async def _available(answer: Callable[[], Awaitable[Response]]) -> Response:
    try:
        return await answer()
    except EndedError:
        return _invalid("a hold ends in the future")
    except (UnavailableError, *TRANSIENT):
        return _problem(
            503, "unavailable", "nothing can be decided now; send the same request again",
            headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
        )  # fmt: skip


def _found(hold: Hold | None, hold_id: str) -> Response:
    if hold is None:
        return _problem(404, "unknown-hold", f"no hold is called {hold_id}")
    return _told(hold, HTTPStatus.OK)


def _still(hold: Hold | None, hold_id: str, *expected: HoldState) -> Response:
    """The hold, if it stands as expected; else it ended in another way before."""
    if hold is None or hold.state in expected:
        return _found(hold, hold_id)
    return _problem(409, "not-held", f"hold {hold_id} is {hold.state}", more={"state": hold.state})


def _told(hold: Hold, status: int) -> Response:
    return Response(hold.encode(), status_code=status, media_type=JSON)


def _refused(hold: Hold) -> Response:
    lines = hold.model_dump(mode="json", exclude_none=True)["lines"]
    reasons = [line.refused.reason for line in hold.lines if line.refused is not None]
    return _problem(
        409, "refused", "not everything can be held, so nothing is",
        more={"hold_id": hold.hold_id, "reason": reasons[0], "lines": lines},
    )  # fmt: skip


def _invalid(detail: str) -> Response:
    return _problem(422, "invalid", detail)


def _problem(
    status: int,
    kind: str,
    detail: str,
    *,
    more: Mapping[str, object] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """RFC 9457."""
    told = {"type": f"urn:stocktide:holds:{kind}", "title": HTTPStatus(status).phrase,
            "status": status, "detail": detail, **(more or {})}  # fmt: skip
    return Response(to_json(told), status_code=status, media_type=PROBLEM, headers=headers)


def _body(model: type[Record]) -> dict[str, object]:
    """What the OpenAPI file says of a body that is read by the contract itself."""
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}", by_alias=True)
    schema.pop("$defs", None)
    return {"requestBody": {"required": True, "content": {JSON: {"schema": schema}}}}
