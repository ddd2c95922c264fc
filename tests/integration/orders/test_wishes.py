"""Order states in, commands out."""

import pytest

from shared.contracts.partitions import partition_for
from shared.kafka.batches import Fenced
from tests.integration.orders.bench import S1, WEB, OrdersBench, a_line, an_order


async def test_a_confirmed_order_sends_one_command_a_line(orders: OrdersBench) -> None:
    await orders.order(an_order(a_line(), a_line(line_id="2", sku="S2", quantity=1)))

    sent = await orders.sent()

    assert {(m.key, m.partition) for m in sent} == {
        (b"O1|1", partition_for(b"S1", 8)),
        (b"O1|2", partition_for(b"S2", 8)),
    }
    assert {m.topic for m in sent} == {"stock-commands-v1"}
    assert [(c["sku"], c["wanted"], c["candidates"]) for c in await orders.commands()] == [
        ("S1", 2, ["L1", "L2"]),
        ("S2", 1, ["L1", "L2"]),
    ]


async def test_what_is_sent_has_all_that_the_ledger_needs(orders: OrdersBench) -> None:
    await orders.order(an_order(a_line(method="home", requested_for="2027-03-01T00:00:00Z")))

    value = (await orders.sent_values())[0]

    assert value.pop("revision")
    assert value == {
        "order_id": "O1", "line_id": "1", "sku": "S1", "wanted": 2, "candidates": ["L1", "L2"],
        "may_split": True, "channel": "web", "method": "home", "closed": False,
        "requested_for": "2027-03-01T00:00:00Z", "ordered_at": "2026-06-01T09:00:00Z", "kit": [],
        "short_at": [],
    }  # fmt: skip


async def test_the_same_state_told_again_sends_nothing(orders: OrdersBench) -> None:
    await orders.order(an_order(), an_order())
    await orders.sent()

    await orders.order(an_order())
    await orders.order(an_order(version=2))

    assert await orders.sent() == []
    assert len(await orders.commands()) == 1


async def test_an_older_state_changes_nothing(orders: OrdersBench) -> None:
    await orders.order(an_order(a_line(quantity=5), version=3))
    await orders.order(an_order(a_line(quantity=2), version=2))

    assert await orders.wish() == ("S1", 5, ["L1", "L2"])


async def test_each_change_of_the_wish_raises_the_revision(orders: OrdersBench) -> None:
    revisions = []
    for version, quantity in enumerate((2, 5, 1), start=1):
        await orders.order(an_order(a_line(quantity=quantity), version=version))
        revisions.append((await orders.commands())[0]["revision"])

    assert revisions == sorted({int(str(r)) for r in revisions})
    assert len(revisions) == 3


async def test_a_cancelled_order_wants_nothing(orders: OrdersBench) -> None:
    await orders.order(an_order())

    await orders.order(an_order(version=2, state="cancelled"))

    assert await orders.wish() == ("S1", 0, ["L1", "L2"])
    assert (await orders.line())["reason"] == "nothing_left"


async def test_a_cancel_within_the_same_second_is_not_lost(orders: OrdersBench) -> None:
    told = {"version": None, "updated_at": "2026-06-01T10:00:00Z"}

    await orders.order(an_order(**told, state="cancelled"))
    await orders.order(an_order(**told))

    assert await orders.commands() == []


async def test_cancelled_units_never_come_back(orders: OrdersBench) -> None:
    await orders.order(an_order(a_line(quantity=5, cancelled=3), version=1))
    await orders.order(an_order(a_line(quantity=5, cancelled=0), version=2))

    assert await orders.wish() == ("S1", 2, ["L1", "L2"])


async def test_a_line_that_the_order_no_longer_names_wants_nothing(orders: OrdersBench) -> None:
    await orders.order(an_order(a_line(), a_line(line_id="2", sku="S2")))

    await orders.order(an_order(a_line(), version=2))

    wanted = {c["line_id"]: c["wanted"] for c in await orders.commands()}
    assert wanted == {"1": 2, "2": 0}


