"""Shops with a past that is not simulated: orders go on counting, and refunds may leave stock."""

from services.simulators.mirakl.marketplace import Marketplace
from services.simulators.shop import Entry, Shop
from services.simulators.shopify.orders import Orders
from services.simulators.shopify.stock import Item, Level, Stock

FIRST = 179_541_315_600


def test_a_woocommerce_shop_numbers_orders_from_where_it_is_told() -> None:
    shop = Shop()
    shop.count_from(FIRST)
    entry = shop.add(Entry(id=1, manage_stock=True, stock_quantity=5))

    order = shop.place([(entry, 1)], "processing", 0)

    assert order.id > order.lines[0].id >= FIRST


def test_a_shopify_shop_does_so_too() -> None:
    stock = Stock((1,))
    item = stock.add(Item(id=1, variant_id=2, sku="x", levels={1: Level(5)}))
    orders = Orders(stock)
    orders.count_from(FIRST)

    order = orders.place([(item, 1)], 0)

    assert order.id > order.lines[0].id >= FIRST


def test_a_marketplace_does_so_too() -> None:
    marketplace = Marketplace()
    marketplace.count_from(FIRST)
    marketplace.add("x", 5)

    first, second = (marketplace.place([("x", 1)], 0) for _ in range(2))

    assert (first.id, second.id) == (f"SIM_{FIRST}-A", f"SIM_{FIRST + 1}-A")


def test_a_refund_restocks_unless_it_is_told_not_to() -> None:
    shop = Shop()
    entry = shop.add(Entry(id=1, manage_stock=True, stock_quantity=5))
    order = shop.place([(entry, 3)], "processing", 0)

    shop.refund(order, {order.lines[0].id: 1}, 0, restocks=False)
    untouched = entry.stock_quantity
    shop.refund(order, {order.lines[0].id: 1}, 0)

    assert untouched == 2
    assert entry.stock_quantity == 3
    assert order.lines[0].refunded == 2
