"""HTTP of availability: figures of one SKU or many, by channel, by location; why; a stream."""

import asyncio
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, FastAPI, Header, HTTPException, Path, Query, Request
from fastapi.exceptions import RequestValidationError
from pydantic import AwareDatetime, BaseModel, Field
from pydantic_core import to_json
from starlette.applications import Starlette
from starlette.responses import Response, StreamingResponse

from services.availability.domain.levels import Level
from services.availability.handlers.answering import Answers, Found, is_stale
from services.availability.handlers.explaining import PartTold, Told, explain, explain_at
from services.availability.handlers.promising import promise
from services.availability.handlers.streaming import Stream
from services.availability.repository import packing, reading
from services.availability.repository.parking import PARKING
from services.availability.repository.progress import ProgressRows
from shared.contracts.fields import QUANTITY_MAX, ChannelId, LocationId, Sku
from shared.http.parked import Replay, parked_router
from shared.postgres.connecting import TRANSIENT, Pool
from shared.telemetry.health import Health

Application = FastAPI | Starlette

JSON = "application/json"
PROBLEM = "application/problem+json"
KEYS_MAX = 500
PAGE_MAX = 1_000
RETRY_AFTER_SECONDS = 2

SkuPath = Annotated[Sku, Path()]
ChannelQuery = Annotated[ChannelId | None, Query()]


class Wanted(BaseModel):
    """Which figures to read: SKUs, through one channel or through all."""

    skus: Annotated[list[Sku], Field(min_length=1, max_length=KEYS_MAX)]
    channel: ChannelId | None = None


class Booked(BaseModel):
    """A level as the ledger had it at a past moment; signed."""

    location: LocationId
    sellable: int
    reserved: int = 0
    allocated: int = 0
    suspended: bool = False


class PartBooks(BaseModel):
    """The ledger's answer about one SKU."""

    levels: Annotated[list[Booked], Field(max_length=10_000)]
    unsourced: int = Field(0, ge=0)

    def levels_told(self) -> dict[str, Level]:
        """The levels by location."""
        return {
            one.location: Level(0, one.sellable, one.reserved, one.allocated, one.suspended)
            for one in self.levels
        }


class Books(PartBooks):
    """The ledger's answer about a SKU `at` a past moment, to be explained with the policies of
    then; where it was a kit, `parts` are the answers about what it was made of.
    """

    at: AwareDatetime
    parts: Annotated[dict[Sku, PartBooks], Field(max_length=100)] = Field(default_factory=dict)

    def told(self) -> Told:
        """As the formula takes it."""
        parts = {
            sku: PartTold(levels=books.levels_told(), unsourced=books.unsourced)
            for sku, books in self.parts.items()
        }
        return Told(at=self.at, levels=self.levels_told(), unsourced=self.unsourced, parts=parts)


def probes(health: Health) -> Starlette:
    """Only the probes, for a worker."""
    return Starlette(routes=health.routes())


def create(
    answers: Answers,
    stream: Stream,
    pool: Pool,
    health: Health,
    closing: asyncio.Event,
    *,
    replay: Replay,
) -> FastAPI:
    """The application of the api role."""
    app = FastAPI(title="Stocktide availability", version="1", docs_url=None, redoc_url=None)
    app.router.routes.extend(health.routes())
    app.include_router(_figures(answers))
    app.include_router(_pages(answers, pool))
    app.include_router(_explaining(answers, pool))
    app.include_router(_streaming(stream, closing))
    app.include_router(parked_router(pool, PARKING, replay))
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    for error in TRANSIENT:
        app.add_exception_handler(error, _away)
    return app


def _figures(answers: Answers) -> APIRouter:
    router = APIRouter()

    # The longer path first: a SKU may hold a slash.
    @router.get("/v1/availability/{sku:path}/locations")
    async def locations(sku: SkuPath) -> Response:
        (found,) = await _find(answers, [sku])
        levels = packing.unpack_behind(_known(found, sku).view)["levels"]
        by_location = {
            name: {
                "sellable": level[0],
                "reserved": level[1],
                "allocated": level[2],
                "free": level[0] - level[1] - level[2],
            }
            for name, level in levels.items()
        }
        return _json(_head(answers, _known(found, sku)) + b'"locations":' + to_json(by_location))

    @router.get("/v1/availability/{sku:path}")
    async def one(sku: SkuPath, channel: ChannelQuery = None) -> Response:
        (found,) = await _find(answers, [sku])
        return _json(_answer(answers, _known(found, sku), channel))

    @router.post("/v1/availability:query")
    async def many(wanted: Wanted) -> Response:
        skus = list(dict.fromkeys(wanted.skus))
        found = await _find(answers, skus)
        parts = [_answer(answers, f, wanted.channel) + b"}" for f in found if f is not None]
        unknown = [sku for sku, f in zip(skus, found, strict=True) if f is None]
        body = b'{"figures":[' + b",".join(parts) + b'],"unknown":' + to_json(unknown)
        return _json(body)

    return router


