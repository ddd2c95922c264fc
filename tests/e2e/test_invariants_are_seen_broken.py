"""Each invariant is broken once, and the checker sees it; the services are stopped meanwhile."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from services.cli.demo.views import VIEW_KEY
from tests.e2e.conftest import Chain

SALE = "(select event_id from ledger.movements where type = 'sale' limit 1)"
ANY_LEVEL = "(select min(level_id) from ledger.levels)"

BREAKS = [
    pytest.param(
        "levels_equal_movements",
        f"delete from ledger.movements where event_id = {SALE}",
        id="a_movement_is_deleted",
    ),
    pytest.param(
        "accounts_sum_to_zero",
        f"update ledger.levels set sellable = sellable + 1 where level_id = {ANY_LEVEL}",
        id="a_level_is_raised",
    ),
    pytest.param(
        "allocated_equals_wanted_less_shipped",
        f"update ledger.levels set allocated = allocated + 1 where level_id = {ANY_LEVEL}",
        id="a_unit_is_allocated_to_nobody",
    ),
    pytest.param(
        "every_message_has_one_fate",
        f"delete from ledger.movements where event_id = {SALE}",
        id="a_posted_message_has_no_movement",
    ),
    pytest.param(
        "positions_reached_the_ends",
        "update ledger.positions set next_offset = next_offset - 1 where next_offset > 0",
        id="a_message_is_not_read",
    ),
    pytest.param(
        "view_equals_ledger",
        "update ledger.levels set version = version - 1 where version > 0",
        id="a_version_is_lowered",
    ),
    pytest.param(
        "view_follows_the_formula",
        "update availability.stock set view = convert_to(replace(convert_from(view, 'UTF8'), "
        "'\"available_to_sell\":', '\"available_to_sell\":1'), 'UTF8')",
        id="a_figure_is_changed_in_the_view",
    ),
    pytest.param(
        "nothing_waits_unpublished",
        "insert into ledger.unpublished (kind, partition, keys, created_at) "
        "values ('level', 0, '{1}', now() - interval '10 seconds')",
        id="a_change_waits_for_ten_seconds",
    ),
    pytest.param(
        "orders_are_the_shops",
        "delete from orders.orders where order_id = (select min(order_id) from orders.orders)",
        id="an_order_is_lost",
    ),
    pytest.param(
        "orders_are_the_shops",
        "update ledger.order_lines set wanted = wanted + 1 where wanted > 0",
        id="a_line_wants_more_than_was_bought",
    ),
    pytest.param(
        "every_line_has_its_outcome",
        "delete from orders.outcomes where wanted > 0",
        id="a_line_has_no_answer",
    ),
    pytest.param(
        "parcels_are_in_the_books",
        "update ledger.order_lines set shipped = shipped + 1 where shipped > 0",
        id="a_parcel_is_booked_twice",
    ),
    pytest.param(
        "returns_are_in_the_books",
        "delete from ledger.movements where type = 'return'",
        id="a_return_is_lost",
    ),
]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def still(chain: Chain) -> AsyncIterator[Chain]:
    """The chain after a sale, a purchase, a parcel and its return, without its services: they
    would mend what is broken.
    """
    await chain.sell("pear", "store-2", 1, basket=90)
    assert await chain.shop.buy({chain.world.entries["pear"]: 1}) is not None
    await chain.send_parcels()
    await chain.stop_services()
    yield chain
    await chain.start_services()


async def broken(chain: Chain) -> set[str]:
    """The names of the invariants that do not hold."""
    return {verdict.name for verdict in await chain.checker().check() if not verdict.holds}


@pytest.mark.parametrize(("invariant", "statement"), BREAKS)
async def test_what_is_broken_in_postgres_is_seen(
    still: Chain, invariant: str, statement: str
) -> None:
    assert await broken(still) == set()
    transaction = still.connection.transaction()
    await transaction.start()

    try:
        await still.connection.execute(statement)
        seen = await broken(still)
    finally:
        await transaction.rollback()

    assert invariant in seen


async def test_a_key_dropped_from_redis_is_seen(still: Chain) -> None:
    key = VIEW_KEY % "pear"
    value = await still.redis.get(key)
    assert value is not None
    await still.redis.delete(key)

    seen = await broken(still)
    await still.redis.set(key, value)

    assert seen == {"redis_equals_postgres"}


async def test_a_figure_changed_in_the_shop_is_seen(still: Chain) -> None:
    entry = still.world.entries["pear"]
    shown = await still.shown("pear")
    assert shown is not None
    await still.shop.set_quantity(entry, shown + 1)

    seen = await broken(still)
    await still.shop.set_quantity(entry, shown)

    assert seen == {"listings_show_the_figure"}


async def test_a_unit_missing_on_the_shelf_is_seen(still: Chain) -> None:
    still.shelves.on_hand["pear", "store-2"] -= 1

    seen = await broken(still)
    still.shelves.on_hand["pear", "store-2"] += 1

    assert seen == {"ledger_equals_the_shelves"}
