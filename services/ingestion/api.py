"""HTTP of ingestion: events from anyone, webhooks from shops; problem+json for every refusal."""

import asyncio
import hmac
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from http import HTTPStatus
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, FastAPI, Path, Request
from fastapi.exceptions import RequestValidationError
from fastapi.params import Depends
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from pydantic_core import to_json
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from services.ingestion.handlers.accepting import (
    OPEN_TOPICS,
    Accepting,
    Refused,
    UnsupportedContent,
    read_request,
)
from services.ingestion.handlers.receiving import Fate, Receiving
from services.ingestion.handlers.sending import KafkaAway
from services.ingestion.repository.polls import PollState
from shared.contracts.cloudevents import BATCH, JSON, STRUCTURED
from shared.contracts.records import Undecodable
from shared.postgres.connecting import TRANSIENT
from shared.telemetry.health import Health

PROBLEM: Final = "application/problem+json"
RETRY_AFTER_SECONDS: Final = 2
REFUSALS_SHOWN: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a request may cost."""

    body_bytes_max: int
    webhook_bytes_max: int
    read_seconds: float


class AcceptedEvent(BaseModel):
    """An event that Kafka has, and where."""

    id: str
    source: str
    topic: str
    partition: int
    offset: int


class AcceptedEvents(BaseModel):
    """All events of the request, in its order."""

    accepted: list[AcceptedEvent]


class RefusedEvent(BaseModel):
    """An event that is not taken: its place in the request from 0, and why."""

    index: int
    reason: str
    detail: str


class Problem(BaseModel):
    """RFC 9457; `events` (the first 100) where events were refused: then none was sent."""

    type: str
    title: str
    status: int
    detail: str
    events: list[RefusedEvent] | None = None


class Receipt(BaseModel):
    """What became of a delivery; everything but a forgery is answered with 200."""

    fate: Literal["stored", "repeated", "ignored", "ping"]


class Refusal(Exception):  # noqa: N818  (it names what happened)
    """An answer that is no success."""

    def __init__(
        self, status: int, detail: str, *, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers = status, detail, headers


def create(
    accepting: Accepting,
    receiving: Receiving,
    health: Health,
    limits: Limits,
    *,
    api_key: bytes | None,
    routers: Sequence[APIRouter] = (),
) -> FastAPI:
    """The application; its OpenAPI document is served at /v1/openapi.json."""
    app = FastAPI(
        title="Stocktide ingestion", version="1", docs_url=None, redoc_url=None,
        openapi_url="/v1/openapi.json",
    )  # fmt: skip
    app.router.routes.extend(health.routes())
    app.include_router(_events(accepting, limits, api_key))
    app.include_router(_webhooks(receiving, limits))
    for router in routers:
        app.include_router(router)
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(StarletteHTTPException, _http_error)
    app.add_exception_handler(KafkaAway, _kafka_away)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(Exception, _bug)
    app.add_exception_handler(RequestValidationError, _no_such_route)
    for error in TRANSIENT:
        app.add_exception_handler(error, _database_away)
    _describe_problems(app)
    return app


def _describe_problems(app: FastAPI) -> None:
    """FastAPI knows models of application/json answers only: ours is put in by hand."""
    schemas = app.openapi()["components"]["schemas"]
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= problem.pop("$defs")
    schemas["Problem"] = problem


def _events(accepting: Accepting, limits: Limits, api_key: bytes | None) -> APIRouter:
    router = APIRouter()

    @router.post(
        "/v1/events", status_code=202, response_model=AcceptedEvents,
        responses=_problems(400, 401, 408, 413, 415, 503), openapi_extra=_EVENTS_BODY,
    )  # fmt: skip
    async def events(request: Request) -> Response:
        """One CloudEvent or a batch, structured or binary. 202 once Kafka has all of them; when
        one is refused, none is sent. After a 503 send the same ids again: they are one fact.
        """
        _require_key(request, api_key)
        body = await _body(request, limits.body_bytes_max, limits.read_seconds)
        try:
            told = read_request(
                request.headers.get("content-type", ""), request.headers.items(), body
            )
        except UnsupportedContent as error:
            raise Refusal(415, str(error)) from error
        if isinstance(told, Undecodable):
            raise Refusal(400, f"{told.reason.value}: {told.detail}")
        accepted, refused = await accepting.accept(told)
        if refused:
            return _events_refused(refused, len(told))
        found = [
            {"id": a.id, "source": a.source, "topic": a.receipt.topic,
             "partition": a.receipt.partition, "offset": a.receipt.offset}
            for a in accepted
        ]  # fmt: skip
        return JSONResponse({"accepted": found}, status_code=202)

    return router


def _webhooks(receiving: Receiving, limits: Limits) -> APIRouter:
    router = APIRouter()

    @router.post(
        "/v1/webhooks/{protocol}/{channel}", response_model=Receipt,
        responses=_problems(401, 404, 408, 413, 422, 503), openapi_extra=_WEBHOOK_BODY,
    )  # fmt: skip
    async def webhook(
        protocol: Annotated[Literal["woocommerce", "shopify"], Path()], channel: str,
        request: Request,
    ) -> Response:  # fmt: skip
        """A shop's delivery, signed on its raw body; 200 once it is kept, whatever Kafka does."""
        body = await _body(request, limits.webhook_bytes_max, limits.read_seconds)
        headers = {name: request.headers.getlist(name) for name in request.headers}
        fate = await receiving.receive(protocol, channel, headers, body)
        if fate is Fate.UNKNOWN_SHOP:
            raise Refusal(404, "no such shop is configured for this protocol")
        if fate is Fate.FORGED:
            raise Refusal(401, "the signature is missing, or is not this shop's")
        return JSONResponse({"fate": fate.value})

    return router


