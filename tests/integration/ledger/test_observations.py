"""One fact, several reporters: who posts, who observes, and what the comparison says."""

from itertools import permutations

import pytest

from services.ledger.handlers.listening import compare
from shared.kafka.batches import Fenced
from shared.testing.messages import a_movement
from tests.integration.ledger.bench import LedgerBench, at, open_bench
from tests.integration.ledger.reporters import DAY, declare, observed, states

LINE = {"order_id": "O1", "line_id": "1"}
TICKET = {"kind": "ticket", "number": "T1", "line": "1"}


def a_parcel(**more: object) -> dict[str, object]:
    return a_movement(type="shipment", order_line=LINE, **more)


REPORTERS = {
    "wms:1": a_parcel(document={"kind": "delivery", "number": "D7", "line": "1"}),
    "shop:1": a_parcel(),
    "marketplace:1": a_movement(type="sale", order_line=LINE, occurred_at=at(-20)),
    "erp:1": a_parcel(document={"kind": "posting", "number": "4711", "line": "9"}),
}
OBSERVERS = ("erp:1", "marketplace:1", "shop:1")


async def declare_observers(ledger: LedgerBench) -> None:
    await declare(ledger, "wms:1", "posts")
    for source in OBSERVERS:
        await declare(ledger, source)


@pytest.mark.parametrize("order", list(permutations(REPORTERS)))
async def test_a_parcel_told_by_four_systems_leaves_the_shelf_once(
    ledger: LedgerBench, order: tuple[str, ...]
) -> None:
    await declare_observers(ledger)
    await ledger.move(a_movement(type="receipt", quantity=10))

    for source in order:
        await ledger.move(REPORTERS[source], source=source)
        await observed(ledger)

    assert await ledger.sellable() == 9
    assert await states(ledger) == [(name, "matched", "order_line", 0) for name in OBSERVERS]
    assert await ledger.parked() == {}
    assert await ledger.unbalanced() == []


async def test_what_observers_tell_consumes_no_order_line(ledger: LedgerBench) -> None:
    await declare_observers(ledger)
    await ledger.move(a_movement(type="receipt", quantity=10))
    await ledger.command({"order_id": "O1", "wanted": 2})

    await ledger.move(a_parcel(quantity=2), source="shop:1")
    assert await ledger.level() == {"sellable": 10, "reserved": 0, "allocated": 2}

    await ledger.move(a_parcel(quantity=2), source="wms:1")
    assert await ledger.level() == {"sellable": 8, "reserved": 0, "allocated": 0}


async def test_told_again_it_is_a_duplicate_and_other_content_is_refused(
    ledger: LedgerBench,
) -> None:
    await declare(ledger, "shop:1")
    told = a_parcel(document=TICKET)
    await ledger.move(told, told, source="shop:1")
    await ledger.move(told, source="shop:1")
    await ledger.move(told | {"quantity": 5}, source="shop:1")

    assert [(row["quantity"], row["state"]) for row in await observed(ledger)] == [(1, "waiting")]
    assert await ledger.parked() == {"conflicting_duplicate": 1}


async def test_a_higher_revision_replaces_an_observation(ledger: LedgerBench) -> None:
    await declare(ledger, "shop:1")
    await ledger.move(a_parcel(quantity=2), source="wms:1")
    await ledger.move(a_parcel(quantity=5, document=TICKET), source="shop:1")
    assert await states(ledger) == [("shop:1", "differing", "order_line", 3)]

    await ledger.move(a_parcel(quantity=2, document=TICKET | {"revision": 1}), source="shop:1")

    assert await states(ledger) == [("shop:1", "matched", "order_line", 0)]


@pytest.mark.parametrize("is_cancelled_first", [True, False])
async def test_a_cancelled_observation_is_compared_with_nothing(
    ledger: LedgerBench, is_cancelled_first: bool
) -> None:
    await declare(ledger, "shop:1")
    told = a_parcel(ce_id="told")
    cancelled = a_parcel(
        occurred_at=at(5), reverses={"occurred_at": at(0).isoformat(), "id": "told"}
    )

    for movement in (cancelled, told) if is_cancelled_first else (told, cancelled):
        await ledger.move(movement, source="shop:1")

    assert {row["state"] for row in await observed(ledger)} == {"withdrawn"}
    assert await ledger.parked() == {}