async def test_shipped_units_stay_wanted_since_only_the_movement_consumes(
    orders: OrdersBench,
) -> None:
    await orders.order(an_order())

    await orders.order(an_order(a_line(shipped=2), version=2, state="closed"))

    assert await orders.wish() == ("S1", 2, ["L1", "L2"])


async def test_before_the_channel_holds_stock_nothing_is_sent(orders: OrdersBench) -> None:
    await orders.order(an_order(state="pending_payment"))
    assert await orders.sent() == []

    await orders.order(an_order(version=2))

    assert len(await orders.sent()) == 1


async def test_a_channel_that_holds_earlier_from_now_on_gets_its_orders_held(
    orders: OrdersBench,
) -> None:
    await orders.order(an_order(state="pending_payment"))

    await orders.refer(WEB | {"holds_from": "pending_payment", "revision": 1})

    assert await orders.wish() == ("S1", 2, ["L1", "L2"])


async def test_lines_that_others_fulfil_send_nothing(orders: OrdersBench) -> None:
    await orders.refer(
        {"kind": "listing", "channel": "web", "listing_id": "A1", "sku": "S1",
         "fulfilled_by": "channel"}
    )  # fmt: skip

    await orders.order(
        an_order(
            a_line(fulfilled_by="channel"),
            a_line(line_id="2", fulfilled_by="supplier"),
            {"line_id": "3", "listing": "A1", "quantity": 1},
        )
    )

    assert await orders.commands() == []


async def test_the_place_that_the_channel_has_chosen_is_respected(orders: OrdersBench) -> None:
    await orders.order(an_order(a_line(fulfil_from="L7")))

    assert await orders.wish() == ("S1", 2, ["L7"])


async def test_a_place_that_looked_in_vain_is_no_candidate_any_more(orders: OrdersBench) -> None:
    await orders.order(an_order(a_line(fulfil_from="L1")))

    short = {
        "line_id": "1",
        "location": "L1",
        "quantity": 2,
        "state": "short",
        "at": "2026-06-01T11:00:00Z",
    }
    await orders.order(an_order(a_line(fulfil_from="L1"), version=2, fulfilments=[short]))

    assert await orders.wish() == ("S1", 2, ["L2"])


async def test_a_line_that_changes_its_sku_is_closed_for_the_old_one(orders: OrdersBench) -> None:
    await orders.order(an_order())
    await orders.sent()

    await orders.order(an_order(a_line(sku="S2"), version=2))

    closed, new = await orders.sent_values()
    assert (closed["sku"], closed["wanted"], closed["closed"]) == ("S1", 0, True)
    assert (new["sku"], new["wanted"], new["closed"]) == ("S2", 2, False)
    assert int(str(closed["revision"])) + 1 == new["revision"]


async def test_a_line_may_come_back_to_its_first_sku(orders: OrdersBench) -> None:
    for version, sku in enumerate(("S1", "S2", "S1"), start=1):
        await orders.order(an_order(a_line(sku=sku), version=version))

    assert [(c["sku"], c["wanted"], c["closed"]) for c in await orders.commands()] == [
        ("S2", 0, True),
        ("S1", 2, False),
    ]


async def test_a_served_line_keeps_its_places_when_the_pool_changes(orders: OrdersBench) -> None:
    await orders.order(an_order())
    await orders.answered()

    await orders.refer(WEB | {"pool": ["L3"], "revision": 1})
    await orders.order(an_order(version=2, zone="FR-75"))

    assert await orders.wish() == ("S1", 2, ["L1", "L2"])


@pytest.mark.parametrize("answer", ["none", "short"])
async def test_a_line_that_is_not_served_is_sent_again_with_the_new_pool(
    orders: OrdersBench, answer: str
) -> None:
    await orders.order(an_order())
    if answer == "short":
        await orders.answered(short=1, short_at="L1")

    await orders.refer(WEB | {"pool": ["L3"], "revision": 1})

    assert await orders.wish() == ("S1", 2, ["L3"])


async def test_an_answer_older_than_one_heard_is_dropped(orders: OrdersBench) -> None:
    await orders.order(an_order())

    await orders.answered(version=7)
    await orders.answered(version=6, short=2)

    line = await orders.line()
    assert line["standing"] == "allocated"


