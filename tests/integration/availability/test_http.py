"""HTTP: figures, places, pages, why; what is refused."""

import asyncio
import random
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from services.availability import api
from services.availability.handlers.answering import Answers
from services.availability.handlers.streaming import Stream
from services.availability.repository.progress import ProgressRows
from shared.cache.connecting import open_redis
from shared.cache.generations import GenerationMark
from shared.cache.reading import ViewReader
from shared.cache.versioned import VersionedStrings
from shared.telemetry.health import Health
from tests.integration.availability.bench import WEB, AvailabilityBench, a_level, a_policy


@pytest_asyncio.fixture(loop_scope="session")
async def answers(availability: AvailabilityBench, redis_url: str) -> AsyncIterator[Answers]:
    reader = ViewReader()
    redis = open_redis(redis_url, on_server=reader.on_server)
    reader.attach(VersionedStrings(redis, prefix="ats:"), GenerationMark(redis, name="ats-mark"))
    progress = ProgressRows(availability.pool)
    yield Answers(reader, availability.pool, progress, availability.clock, asyncio.Event())
    await redis.aclose()


@pytest_asyncio.fixture(loop_scope="session")
async def http(
    availability: AvailabilityBench, answers: Answers
) -> AsyncIterator[httpx.AsyncClient]:
    stream = Stream(keys_max=10, epoch="e")
    app = api.create(
        answers,
        stream,
        availability.pool,
        Health("test"),
        asyncio.Event(),
        replay=lambda ids: availability.handler.replay(availability.pool, ids),
    )
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


async def _settle(availability: AvailabilityBench, answers: Answers) -> None:
    await availability.progress.reach(availability.clock.now())
    for _ in range(3):
        availability.clock.advance(seconds=0.5)
        await availability.mirror.turn()
    await answers.refresh()


async def test_one_sku_through_all_its_channels_and_through_one(
    availability: AvailabilityBench, answers: Answers, http: httpx.AsyncClient
) -> None:
    await availability.refer(WEB | {"channel": "shop", "pool": ["L2"]})
    await availability.levels(a_level("a/b c", "L1", 5), a_level("a/b c", "L2", 2))
    await _settle(availability, answers)

    both = (await http.get("/v1/availability/a%2Fb%20c")).json()
    one = (await http.get("/v1/availability/a/b c", params={"channel": "shop"})).json()
    none = (await http.get("/v1/availability/a/b c", params={"channel": "nobody"})).json()

    assert {c: f["available_to_sell"] for c, f in both["channels"].items()} == {
        "web": 7, "shop": 2,
    }  # fmt: skip
    assert (both["sku"], both["stale"], both["age_seconds"]) == ("a/b c", False, 1.5)
    assert one["channels"] == {"shop": both["channels"]["shop"]}
    assert none["channels"] == {}


async def test_many_skus_at_once_with_those_that_nobody_knows(
    availability: AvailabilityBench, answers: Answers, http: httpx.AsyncClient
) -> None:
    await availability.levels(*[a_level(f"S{n}", "L1", n) for n in range(5)])
    await _settle(availability, answers)

    asked = {"skus": ["S4", "S2", "nobody", "S4"], "channel": "web"}
    answer = (await http.post("/v1/availability:query", json=asked)).json()

    found = [(f["sku"], f["channels"]["web"]["available_to_sell"]) for f in answer["figures"]]
    assert found == [("S4", 4), ("S2", 2)]
    assert answer["unknown"] == ["nobody"]


async def test_pages_of_a_channel_hold_every_sku_once(
    availability: AvailabilityBench, answers: Answers, http: httpx.AsyncClient
) -> None:
    await availability.levels(*[a_level(f"S{n}", "L1", n) for n in range(5)])
    await _settle(availability, answers)

    seen: dict[str, int] = {}
    after: str | None = ""
    while after is not None:
        page = (
            await http.get("/v1/channels/web/availability", params={"after": after, "limit": 2})
        ).json()
        assert not seen.keys() & page["figures"].keys()
        seen |= {sku: figure["available_to_sell"] for sku, figure in page["figures"].items()}
        after = page["next"]

    assert seen == {f"S{n}": n for n in range(5)}