def _pages(answers: Answers, pool: Pool) -> APIRouter:
    router = APIRouter()

    @router.get("/v1/channels/{channel}/availability")
    async def of_channel(
        channel: Annotated[ChannelId, Path()],
        after: Annotated[str, Query(max_length=64, pattern=r"^[^\x00]*$")] = "",
        limit: Annotated[int, Query(ge=1, le=PAGE_MAX)] = 100,
    ) -> Response:
        if not answers.is_built:
            raise _building()
        if not await reading.has_channel(pool, channel):
            raise HTTPException(404, f"no channel is called {channel}")
        entries = await reading.page(pool, after, limit)
        figures = {
            entry.sku: shown[channel]
            for entry in entries
            if channel in (shown := packing.unpack_shown(entry.view))
        }
        age = answers.age_seconds(from_redis=False)
        last = entries[-1].sku if len(entries) == limit else None
        page = {
            "channel": channel, "age_seconds": _rounded(age), "stale": is_stale(age),
            "figures": figures, "next": last,
        }  # fmt: skip
        return Response(to_json(page), media_type=JSON)

    @router.post("/v1/view/rebuild", status_code=202)
    async def rebuild() -> dict[str, str]:
        await ProgressRows(pool).ask_rebuild()
        return {"rebuild": "asked for"}

    return router


def _explaining(answers: Answers, pool: Pool) -> APIRouter:
    router = APIRouter()

    @router.get("/v1/promise/{sku:path}")
    async def promised(
        sku: SkuPath,
        channel: Annotated[ChannelId, Query()],
        by: AwareDatetime | None = None,
        quantity: Annotated[int | None, Query(ge=1, le=QUANTITY_MAX)] = None,
    ) -> Response:
        """What may be promised by a moment (now): available, and what arrives by then, less what
        is accepted for later. With a quantity: from when on so many can be.
        """
        if not answers.is_built:
            raise _building()
        found = await promise(pool, sku, channel, by, quantity)
        if found is None:
            raise HTTPException(404, f"{channel} has no figure of the SKU {sku}")
        return Response(to_json(found), media_type=JSON)

    @router.get("/v1/explain/{sku:path}")
    async def why(
        sku: SkuPath,
        channel: ChannelQuery = None,
        location: Annotated[LocationId | None, Query()] = None,
    ) -> Response:
        explained = await explain(pool, sku, channel, location)
        if explained is None:
            raise HTTPException(404, f"nobody has told us of the SKU {sku}")
        return Response(to_json(explained), media_type=JSON)

    @router.post("/v1/explain/{sku:path}")
    async def why_then(
        sku: SkuPath,
        books: Books,
        channel: ChannelQuery = None,
        location: Annotated[LocationId | None, Query()] = None,
    ) -> Response:
        """Why it was that many: the caller brings the ledger's books of then."""
        explained = await explain_at(pool, sku, books.told(), channel, location)
        return Response(to_json(explained), media_type=JSON)

    return router


def _streaming(stream: Stream, closing: asyncio.Event) -> APIRouter:
    router = APIRouter()

    @router.get("/v1/stream", response_class=StreamingResponse)
    async def events(
        channel: ChannelQuery = None,
        last_event_id: Annotated[str | None, Header(max_length=100)] = None,
    ) -> StreamingResponse:
        if stream.is_full:
            raise HTTPException(503, "too many streams are open", {"Retry-After": "10"})
        told = stream.events(channel=channel, last_event_id=last_event_id, closing=closing)
        return StreamingResponse(
            told, media_type="text/event-stream", headers={"Cache-Control": "no-store"}
        )

    return router


async def _find(answers: Answers, skus: list[str]) -> list[Found | None]:
    if not answers.is_built:
        raise _building()
    return await answers.find(skus)


def _building() -> HTTPException:
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
    return HTTPException(503, "the view is being built for the first time", headers)


def _known(found: Found | None, sku: str) -> Found:
    if found is None:
        raise HTTPException(404, f"nobody has told us of the SKU {sku}")
    return found


def _head(answers: Answers, found: Found) -> bytes:
    """An open JSON object: whose figures, under which version, how old."""
    age = answers.age_seconds(from_redis=found.from_redis)
    head = {
        "sku": found.sku, "version": found.version, "age_seconds": _rounded(age),
        "stale": is_stale(age),
    }  # fmt: skip
    return to_json(head)[:-1] + b","


def _rounded(age_seconds: float | None) -> float | None:
    return None if age_seconds is None else round(age_seconds, 3)


def _answer(answers: Answers, found: Found, channel: str | None) -> bytes:
    """An open JSON object with the figures; all channels go out as they are stored, unread."""
    head = _head(answers, found)
    if channel is None:
        return head + b'"channels":' + found.shown
    shown = packing.unpack_shown(found.view).get(channel)
    chosen = {} if shown is None else {channel: shown}
    return head + b'"channels":' + to_json(chosen)


def _json(open_object: bytes) -> Response:
    return Response(open_object + b"}", media_type=JSON)


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException), error
    return _problem(error.status_code, str(error.detail), headers=error.headers)


async def _invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError), error
    faults = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()]
    return _problem(422, "; ".join(faults)[:1_000])


async def _away(_: Request, error: Exception) -> Response:
    del error
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
    return _problem(503, "the database is away, and Redis doesn't know", headers=headers)


def _problem(status: int, detail: str, *, headers: object = None) -> Response:
    """RFC 9457."""
    assert headers is None or isinstance(headers, dict), headers
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    return Response(to_json(body), status_code=status, media_type=PROBLEM, headers=headers)
