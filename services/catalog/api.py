"""HTTP of the catalog: codes, records, imports; problem+json for every refusal."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Final
from zoneinfo import ZoneInfo

import asyncpg
from fastapi import APIRouter, Depends, FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic_core import to_json
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from services.catalog import metrics
from services.catalog.domain.codes import ANY, Question
from services.catalog.handlers import answering
from services.catalog.handlers.arriving import Arrival, TooLarge
from services.catalog.handlers.columns import layout_of
from services.catalog.handlers.importing import Busy, Importing, Job
from services.catalog.handlers.translating import MODELS
from services.catalog.repository.parking import PARKING
from shared.contracts.products import IdentifierScheme
from shared.http.parked import Replay, parked_router
from shared.postgres.connecting import TRANSIENT, Pool
from shared.telemetry.health import Health

PROBLEM: Final = "application/problem+json"
RETRY_AFTER_SECONDS: Final = 5
SCHEMES: Final = (ANY, *(scheme.value for scheme in IdentifierScheme))
STATUS_OF: Final = {
    "applied": 200, "checked": 200, "refused": 422, "failed": 500, "checking": 202, "accepted": 202,
}  # fmt: skip


class Refusal(Exception):  # noqa: N818  (it names what happened)
    """An answer that is no success."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers, self.more = status, detail, headers, more


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What an import may cost."""

    file_bytes_max: int
    read_seconds: float
    answer_seconds: float


def create(
    pool: Pool, importing: Importing, replay: Replay, health: Health, limits: Limits, *,
    is_allowed: Callable[[str], bool], now: Callable[[], datetime],
) -> FastAPI:  # fmt: skip
    """The application. `is_allowed` judges the authorization header of who imports or replays."""

    async def guard(request: Request) -> None:
        """Whoever changes anything shows the key."""
        if request.method != "GET" and not is_allowed(request.headers.get("authorization", "")):
            raise Refusal(
                401, "send the key as a bearer token", headers={"WWW-Authenticate": "Bearer"}
            )

    app = FastAPI(
        title="Stocktide catalog", version="1", docs_url=None, redoc_url=None,
        openapi_url="/v1/openapi.json", dependencies=[Depends(guard)],
    )  # fmt: skip
    app.router.routes.extend(health.routes())
    app.include_router(_codes(pool, now))
    app.include_router(_records(pool, now))
    app.include_router(_imports(pool, importing, limits))
    app.include_router(_reports(pool))
    app.include_router(parked_router(pool, PARKING, replay))
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(StarletteHTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _wrong_parameter)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(Exception, _bug)
    app.add_exception_handler(asyncpg.DataError, _no_such_text)
    for error in TRANSIENT:
        app.add_exception_handler(error, _database_away)
    return app


def _codes(pool: Pool, now: Callable[[], datetime]) -> APIRouter:
    router = APIRouter()

    @router.get("/v1/codes/{scheme}/{code:path}")
    async def code(
        scheme: str, code: str, channel: str | None = None, issuer: str | None = None,
        at: datetime | None = None,
    ) -> dict[str, object]:  # fmt: skip
        """Which SKU, and how many of its base units, the code is; a channel's own listing first."""
        if scheme not in SCHEMES:
            raise Refusal(404, f"no scheme is called {scheme}; there are {', '.join(SCHEMES)}")
        question = Question(
            scheme=scheme, code=code, channel=channel, issuer=issuer, at=_moment(at, now)
        )
        async with pool.acquire(timeout=5) as connection:
            found = await answering.answer_code(connection, question)
        metrics.ANSWERS.labels(found.outcome).inc()
        if found.outcome == "unknown":
            raise Refusal(
                404, f"nobody has told what {code} is at {question.at}", more=found.content
            )
        if found.outcome == "ambiguous":
            raise Refusal(409, f"{code} stands for several things; name an issuer or a channel, or "
                          "mend the records", more=found.content)  # fmt: skip
        return found.content

    return router


def _records(pool: Pool, now: Callable[[], datetime]) -> APIRouter:
    router = APIRouter()

    @router.get("/v1/records/{kind}")
    async def page(
        kind: str, after: str = "", limit: Annotated[int, Query(ge=1, le=1000)] = 100,
        *, deleted: bool = False,
    ) -> dict[str, object]:  # fmt: skip
        _require_kind(kind)
        async with pool.acquire(timeout=5) as connection:
            return await answering.answer_page(
                connection, kind, after=after, deleted=deleted, limit=limit
            )

    @router.get("/v1/records/{kind}/{thing:path}")
    async def record(kind: str, thing: str, at: datetime | None = None) -> dict[str, object]:
        """The record in force, and all dated records of the thing."""
        _require_kind(kind)
        moment = _moment(at, now)
        async with pool.acquire(timeout=5) as connection:
            found, dated = await answering.answer_record(connection, kind, thing, moment)
        if not dated:
            raise Refusal(404, f"nobody has told of the {kind} {thing}")
        if found is None:
            raise Refusal(
                404, f"no record of the {kind} {thing} holds at {moment}", more={"dated": dated}
            )
        return found | {"dated": dated}

    return router


