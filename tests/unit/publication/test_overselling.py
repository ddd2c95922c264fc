"""A shop that is told blindly, its buyers, and a book that is always a little behind."""

import heapq
import random
from dataclasses import dataclass, field

import pytest

from services.publication.domain.holding_back import Before, units_held_back

STOCK, PER_SECOND, LAG_SECONDS, SHOPS = 40, 2.0, 3.0, 300
OTHERS_PER_SECOND = 1.0


LOOK_SECONDS = 1.0


@dataclass
class BlindShop:
    """Its buyers take what it shows. Other channels sell from the same stock, and each of their
    sales brings a figure, which is written whatever the shop shows.
    """

    rng: random.Random
    probability: float | None
    book: int = STOCK
    sold: int = 0
    shows: int = STOCK
    told: int = STOCK
    told_at: float = 0.0
    held: int = 0
    is_news: bool = False
    on_their_way: list[float] = field(default_factory=list)

    def run(self) -> "BlindShop":
        """Two minutes."""
        now, look_at = 0.0, 0.0
        while now < 120.0:
            now += self.rng.expovariate(PER_SECOND + OTHERS_PER_SECOND)
            while self.on_their_way and self.on_their_way[0] <= now:
                heapq.heappop(self.on_their_way)
                self.book -= 1
                self.is_news = True
                self._write(now)
            if now >= look_at:
                look_at = now + LOOK_SECONDS
                if self._value(now) != self.told:
                    self._write(now)
            if self.rng.random() < PER_SECOND / (PER_SECOND + OTHERS_PER_SECOND):
                self._buy(now)
            elif self.book > len(self.on_their_way):  # they never sell too much themselves
                self.book -= 1
                self.sold += 1
                self.is_news = True
                self._write(now)
        return self

    def _buy(self, now: float) -> None:
        if self.shows > 0:
            self.shows -= 1
            self.sold += 1
            heapq.heappush(self.on_their_way, now + LAG_SECONDS)

    def _value(self, now: float) -> int:
        if self.probability is not None:
            before = Before(
                held=self.held, is_news=self.is_news,
                shown_for_a_lag=self.told if now - self.told_at >= LAG_SECONDS else None,
            )  # fmt: skip
            mean = PER_SECOND * LAG_SECONDS
            self.held = units_held_back(mean, 0, before, self.probability)
        return max(0, self.book - self.held)

    def _write(self, now: float) -> None:
        self.shows = self.told = self._value(now)
        self.told_at, self.is_news = now, False


def oversold(probability: float | None) -> tuple[float, float, float]:
    """Of many shops the share that promised more than there was, units too many per shop, and
    units that nobody was offered.
    """
    shops = [BlindShop(random.Random(seed), probability).run() for seed in range(SHOPS)]
    too_many = [max(0, shop.sold - STOCK) for shop in shops]
    left = sum(max(0, STOCK - shop.sold) for shop in shops)
    return sum(units > 0 for units in too_many) / SHOPS, sum(too_many) / SHOPS, left / SHOPS


def test_without_holding_back_the_last_units_are_sold_twice() -> None:
    share, units, _ = oversold(None)

    assert share > 0.9
    assert units > 3.0


@pytest.mark.parametrize(
    ("probability", "share_max", "units_max"), [(0.95, 0.05, 0.05), (0.99, 0.01, 0.01)]
)
def test_the_surer_the_fewer(probability: float, share_max: float, units_max: float) -> None:
    share, units, _ = oversold(probability)

    assert share < share_max
    assert units < units_max


def test_what_is_held_back_is_sold_in_the_end() -> None:
    *_, left = oversold(0.95)

    assert left == 0.0