def marketplaces(
    states: Callable[[], Awaitable[Sequence[PollState]]], guards: Sequence[Depends]
) -> APIRouter:
    """How the marketplaces that are polled stand. One that is away makes nothing unready: webhooks
    of the shops, which would be given up on after a few refusals, do not depend on it.
    """
    router = APIRouter(dependencies=list(guards))

    @router.get("/v1/marketplaces")
    async def listed() -> dict[str, object]:
        return {"marketplaces": [asdict(state) for state in await states()]}

    return router


async def _body(request: Request, bytes_max: int, seconds: float) -> bytes:
    """The raw body, read no further than its limit, whatever Content-Length says."""
    too_large = Refusal(413, f"the body has more than {bytes_max} bytes")
    told = request.headers.get("content-length", "0")
    if told.isdecimal() and int(told) > bytes_max:
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.stream():
                body += chunk
                if len(body) > bytes_max:
                    raise too_large
    except TimeoutError:
        raise Refusal(408, f"the body took longer than {seconds:.0f} s") from None
    return bytes(body)


def key_guard(api_key: bytes | None) -> Callable[[Request], None]:
    """A dependency of routes that ask for the key too."""

    def guard(request: Request) -> None:
        _require_key(request, api_key)

    return guard


def _require_key(request: Request, api_key: bytes | None) -> None:
    """A bearer token, compared in constant time: digests, so that lengths tell nothing either."""
    if api_key is None:
        return
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    given = sha256(token.strip().encode()).digest()
    if scheme.lower() != "bearer" or not hmac.compare_digest(given, sha256(api_key).digest()):
        raise Refusal(401, "send the key as a bearer token", headers={"WWW-Authenticate": "Bearer"})


def _events_refused(refused: list[Refused], count: int) -> Response:
    shown = [
        {"index": one.index, "reason": one.reason, "detail": one.detail}
        for one in refused[:REFUSALS_SHOWN]
    ]
    detail = f"{len(refused)} of {count} events are refused, and none was sent"
    return _problem(400, detail, more={"events": shown})


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal), error
    return _problem(error.status, error.detail, headers=error.headers)


async def _http_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, StarletteHTTPException), error
    return _problem(error.status_code, str(error.detail), headers=error.headers)


async def _no_such_route(_: Request, __: Exception) -> Response:
    return _problem(422, "protocol: there are woocommerce and shopify")


async def _kafka_away(_: Request, __: Exception) -> Response:
    return _away("Kafka has not acknowledged in time; send the same events again")


async def _database_away(_: Request, __: Exception) -> Response:
    return _away("the database is away; send the same again")


async def _gone(_: Request, __: Exception) -> Response:
    return _problem(400, "the body ended early")


async def _bug(_: Request, __: Exception) -> Response:
    return _problem(500, "a bug; it is in the log")


def _away(detail: str) -> Response:
    return _problem(503, detail, headers={"Retry-After": str(RETRY_AFTER_SECONDS)})


def _problem(
    status: int,
    detail: str,
    *,
    headers: Mapping[str, str] | None = None,
    more: Mapping[str, object] | None = None,
) -> Response:
    """RFC 9457."""
    body = {
        "type": "about:blank", "title": HTTPStatus(status).phrase, "status": status,
        "detail": detail, **(more or {}),
    }  # fmt: skip
    return Response(
        to_json(body), status_code=status, media_type=PROBLEM,
        headers=None if headers is None else dict(headers),
    )  # fmt: skip


def _problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The refusals of a route, for its OpenAPI document."""
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {PROBLEM: {"schema": schema}},
        }
        for status in statuses
    }


_EVENT: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["specversion", "id", "source", "type", "data"],
    "properties": {
        "specversion": {"const": "1.0"},
        "id": {"type": "string", "minLength": 1, "maxLength": 200},
        "source": {"type": "string", "minLength": 1, "maxLength": 200},
        "type": {"enum": sorted(OPEN_TOPICS)},
        "time": {"type": "string", "format": "date-time"},
        "data": {"description": "the topic's payload: docs/contracts/schemas/"},
    },
}
_EVENTS_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            STRUCTURED: {"schema": _EVENT},
            BATCH: {"schema": {"type": "array", "items": _EVENT, "maxItems": 1000}},
            JSON: {"schema": {"description": "the payload alone; attributes in ce-… headers"}},
        },
    }
}
_WEBHOOK_BODY: Final[dict[str, Any]] = {
    "requestBody": {"required": True, "content": {JSON: {"schema": {"type": "object"}}}}
}
