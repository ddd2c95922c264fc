"""What Shopify's answers mean in shapes that no shop of ours would give: foreign ones, nonsense."""

from typing import Any

import pytest

from services.publication.channels.shopify.answers import (
    Reply,
    heard,
    outcomes_of,
    parsed,
    quantities,
    retry_seconds,
)
from services.publication.domain.outcomes import (
    Acknowledged,
    Failed,
    Outcome,
    Refused,
    Stale,
    Throttled,
    Unknown,
)
from tests.unit.publication.builders import wanted

ITEM = "gid://shopify/InventoryItem/1"


def a_reply(status: int = 200, body: Any = None, retry_after: str = "") -> Reply:
    return Reply(status=status, body=body or {}, retry_after=retry_after)


def an_error(code: str, **fields: Any) -> dict[str, Any]:
    """A top-level error."""
    return {"errors": [{"message": "m", "extensions": {"code": code}}]} | fields


def user_errors(*errors: Any) -> dict[str, Any]:
    """A result of the mutation."""
    return {"data": {"inventorySetQuantities": {"userErrors": list(errors)}}}


def a_cost(**status: Any) -> dict[str, Any]:
    """The extensions of an answer."""
    throttle = {"maximumAvailable": 2000, "currentlyAvailable": 4, "restoreRate": 100} | status
    return {"extensions": {"cost": {"requestedQueryCost": 10, "throttleStatus": throttle}}}


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        pytest.param(a_reply(429, retry_after="2.0"), Throttled(retry_after_seconds=2.0),
                     id="a_gateway's_429_without_a_body"),
        pytest.param(a_reply(429, retry_after="soon"), Throttled(), id="a_429_without_a_word"),
        pytest.param(a_reply(200, an_error("THROTTLED") | a_cost()),
                     Throttled(retry_after_seconds=0.06), id="throttled_in_http_200"),
        pytest.param(a_reply(200, an_error("INTERNAL_SERVER_ERROR")),
                     Unknown(code="INTERNAL_SERVER_ERROR"), id="an_inner_error_in_http_200"),
        pytest.param(a_reply(200, an_error("ACCESS_DENIED", data=None)),
                     Failed(code="ACCESS_DENIED"), id="a_scope_is_missing"),
        pytest.param(a_reply(401, {"errors": "[API] Invalid API key"}), Failed(code="http_401"),
                     id="errors_may_be_a_text"),
        pytest.param(a_reply(302), Failed(code="http_302"), id="a_redirection_is_not_followed"),
        pytest.param(a_reply(502), Unknown(code="http_502"), id="a_gateway_in_between"),
        pytest.param(a_reply(200), Unknown(code="nonsense", detail="HTTP 200 without a result"),
                     id="nothing_at_all"),
        pytest.param(a_reply(200, {"data": {"inventorySetQuantities": None}}),
                     Unknown(code="nonsense", detail="HTTP 200 without a result"), id="null"),
        pytest.param(a_reply(200, an_error("MAX_INPUT_SIZE_EXCEEDED")),
                     Failed(code="MAX_INPUT_SIZE_EXCEEDED", is_oversized=True), id="too_many"),
        pytest.param(a_reply(200, an_error("INVALID_VARIABLE")),
                     Failed(code="INVALID_VARIABLE", is_oversized=True), id="one_of_them_is_odd"),
        pytest.param(a_reply(200, user_errors()), Acknowledged(), id="taken"),
        pytest.param(a_reply(200, user_errors({"code": "IDEMPOTENCY_CONCURRENT_REQUEST"})),
                     Unknown(code="IDEMPOTENCY_CONCURRENT_REQUEST"), id="under_way_elsewhere"),
        pytest.param(a_reply(200, user_errors({"code": "NEW", "field": None}, 7)),
                     Failed(code=""), id="errors_nobody_knows"),
    ],
)  # fmt: skip
def test_an_answer_for_the_whole_call(reply: Reply, outcome: Outcome) -> None:
    found = outcomes_of(reply, [wanted(1), wanted(2)])

    assert found == {1: outcome, 2: outcome}


def test_an_odd_entry_alone_is_refused() -> None:
    found = outcomes_of(a_reply(200, an_error("INVALID_VARIABLE")), [wanted(1)])

    assert found == {1: Refused(code="INVALID_VARIABLE")}


@pytest.mark.parametrize(
    "field",
    [
        ["input", "quantities", "1"], ["input", "quantities", 1, "changeFromQuantity"],
        ["quantities", "1", "quantity"],
    ],
    ids=["short", "a_number", "without_input"],
)  # fmt: skip
def test_an_index_is_found_in_any_path_that_has_one(field: list[object]) -> None:
    error = {"code": "CHANGE_FROM_QUANTITY_STALE", "field": field}

    found = outcomes_of(a_reply(200, user_errors(error)), [wanted(1), wanted(2)])

    assert isinstance(found[1], Failed)
    assert not found[1].is_oversized
    assert found[2] == Stale()


@pytest.mark.parametrize(
    "field", [["input", "quantities", "2"], ["input", "quantities", "-1"], "quantities.1", None]
)
def test_an_index_that_is_none_is_looked_for_in_smaller_calls(field: object) -> None:
    error = {"code": "INVALID_INVENTORY_ITEM", "field": field}

    found = outcomes_of(a_reply(200, user_errors(error)), [wanted(1), wanted(2)])

    assert all(isinstance(o, Failed) and o.is_oversized for o in found.values())


@pytest.mark.parametrize(
    "status",
    [
        {"restoreRate": 0}, {"restoreRate": float("nan")}, {"maximumAvailable": None},
        {"currentlyAvailable": -5}, {"currentlyAvailable": "4"}, {"maximumAvailable": 10**400},
    ],
)  # fmt: skip
def test_a_budget_without_sense_is_not_heard(status: dict[str, Any]) -> None:
    assert heard(a_reply(200, a_cost(**status))) is None


def test_a_bucket_smaller_than_a_call_still_lets_one_go() -> None:
    found = heard(a_reply(200, a_cost(maximumAvailable=5)))

    assert found is not None
    assert (found.remaining, found.burst) == (0.4, 1.0)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("2", 2.0), ("1.5", 1.5), ("999999", 3600.0), ("nan", None), ("-1", None)],
)
def test_a_wait_is_read_within_reason(header: str, seconds: float | None) -> None:
    assert retry_seconds(a_reply(429, retry_after=header)) == seconds


@pytest.mark.parametrize("text", ["", "<html>", "[1]", "7", "[" * 100_000])
def test_what_is_no_object_is_nothing(text: str) -> None:
    assert parsed(text) == {}


def test_levels_that_make_no_sense_show_nothing() -> None:
    def level(quantity: object) -> dict[str, Any]:
        return {"id": ITEM, "inventoryLevel": {"quantities": [
            {"name": "on_hand", "quantity": 9}, {"name": "available", "quantity": quantity},
        ]}}  # fmt: skip

    found = [quantities(a_reply(200, {"data": {"nodes": [level(n)]}})) for n in (-2, "7", 2**40)]

    assert found == [{ITEM: -2}, {ITEM: None}, {ITEM: None}]
    assert quantities(a_reply(200, {"data": {"nodes": "none"}})) is None
    assert quantities(a_reply(200, an_error("INTERNAL_SERVER_ERROR", data={"nodes": []}))) is None
