"""Movements: what is refused, what is tolerated, and between which accounts the units go."""

import json

import pytest

from shared.contracts.accounts import (
    Account,
    Bucket,
    CountsAs,
    MovementType,
    counts_as,
    default_accounts,
)
from shared.contracts.movements import (
    StockMovement,
    accounts_of,
    decode_movements,
    fact_id,
    movement_id,
)
from shared.contracts.records import Undecodable, UndecodableReason

from .hostile import a_movement_value, a_movement_with

INVALID, UNKNOWN_TYPE, MALFORMED = (
    UndecodableReason.INVALID,
    UndecodableReason.UNKNOWN_TYPE,
    UndecodableReason.MALFORMED,
)


def the_movement(value: bytes) -> StockMovement:
    """The one movement that a value holds."""
    (movement,) = decode_movements([value])
    assert isinstance(movement, StockMovement), movement
    return movement


@pytest.mark.parametrize(
    ("field", "text"),
    [
        pytest.param("sku", '"a\\u0000b"', id="a_nul"),
        pytest.param("sku", '"a\\nb"', id="a_control_character"),
        pytest.param("sku", '""', id="an_empty_sku"),
        pytest.param("sku", '"' + "x" * 65 + '"', id="a_long_sku"),
        pytest.param("sku", '"a|b"', id="the_separator_of_keys"),
        pytest.param("sku", "12", id="a_number_for_a_sku"),
        pytest.param("quantity", '"3"', id="a_text_for_a_number"),
        pytest.param("quantity", "3.0", id="a_float"),
        pytest.param("quantity", "1e2", id="a_float_without_a_point"),
        pytest.param("quantity", "true", id="a_boolean"),
        pytest.param("quantity", "null", id="nothing"),
        pytest.param("quantity", "0", id="a_sale_of_nothing"),
        pytest.param("quantity", "-1", id="a_negative_quantity"),
        pytest.param("quantity", "1000000001", id="more_than_a_billion"),
        pytest.param("quantity", "9223372036854775808", id="two_to_the_63"),
        pytest.param("quantity", "123456789012345678901234567890", id="thirty_digits"),
        pytest.param("quantity", "NaN", id="not_a_number"),
        pytest.param("quantity", "Infinity", id="infinity"),
        pytest.param("occurred_at", '"2026-03-02T10:15:00"', id="a_time_without_zone"),
        pytest.param("occurred_at", '"2026-03-02"', id="a_date"),
        pytest.param("occurred_at", "1772443000", id="unix_seconds"),
        pytest.param("occurred_at", '"1772443000"', id="unix_seconds_as_text"),
        pytest.param("occurred_at", '"1999-12-31T23:59:59Z"', id="the_last_century"),
        pytest.param("occurred_at", '"2101-01-01T00:00:00Z"', id="the_next_century"),
        pytest.param("occurred_at", '"10000-01-01T00:00:00Z"', id="the_year_10000"),
        pytest.param("occurred_at", '"9999-12-31T23:59:59-14:00"', id="past_the_last_year"),
        pytest.param("unit_cost", "1.5", id="money_as_a_float"),
        pytest.param("unit_cost", "1", id="money_as_a_number"),
        pytest.param("unit_cost", '"NaN"', id="money_that_is_no_number"),
        pytest.param("unit_cost", '"1e3"', id="money_with_an_exponent"),
        pytest.param("unit_cost", '"１.00"', id="money_in_other_digits"),
        pytest.param("unit_cost", '"1234567890123.00"', id="too_much_money"),
        pytest.param("serials", '["a", ""]', id="an_empty_serial"),
        pytest.param("serials", json.dumps(["s"] * 1001), id="too_many_serials"),
        pytest.param("type", "5", id="a_number_for_a_type"),
        pytest.param("document", '{"kind": "ticket"}', id="a_document_without_a_number"),
        pytest.param("document", '{"kind":"t","number":"1","revision":-1}', id="a_revision"),
        pytest.param("document", '{"kind":"t","number":"1","line":1}', id="a_line_that_is_no_text"),
        pytest.param("to_location", "[]", id="a_list_for_a_location"),
        pytest.param("corrects", '{"occurred_at":"2026-03-02T10:15:00Z"}', id="corrects_nothing"),
        pytest.param("to", '{"bucket":"sellable"}', id="from_an_account_to_itself"),
    ],
)  # fmt: skip
def test_a_value_that_the_database_or_a_rule_cannot_take_is_invalid(field: str, text: str) -> None:
    (refused,) = decode_movements([a_movement_with(field, text)])

    assert isinstance(refused, Undecodable), refused
    assert refused.reason is INVALID
    assert "\x00" not in refused.detail


