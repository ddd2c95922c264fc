"""The customers of the simulated marketplace, and its command line."""

import asyncio
import random
from typing import Any

import pytest

from services.simulators.__main__ import main
from services.simulators.mirakl import MiraklSimulator
from services.simulators.mirakl.buyers import MiraklBuyers
from tests.conformance.publication.stage import eventually, serving


async def test_customers_buy_at_their_rate_and_meet_an_empty_shelf() -> None:
    simulator = MiraklSimulator(accepts=True)
    simulator.stock(3, 4)
    async with serving(simulator.app) as url:
        buyers = MiraklBuyers(
            url=url, orders_per_second=400, rng=random.Random(5), cancelled_share=0.2
        )
        closing = asyncio.Event()
        task = asyncio.create_task(buyers.run(closing))
        await eventually(lambda: buyers.tally.refused > 0 and buyers.tally.cancelled > 0)
        closing.set()
        await task

    sold = sum(
        line.quantity
        for order in simulator.marketplace.orders.values()
        for line in order.lines
        if order.state == "SHIPPING"
    )
    left = sum(offer.quantity for offer in simulator.marketplace.offers.values())
    assert sold + left == 12
    assert buyers.tally.bought == len(simulator.marketplace.orders)
    assert buyers.tally.failed == 0


def test_the_command_line_serves_a_marketplace(monkeypatch: pytest.MonkeyPatch) -> None:
    served: list[Any] = []
    monkeypatch.setattr("uvicorn.run", lambda app, **options: served.append((app, options)))

    status = main(["mirakl", "--port", "8099", "--products", "2", "--speed", "60", "--accepts"])

    assert status == 0
    assert served[0][1]["port"] == 8099
    with pytest.raises(SystemExit):
        main(["magento"])