async def test_a_correction_with_another_moment_replaces_what_it_names(
    ledger: LedgerBench,
) -> None:
    await declare(ledger, "shop:1")
    await ledger.move(a_parcel(quantity=2), source="wms:1")
    await ledger.move(a_parcel(quantity=3, document=TICKET), source="shop:1")

    await ledger.move(
        a_parcel(
            quantity=2, document=TICKET | {"revision": 1}, occurred_at=at(3),
            corrects={"occurred_at": at(0).isoformat()},
        ),
        source="shop:1",
    )  # fmt: skip

    assert await states(ledger) == [
        ("shop:1", "matched", "order_line", 0), ("shop:1", "withdrawn", None, None),
    ]  # fmt: skip


async def test_two_parcels_of_one_line_match_three_units_told_at_once(
    ledger: LedgerBench,
) -> None:
    await declare(ledger, "shop:1")
    await ledger.move(a_parcel(quantity=3), source="shop:1")
    await ledger.move(a_parcel(quantity=2), source="wms:1")
    assert await states(ledger) == [("shop:1", "differing", "order_line", 1)]

    await ledger.move(a_parcel(quantity=1), source="wms:1")

    assert await states(ledger) == [("shop:1", "matched", "order_line", 0)]


@pytest.mark.parametrize(
    ("posted", "told", "key"),
    [
        pytest.param(
            a_movement(document=TICKET), a_movement(document=TICKET), "document", id="a_ticket"
        ),
        pytest.param(
            a_movement(type="receipt", supply_line={"supply_id": "P1", "line_id": "2"}),
            a_movement(type="receipt", supply_line={"supply_id": "P1", "line_id": "2"}),
            "supply_line",
            id="goods_in",
        ),
        pytest.param(
            a_movement(type="transfer_dispatch", to_location="L2", document=TICKET),
            a_movement(type="transfer_dispatch", to_location="L2", document=TICKET),
            "document",
            id="a_transfer",
        ),
        pytest.param(
            a_movement(type="return", order_line=LINE, to={"bucket": "sellable"}),
            a_movement(type="return", order_line=LINE),
            "order_line",
            id="a_return_graded_otherwise",
        ),
    ],
)
@pytest.mark.parametrize("is_posted_first", [True, False])
async def test_every_key_matches_in_either_order(
    ledger: LedgerBench, posted: dict[str, object], told: dict[str, object], key: str,
    is_posted_first: bool,
) -> None:  # fmt: skip
    await declare(ledger, "erp:1")
    movements = [(posted, "wms:1"), (told, "erp:1")]

    for movement, source in movements if is_posted_first else reversed(movements):
        await ledger.move(movement, source=source)

    assert await states(ledger) == [("erp:1", "matched", key, 0)]
    assert await ledger.ask("select count(*)::int as n from ledger.movements") == [{"n": 1}]


@pytest.mark.parametrize(
    "told",
    [
        pytest.param(a_movement(document=TICKET | {"line": "2"}), id="another_line"),
        pytest.param(a_movement(document=TICKET | {"kind": "invoice"}), id="another_paper"),
        pytest.param(a_movement(type="return", document=TICKET), id="the_way_back"),
        pytest.param(a_movement(), id="no_key_at_all"),
    ],
)
async def test_another_fact_does_not_match(ledger: LedgerBench, told: dict[str, object]) -> None:
    await declare(ledger, "erp:1")
    await ledger.move(a_movement(document=TICKET), source="till:1")

    await ledger.move(told, source="erp:1")

    assert await states(ledger) == [("erp:1", "waiting", None, None)]


async def test_another_sku_or_location_differs_and_is_named(ledger: LedgerBench) -> None:
    await declare(ledger, "erp:1")
    await ledger.move(a_parcel(), a_movement(document=TICKET), source="wms:1")

    await ledger.move(
        a_parcel(location="L2"), a_movement(document=TICKET, sku="S2"), source="erp:1"
    )

    found = {row["matched_by"]: row for row in await observed(ledger)}
    assert {row["state"] for row in found.values()} == {"differing"}
    assert found["order_line"]["posted_location"] == "L1"
    assert found["document"]["posted_sku"] == "S1"


async def test_what_a_source_posts_elsewhere_is_no_proof_of_what_it_observes(
    ledger: LedgerBench,
) -> None:
    rules = [{"location": "L2", "role": "observes"}]
    await declare(ledger, "erp:1", "posts", rules=rules)

    await ledger.move(a_parcel(), a_parcel(location="L2"), source="erp:1")

    assert await states(ledger) == [("erp:1", "waiting", None, None)]