def _imports(pool: Pool, importing: Importing, limits: Limits) -> APIRouter:
    router = APIRouter()

    @router.post("/v1/imports/{kind}")
    async def start(
        kind: str, request: Request, name: Annotated[str | None, Query(max_length=200)] = None,
        sheet: Annotated[str | None, Query(max_length=100)] = None, zone: str = "UTC",
        *, partial: bool = False, dry_run: bool = False,
    ) -> Response:  # fmt: skip
        """A file as the body; its report with 200 (it entered) or 422 (nothing did), or 202 and
        where to look while it is being worked on.
        """
        _require_kind(kind)
        zone_found = _zone(zone)
        arrival = await _arrived(request, limits)
        job = Job(
            kind=kind, file=arrival.file, sha256=arrival.finish(), name=name, sheet=sheet,
            zone=zone_found, is_partial=partial, is_dry_run=dry_run,
        )  # fmt: skip
        try:
            import_id, task = await importing.begin(job)
        except Busy:
            raise Refusal(409, "another file is being imported; send this one again afterwards",
                          headers={"Retry-After": str(RETRY_AFTER_SECONDS)}) from None  # fmt: skip
        await asyncio.wait({task}, timeout=limits.answer_seconds)
        return await _report(pool, import_id)

    return router


def _reports(pool: Pool) -> APIRouter:
    router = APIRouter()

    @router.get("/v1/imports/{import_id}")
    async def report(import_id: int) -> Response:
        return await _report(pool, import_id)

    @router.get("/v1/imports/{import_id}/{findings}")
    async def findings(
        import_id: int, findings: str, line: int = 0, finding_id: int = 0,
        limit: Annotated[int, Query(ge=1, le=1000)] = 1000,
    ) -> dict[str, object]:  # fmt: skip
        """All refusals or warnings, read on from after a line and finding."""
        if findings not in ("refusals", "warnings"):
            raise Refusal(404, "an import has refusals and warnings")
        async with pool.acquire(timeout=5) as connection:
            found = await answering.answer_findings(
                connection, import_id, is_refusal=findings == "refusals",
                after=(line, finding_id), limit=limit,
            )  # fmt: skip
        return {findings: found}

    @router.get("/v1/templates/{kind}")
    async def template(kind: str) -> Response:
        """The header of a kind's file."""
        _require_kind(kind)
        return Response(",".join(layout_of(kind).columns) + "\r\n", media_type="text/csv")

    return router


async def _report(pool: Pool, import_id: int) -> Response:
    async with pool.acquire(timeout=5) as connection:
        found = await answering.answer_import(connection, import_id)
    if found is None:
        raise Refusal(404, f"there is no import {import_id}")
    return JSONResponse(
        found, status_code=STATUS_OF[str(found["status"])],
        headers={"Location": f"/v1/imports/{import_id}"},
    )  # fmt: skip


async def _arrived(request: Request, limits: Limits) -> Arrival:
    """The body on the disk, read no further than its limit, whatever Content-Length says."""
    too_large = Refusal(413, f"the file has more than {limits.file_bytes_max} bytes")
    told = request.headers.get("content-length", "0")
    if told.isdecimal() and int(told) > limits.file_bytes_max:
        raise too_large
    arrival = Arrival(limits.file_bytes_max)
    try:
        async with asyncio.timeout(limits.read_seconds):
            async for part in request.stream():
                arrival.add(part)
    except BaseException as error:
        arrival.file.close()
        if isinstance(error, TooLarge):
            raise too_large from None
        if isinstance(error, TimeoutError):
            raise Refusal(408, f"the file took longer than {limits.read_seconds:.0f} s") from None
        raise
    return arrival


def _require_kind(kind: str) -> None:
    if kind not in MODELS:
        raise Refusal(404, f"no kind is called {kind}; there are {', '.join(MODELS)}")


def _zone(name: str) -> ZoneInfo:
    with suppress(ValueError, OSError, KeyError):  # what zoneinfo raises for names that are none
        return ZoneInfo(name)
    raise Refusal(422, f"zone: {name[:64]!r} is no time zone such as Europe/Paris")


def _moment(at: datetime | None, now: Callable[[], datetime]) -> datetime:
    """The moment asked for; without a zone it is UTC."""
    if at is None:
        return now()
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal), error
    return problem(error.status, error.detail, headers=error.headers, more=error.more)


async def _http_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, StarletteHTTPException), error
    return problem(error.status_code, str(error.detail), headers=error.headers)


async def _wrong_parameter(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError), error
    faults = (f"{'.'.join(map(str, f['loc'][1:]))}: {f['msg']}" for f in error.errors())
    return problem(422, "; ".join(faults))


async def _no_such_text(_: Request, __: Exception) -> Response:
    return problem(422, "a parameter holds what no record can")


async def _database_away(_: Request, __: Exception) -> Response:
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
    return problem(503, "the database is away; try again", headers=headers)


async def _gone(_: Request, __: Exception) -> Response:
    return problem(400, "the file ended early")


async def _bug(_: Request, __: Exception) -> Response:
    return problem(500, "a bug; it is in the log")


def problem(
    status: int, detail: str, *, headers: Mapping[str, str] | None = None,
    more: Mapping[str, object] | None = None,
) -> Response:  # fmt: skip
    """RFC 9457."""
    body = {
        "type": "about:blank", "title": HTTPStatus(status).phrase, "status": status,
        "detail": detail, **(more or {}),
    }  # fmt: skip
    return Response(
        to_json(body), status_code=status, media_type=PROBLEM,
        headers=None if headers is None else dict(headers),
    )  # fmt: skip
