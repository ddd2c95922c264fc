"""Order lines of kits: the composition is that of the order's moment, and stays."""

import pytest

from shared.contracts.topics import ALLOCATIONS, REFERENCE_DATA
from shared.postgres.connecting import connect
from tests.integration.orders.bench import MIGRATIONS, Json, OrdersBench, a_line, an_order

DUO: Json = {"kind": "product", "sku": "DUO"}
LAMPS: Json = {"sku": "LAMP", "quantity": 2}
BULB: Json = {"sku": "BULB", "quantity": 1}


async def kits(orders: OrdersBench) -> list[object]:
    """The parts that every command that is now sent names, by order and line."""
    sent = await orders.sent_values()
    return [value["kit"] for value in sorted(sent, key=lambda v: (v["order_id"], v["line_id"]))]


async def test_a_kits_command_names_its_parts(orders: OrdersBench) -> None:
    await orders.refer(DUO | {"kit": [LAMPS, BULB]})

    await orders.order(an_order(a_line(sku="DUO"), a_line(line_id="2", sku="S1")))

    assert await kits(orders) == [[LAMPS, BULB], []]


@pytest.mark.parametrize(
    ("placed_at", "parts"),
    [
        pytest.param("2026-05-31T22:00:00Z", [LAMPS], id="before_the_change"),
        pytest.param("2026-06-01T00:00:00Z", [LAMPS, BULB], id="from_the_change_on"),
        pytest.param("2026-06-10T00:00:00Z", [], id="when_it_is_a_kit_no_more"),
    ],
)
async def test_the_parts_are_those_in_force_when_it_was_ordered(
    orders: OrdersBench, placed_at: str, parts: list[Json]
) -> None:
    await orders.refer(
        DUO | {"from": "2026-06-10T00:00:00Z"},
        DUO | {"kit": [LAMPS]},
        DUO | {"from": "2026-06-01T00:00:00Z", "kit": [LAMPS, BULB]},
    )

    await orders.order(an_order(a_line(sku="DUO"), placed_at=placed_at))

    assert await kits(orders) == [parts]


async def test_a_later_change_of_the_kit_is_none_of_an_accepted_lines(orders: OrdersBench) -> None:
    await orders.refer(DUO | {"kit": [LAMPS]})
    await orders.order(an_order(a_line(sku="DUO")))
    await orders.sent()

    await orders.refer(DUO | {"kit": [LAMPS, BULB], "revision": 1})
    assert await orders.sent() == []
    await orders.order(an_order(a_line(sku="DUO", quantity=5), version=2))
    await orders.order(an_order(a_line(sku="DUO"), order_id="O2"))

    assert await kits(orders) == [[LAMPS], [LAMPS, BULB]]


async def test_a_kit_that_was_taken_back_is_none(orders: OrdersBench) -> None:
    await orders.refer(DUO | {"kit": [LAMPS]})
    await orders.refer(DUO | {"kit": [LAMPS], "revision": 1, "deleted": True})

    await orders.order(an_order(a_line(sku="DUO")))

    assert await kits(orders) == [[]]


async def test_a_product_that_is_no_kit_leaves_no_row(orders: OrdersBench) -> None:
    await orders.refer(DUO)

    assert await orders.ask("select * from orders.kits") == []


async def test_more_units_of_a_part_than_a_quantity_wait(orders: OrdersBench) -> None:
    await orders.refer(DUO | {"kit": [{"sku": "LAMP", "quantity": 10**6}]})

    await orders.order(an_order(a_line(sku="DUO", quantity=1001)))

    assert (await orders.line())["reason"] == "quantity_too_large"


async def test_a_short_kit_is_sent_again_with_its_parts_when_places_change(
    orders: OrdersBench,
) -> None:
    await orders.refer(DUO | {"kit": [LAMPS]})
    await orders.order(an_order(a_line(sku="DUO")))
    await orders.sent()

    revision = (await orders.commands())[-1]["revision"]
    await orders.tell(
        ALLOCATIONS.name,
        {"order_id": "O1", "line_id": "1", "version": 1, "decided_for": revision, "sku": "DUO",
         "wanted": 2, "short": 2, "short_at": "L1", "recorded_at": "2026-06-01T12:00:00Z",
         "parts": [{"sku": "LAMP", "wanted": 4, "short": 4}]},
    )  # fmt: skip
    await orders.refer({"kind": "channel", "channel": "web", "pool": ["L2"]})

    assert await orders.wish() == ("DUO", 2, ["L2"])
    assert await kits(orders) == [[LAMPS]]


async def test_the_upgrade_reads_the_reference_data_again(database: str) -> None:
    (migration,) = (path for path in MIGRATIONS.iterdir() if "_add_kits" in path.name)
    connection = await connect(database, application="test")
    try:
        await connection.execute(
            "drop table orders.kits; insert into orders.positions values"
            f" ('{REFERENCE_DATA.name}', 0, 1, 'me', 7), ('orders-v1', 0, 1, 'me', 7)"
        )
        await connection.execute(migration.read_text())

        left = await connection.fetch("select topic from orders.positions")
    finally:
        await connection.close()
    assert [row["topic"] for row in left] == ["orders-v1"]
