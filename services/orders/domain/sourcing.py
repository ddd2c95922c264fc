"""Which locations should serve a line, best first: the port that routing engines answer."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What is to be sourced, `quantity` in base units of `sku`.

    `pool` are the channel's locations in its own order, `fulfil_from` the place that the channel
    or the WMS has chosen, `short_at` the places that looked for the goods in vain.
    """

    sku: str
    quantity: int
    channel: str
    pool: tuple[str, ...]
    fulfil_from: str | None = None
    short_at: Collection[str] = ()
    zone: str | None = None
    method: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Preference:
    """Candidate locations, best first; none where no place is known."""

    candidates: tuple[str, ...]
    may_split: bool = False


class Sourcing(Protocol):
    """Ranks the candidate locations of one line; the ledger decides what is feasible."""

    def rank(self, demand: Demand) -> Preference: ...


# What is sent to a customer's door may come in two parcels; who collects comes once.
MAY_COME_IN_PARTS = frozenset({None, "home"})


class PoolOrder:
    """The place that was chosen from outside, else the channel's pool in its own order.

    A channel is shown the sum over its pool, so that a line may need two places: it is split where
    no place alone can serve it, unless the customer collects it.
    """

    def rank(self, demand: Demand) -> Preference:
        """A chosen place that came out short is chosen no longer."""
        chosen = demand.fulfil_from
        if chosen is not None and chosen not in demand.short_at:
            return Preference(candidates=(chosen,))
        places = dict.fromkeys(demand.pool)
        return Preference(
            candidates=tuple(p for p in places if p not in demand.short_at),
            may_split=demand.method in MAY_COME_IN_PARTS,
        )