async def test_another_word_under_the_same_key_is_compared_at_once_with_the_ones_before(
    ledger: LedgerBench,
) -> None:
    await declare(ledger, "shop:1")
    await ledger.move(a_parcel(quantity=3), source="wms:1")
    await ledger.move(a_parcel(quantity=2), source="shop:1")
    assert await states(ledger) == [("shop:1", "differing", "order_line", -1)]
    await ledger.ask(
        "update ledger.observations set look_at = now() + interval '5 minutes' returning 1"
    )

    await ledger.move(a_parcel(quantity=1), source="shop:1")
    async with ledger.pool.acquire() as connection:
        assert await compare(connection, 10) == 2

    found = await ledger.ask("select state, difference from ledger.observations")
    assert found == [{"state": "matched", "difference": 0}] * 2


async def test_what_waits_for_too_long_is_unmatched(ledger: LedgerBench) -> None:
    await declare(ledger, "shop:1")
    await ledger.move(a_parcel(), source="shop:1")
    assert [row["state"] for row in await observed(ledger)] == ["waiting"]

    await ledger.ask(
        "update ledger.observations set recorded_at = recorded_at - interval '25 hours' returning 1"
    )

    assert [row["state"] for row in await observed(ledger, DAY)] == ["unmatched"]
    assert [row["state"] for row in await observed(ledger, 2 * DAY)] == ["waiting"]


async def test_the_role_is_that_of_the_location_and_the_type(ledger: LedgerBench) -> None:
    rules = [{"location": "L1", "movement_type": "shipment", "role": "observes"}]
    await declare(ledger, "erp:1", "posts", rules=rules)

    await ledger.move(
        a_movement(type="receipt", quantity=5), a_parcel(), a_parcel(location="L2"),
        source="erp:1",
    )  # fmt: skip

    assert await ledger.sellable() == 5
    assert await ledger.sellable(location="L2") == -1
    assert [row["location"] for row in await observed(ledger)] == ["L1"]


async def test_the_role_is_that_of_the_moment_at_which_it_happened(ledger: LedgerBench) -> None:
    await declare(ledger, "shop:1", "posts", until=at(0).isoformat())
    await declare(ledger, "shop:1", "observes", **{"from": at(0).isoformat()})

    await ledger.move(a_movement(occurred_at=at(-1)), a_movement(), source="shop:1")

    assert await ledger.sellable() == -1
    assert len(await observed(ledger)) == 1


async def test_what_was_posted_before_the_source_was_declared_stays_posted(
    ledger: LedgerBench,
) -> None:
    await ledger.move(a_parcel(ce_id="early"), source="shop:1")
    await declare(ledger, "shop:1")

    await ledger.move(a_parcel(ce_id="early"), source="shop:1")

    assert await ledger.sellable() == -1
    assert await observed(ledger) == []


async def test_another_worker_learns_who_observes(ledger: LedgerBench, database: str) -> None:
    async with open_bench(database, owner="other") as other:
        await other.move(a_movement())
        await declare(ledger, "shop:1")

        await other.handler.learn_roles()
        await other.move(a_movement(), source="shop:1")

    assert await ledger.sellable() == -1
    assert len(await observed(ledger)) == 1


async def test_an_observation_of_something_unknown_waits_for_it(ledger: LedgerBench) -> None:
    await declare(ledger, "shop:1")

    await ledger.move(a_movement(sku="NEW"), source="shop:1")

    assert await ledger.parked() == {"unknown_sku": 1}
    assert await observed(ledger) == []


async def test_a_fenced_batch_observes_nothing(ledger: LedgerBench, database: str) -> None:
    await declare(ledger, "shop:1")
    await ledger.move(a_movement(type="receipt"))
    async with open_bench(database, owner="successor") as other:
        other.offsets.update(ledger.offsets)
        await other.move(a_movement())

    with pytest.raises(Fenced):
        await ledger.move(a_parcel(sequence=9), source="shop:1")

    assert await observed(ledger) == []
    assert await ledger.ask("select * from ledger.heard_sequences") == []


async def test_a_return_told_by_the_warehouse_and_by_the_returns_desk_counts_once(
    ledger: LedgerBench,
) -> None:
    rules = [{"location": "L1", "movement_type": "return", "role": "observes"}]
    await declare(ledger, "stocktide:orders", "posts", rules=rules)
    back = a_movement(type="return", quantity=2, order_line=LINE, to={"bucket": "sellable"})

    await ledger.move(back, source="wms:1")
    await ledger.move(
        back | {"document": {"kind": "return", "number": "R1", "line": "1|S1/sellable/2"}},
        back | {"location": "L2", "order_line": {"order_id": "O2", "line_id": "1"}},
        source="stocktide:orders",
    )

    assert await ledger.sellable() == 2
    assert await ledger.sellable(location="L2") == 2
    assert await states(ledger) == [("stocktide:orders", "matched", "order_line", 0)]