@pytest.mark.parametrize(
    "value",
    [b"", b"x", b"[]", b"null", b"1", b'"sale"', b"{", b'{"a":1}{', b"\xff", b'{"sku":"\xff"}',
     b'{"sku":"\\ud800"}', b"[" * 5000, a_movement_value() + b",", a_movement_value() * 2, None],
)  # fmt: skip
def test_a_value_that_is_no_object_is_malformed(value: bytes | None) -> None:
    (refused,) = decode_movements([value])

    assert isinstance(refused, Undecodable)
    assert refused.reason is MALFORMED


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"type": "teleport"}, id="a_new_type"),
        pytest.param({"type": "teleport", "quantity": -1}, id="a_new_type_with_other_rules"),
        pytest.param({"from": {"bucket": "mezzanine"}}, id="a_new_bucket"),
        pytest.param({"reason": {"code": "x", "class": "new"}}, id="a_new_reason_class"),
    ],
)
def test_what_a_newer_writer_may_know_is_unknown_and_not_invalid(
    changes: dict[str, object],
) -> None:
    (refused,) = decode_movements([a_movement_value(**changes)])

    assert isinstance(refused, Undecodable)
    assert refused.reason is UNKNOWN_TYPE


def test_unknown_fields_are_tolerated_and_python_names_are_not_contract_names() -> None:
    movement = the_movement(a_movement_value(colour="blue", from_={"bucket": "display"}))

    assert movement.from_ is None


def test_of_a_field_that_comes_twice_the_last_counts() -> None:
    value = a_movement_value().replace(b'"quantity": 1', b'"quantity": 1, "quantity": 5')

    assert the_movement(value).quantity == 5


def test_a_bad_value_neither_harms_nor_helps_its_neighbours() -> None:
    good = a_movement_value()
    halves = [good + b',{"x":[{}', b"{}]}"]

    results = decode_movements([good, *halves, b"", good + b"," + good, b"\x00", None, good])

    assert [isinstance(r, StockMovement) for r in results] == [True, *[False] * 6, True]