async def test_the_places_of_a_sku(
    availability: AvailabilityBench, answers: Answers, http: httpx.AsyncClient
) -> None:
    await availability.levels(a_level("S1", "L1", 5, allocated=7, reserved=1))
    await _settle(availability, answers)

    answer = (await http.get("/v1/availability/S1/locations")).json()

    assert answer["locations"] == {"L1": {"sellable": 5, "reserved": 1, "allocated": 7, "free": -3}}


async def test_explain_adds_up_to_the_figure_for_any_sku_and_channel(
    availability: AvailabilityBench, http: httpx.AsyncClient
) -> None:
    chance = random.Random(7)
    await availability.refer(
        WEB | {"channel": "shop", "pool": ["L2", "L3"], "methods": ["home", "collect"]},
        a_policy("b", "location_buffer", 1),
        a_policy("k", "kept_for_store", 2, scope={"location": "L2"}),
        a_policy("c", "channel_buffer", 1, scope={"channel": "web"}),
        a_policy("s", "share_permille", 700),
        a_policy("x", "excluded", 1, scope={"location": "L3", "channel": "web"}),
        a_policy("m", "max_listed", 6, scope={"sku": "S3"}),
    )
    for sku in (f"S{n}" for n in range(20)):
        await availability.levels(
            *[
                a_level(sku, f"L{n}", chance.randrange(-3, 15), allocated=chance.randrange(5))
                for n in (1, 2, 3, 4)
            ]
        )
        explained = (await http.get(f"/v1/explain/{sku}")).json()

        for channel, shown in (await availability.shown(sku)).items():
            found = explained["channels"][channel]
            terms = found["terms"]
            places = found["locations"].values()
            assert terms["offered"] == sum(place["offered"] for place in places)
            assert terms["short"] == sum(place["short"] for place in places)
            pool = terms["offered"] + terms["ring_fenced"] - terms["short"] - terms["unsourced"]
            assert terms["pool"] == pool
            assert terms["shareable"] == max(0, pool - terms["channel_buffer"])
            cap = terms["share"] if terms["max_listed"] is None else terms["max_listed"]
            assert min(terms["share"], cap) == shown["available_to_sell"]


async def test_explain_names_the_winner_and_the_losers(
    availability: AvailabilityBench, http: httpx.AsyncClient
) -> None:
    await availability.refer(
        a_policy("all", "location_buffer", 1),
        a_policy("here", "location_buffer", 2, scope={"location": "L1"}),
    )
    await availability.levels(a_level("S1", "L1", 5))

    answer = await http.get("/v1/explain/S1", params={"channel": "web", "location": "L1"})

    spoken = answer.json()["channels"]["web"]["locations"]["L1"]["policies"]["location_buffer"]
    assert spoken == {
        "won": {"policy_id": "here", "value": 2, "scope": {"location": "L1"}},
        "lost": [{"policy_id": "all", "value": 1, "scope": {}}],
    }


async def test_a_view_that_was_never_whole_is_not_answered_from(
    availability: AvailabilityBench, answers: Answers, http: httpx.AsyncClient
) -> None:
    """C10 (d): three of twenty locations were read, and low sums would go out."""
    await availability.levels(a_level("S1", "L1", 5))
    await answers.refresh()

    answer = await http.get("/v1/availability/S1")

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/v1/availability/nobody", None, 404),
        ("GET", "/v1/availability/nobody/locations", None, 404),
        ("GET", "/v1/explain/nobody", None, 404),
        ("GET", "/v1/channels/nobody/availability", None, 404),
        ("GET", "/v1/channels/web/availability?limit=0", None, 422),
        ("GET", "/v1/channels/web/availability?after=%00", None, 422),
        ("GET", "/v1/availability/a%00b", None, 422),
        ("GET", "/v1/availability/" + "x" * 65, None, 422),
        ("POST", "/v1/availability:query", {"skus": []}, 422),
        ("POST", "/v1/availability:query", {"skus": ["\u0000"]}, 422),
        ("POST", "/v1/availability:query", {"skus": ["S"] * 501}, 422),
        ("POST", "/v1/view/rebuild", None, 202),
    ],
)
async def test_requests_that_are_refused_say_why(
    availability: AvailabilityBench, answers: Answers, http: httpx.AsyncClient,
    method: str, path: str, body: object, status: int,
) -> None:  # fmt: skip
    await _settle(availability, answers)

    answer = await http.request(method, path, json=body)

    assert answer.status_code == status, answer.text
    if status != 202:
        assert answer.json()["status"] == status
        assert answer.headers["content-type"] == "application/problem+json"