@pytest.mark.parametrize(
    ("told", "standing"),
    [
        pytest.param({}, "allocated", id="allocated"),
        pytest.param({"short": 1, "short_at": "L1"}, "short", id="short"),
        pytest.param({"short": 2, "allocated": []}, "unsourced", id="unsourced"),
        pytest.param({"shipped": 2, "allocated": []}, "shipped", id="shipped"),
        pytest.param({"decided_for": 0}, "unanswered", id="an_answer_to_an_earlier_wish"),
    ],
)
async def test_a_line_stands_as_the_ledger_answered(
    orders: OrdersBench, told: dict[str, object], standing: str
) -> None:
    await orders.order(an_order())

    await orders.answered(**told)

    assert (await orders.line())["standing"] == standing


async def test_an_answer_may_come_before_its_order(orders: OrdersBench) -> None:
    await orders.order(an_order(order_id="O0"))
    await orders.answered(order_id="O1", decided_for=0)

    await orders.order(an_order())

    assert (await orders.line())["standing"] == "unanswered"


async def test_a_message_that_holds_no_order_is_parked_and_the_others_are_folded(
    orders: OrdersBench,
) -> None:
    await orders.tell(
        "orders-v1", b"\x00\xff", an_order(state="teleported"), an_order(order_id="O2")
    )

    parked = await orders.ask("select reason from orders.parked order by kafka_offset")
    assert [row["reason"] for row in parked] == ["malformed", "unknown_type"]
    assert [c["order_id"] for c in await orders.commands()] == ["O2"]


async def test_a_batch_of_an_old_epoch_changes_nothing(orders: OrdersBench) -> None:
    batch = await orders.batch("orders-v1", [an_order()])
    await orders.positions.claim("orders-v1", 0, first_offset=0)

    with pytest.raises(Fenced):
        await orders.handler.apply(batch, await orders.handler.decode(batch))

    assert await orders.ask("select * from orders.orders") == []


async def test_a_message_that_hits_a_bug_is_parked_and_passed(orders: OrdersBench) -> None:
    batch = await orders.batch("orders-v1", [an_order()])

    await orders.handler.park(batch, ValueError("it broke"))
    await orders.order(an_order(order_id="O2"))

    parked = await orders.ask("select reason, detail from orders.parked")
    assert parked[0]["reason"] == "internal_error"
    assert "it broke" in str(parked[0]["detail"])
    assert [c["order_id"] for c in await orders.commands()] == ["O2"]


async def test_no_pseudonym_of_the_customer_is_kept(orders: OrdersBench) -> None:
    await orders.order(an_order(customer_ref="c_0123456789abcdef"))

    rows = await orders.ask("select o::text as told from orders.orders o")

    assert "0123456789abcdef" not in str(rows)


async def test_several_lines_of_one_sku_stand_apart(bare: OrdersBench) -> None:
    await bare.refer(WEB, S1)

    await bare.order(an_order(a_line(), a_line(line_id="2", quantity=3)))

    assert [(c["line_id"], c["wanted"]) for c in await bare.commands()] == [("1", 2), ("2", 3)]


async def test_reference_data_of_other_kinds_and_the_same_again_change_nothing(
    orders: OrdersBench,
) -> None:
    location = {"kind": "location", "location_id": "L1", "location_kind": "store"}
    before = await orders.ask("select version from orders.reference_version")

    await orders.refer(location, WEB, S1)

    assert await orders.ask("select version from orders.reference_version") == before


async def test_where_it_was_looked_for_in_vain_is_told_also_when_the_order_is_cancelled_for_it(
    orders: OrdersBench,
) -> None:
    await orders.order(an_order())
    short = {
        "line_id": "1", "location": "L1", "quantity": 2, "state": "short",
        "at": "2026-06-01T10:00:00Z",
    }  # fmt: skip

    await orders.order(an_order(version=2, state="cancelled", fulfilments=[short]))

    last = (await orders.sent_values())[-1]
    assert (last["wanted"], last["short_at"]) == (
        0, [{"location": "L1", "at": "2026-06-01T10:00:00Z"}],
    )  # fmt: skip