@pytest.mark.parametrize(
    ("changes", "came_from", "goes_to"),
    [
        pytest.param({}, ("L1", "sellable", "own"), ("L1", "customer", "own"), id="a_sale"),
        pytest.param(
            {"type": "return"}, ("L1", "customer", "own"), ("L1", "quality_hold", "own"),
            id="a_return_waits_for_grading",
        ),
        pytest.param(
            {"type": "transfer_dispatch", "to_location": "L2"},
            ("L1", "sellable", "own"), ("L2", "in_transit", "own"),
            id="a_dispatch_is_in_transit_at_its_destination",
        ),
        pytest.param(
            {"type": "transfer_receipt", "location": "L2"},
            ("L2", "in_transit", "own"), ("L2", "sellable", "own"),
            id="a_transfer_receipt_is_recorded_at_its_destination",
        ),
        pytest.param(
            {"type": "transfer_receipt", "location": "L1", "to_location": "L2"},
            ("L2", "in_transit", "own"), ("L2", "sellable", "own"),
            id="a_transfer_receipt_may_name_both_places",
        ),
        pytest.param(
            {"type": "shipment", "from": {"bucket": "picked"}},
            ("L1", "picked", "own"), ("L1", "customer", "own"),
            id="what_was_set_aside_is_shipped",
        ),
        pytest.param(
            {"from": {"owner": "SUP-3"}}, ("L1", "sellable", "SUP-3"), ("L1", "customer", "own"),
            id="consigned_goods_are_sold",
        ),
        pytest.param(
            {"type": "adjustment", "reason": {"code": "x"}, "from": {"bucket": "damaged"}},
            ("L1", "damaged", "own"), ("L1", "adjustment", "own"),
            id="a_loss",
        ),
        pytest.param(
            {"type": "adjustment", "reason": {"code": "x"}, "to": {"bucket": "damaged"}},
            ("L1", "adjustment", "own"), ("L1", "damaged", "own"),
            id="a_find",
        ),
        pytest.param(
            {"type": "conversion", "to": {}},
            ("L1", "conversion", "own"), ("L1", "sellable", "own"),
            id="what_a_conversion_makes",
        ),
        pytest.param(
            {"type": "count", "quantity": 0},
            ("L1", "adjustment", "own"), ("L1", "sellable", "own"),
            id="a_count_may_find_nothing",
        ),
    ],
)  # fmt: skip
def test_a_movement_goes_between_the_accounts_of_its_type(
    changes: dict[str, object], came_from: tuple[str, str, str], goes_to: tuple[str, str, str]
) -> None:
    movement = the_movement(a_movement_value(**changes))

    accounts = accounts_of(movement)

    assert accounts == (came_from, goes_to)
    assert all(isinstance(account, Account) for account in accounts)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"type": "adjustment", "from": {"bucket": "sellable"}}, id="without_a_reason"),
        pytest.param({"type": "disposal"}, id="disposal_without_a_reason"),
        pytest.param({"type": "adjustment", "reason": {"code": "x"}}, id="which_way"),
        pytest.param({"type": "conversion"}, id="conversion_which_way"),
        pytest.param({"type": "transfer_dispatch"}, id="dispatch_without_a_destination"),
        pytest.param({"type": "transfer_dispatch", "to_location": "L1"}, id="dispatch_to_itself"),
    ],
)
def test_types_with_rules_of_their_own_are_held_to_them(changes: dict[str, object]) -> None:
    (refused,) = decode_movements([a_movement_value(**changes)])

    assert isinstance(refused, Undecodable)
    assert refused.reason is INVALID


def test_every_type_has_default_accounts_of_which_one_at_least_is_inside() -> None:
    for type_ in MovementType:
        kinds = [counts_as(bucket) for bucket in default_accounts(type_)]
        assert kinds != [CountsAs.OUTSIDE, CountsAs.OUTSIDE], type_

    assert {counts_as(bucket) for bucket in Bucket} == set(CountsAs)


def test_the_same_fact_by_two_roads_has_one_id_and_a_reversal_can_name_it() -> None:
    document = {"kind": "ticket", "number": "77", "line": "1"}
    by_webhook = the_movement(a_movement_value(document=document))
    by_poll = the_movement(
        a_movement_value(document=document, occurred_at="2026-03-02T09:15:00.750Z")
    )
    reversal = the_movement(
        a_movement_value(
            type="return", reverses={"occurred_at": "2026-03-02T09:15:00Z", "document": document}
        )
    )

    first = movement_id(by_webhook, source="shop", ce_id="a")

    assert movement_id(by_poll, source="shop", ce_id="b") == first
    assert reversal.reverses is not None
    assert fact_id(reversal.reverses, reversal, source="shop") == first


def test_without_a_document_the_message_names_the_fact() -> None:
    sale = the_movement(a_movement_value())
    reversal = the_movement(
        a_movement_value(reverses={"occurred_at": "2026-03-02T09:15:00Z", "id": "m-1"})
    )

    first = movement_id(sale, source="till", ce_id="m-1")

    assert movement_id(sale, source="till", ce_id="m-2") != first
    assert movement_id(sale, source="other", ce_id="m-1") != first
    assert reversal.reverses is not None
    assert fact_id(reversal.reverses, reversal, source="till") == first
