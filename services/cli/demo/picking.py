"""Picking: what a warehouse's staff find, pack, send, put back and grade, as pure bookkeeping.

Decides by what it is told, by the shelves, and by a source of chance; says what is to be told.
"""

import heapq
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from services.cli.demo.shelves import Shelves
from services.cli.demo.telling import Telling
from services.cli.demo.world import CENTRAL
from shared.contracts.accounts import Bucket, MovementType
from shared.contracts.allocations import Allocation
from shared.contracts.movements import StockMovement
from shared.contracts.references import AccountRef, Document, OrderLineRef, Reason, ReasonClass
from shared.contracts.returns import Graded, Return, ReturnLine, ReturnMethod, ReturnState
from shared.contracts.topics import RETURNS, STOCK_MOVEMENTS

LineKey = tuple[str, str]  # order id, line id

WALK_SECONDS = (0.5, 2.0)
PACK_SECONDS = (0.3, 0.8)
WAY_BACK_SECONDS = (2.0, 5.0)
GRADE_SECONDS = (0.5, 1.5)
# Of the picks, those that find nothing where the book says that something is.
LOST_SHARE = 0.03
RETURNED_SHARE = 0.2
# Graded goods: as new, to be looked at again, broken.
GRADES = {"sellable": 7, "quality_hold": 2, "damaged": 1}
LOOK_AGAIN_SECONDS = 2.0
LOOKS_MAX = 15


@dataclass(slots=True, kw_only=True)
class Claim:
    """What the ledger last said of an order line, and what we have picked and sent for it."""

    allocation: Allocation
    sent: int
    on_bench: int = 0
    sent_back: int = 0
    looks: int = 0
    is_due: bool = False

    @property
    def open_units(self) -> int:
        """Units that nobody has picked yet."""
        return self.allocation.wanted - self.sent - self.on_bench

    @property
    def returnable(self) -> int:
        """Units that have arrived and were not sent back."""
        return self.sent - self.sent_back


@dataclass(frozen=True, slots=True)
class Parcel:
    """Units of a line on the bench of a location, on their way, or back."""

    key: LineKey
    location: str
    units: int
    number: str


Job = Callable[[datetime], Iterator[Telling]]


@dataclass(slots=True)
class Bench:
    """The state of the warehouse's work; times are monotonic seconds, `at` is when it is told."""

    shelves: Shelves
    rng: random.Random
    run: str
    claims: dict[LineKey, Claim] = field(default_factory=dict)
    graded: Counter[str] = field(default_factory=Counter)
    picked_lines: int = 0
    short_picks: int = 0
    lost_units: int = 0
    returns: int = 0
    looks_again: bool = True
    lost_share: float = LOST_SHARE
    returned_share: float = RETURNED_SHARE
    _jobs: list[tuple[float, int, Job]] = field(default_factory=list)
    _count: int = 0
    _now: float = 0.0

    def take_in(self, allocation: Allocation, now: float) -> None:
        """The latest word on a line; an older one than we have says nothing."""
        self._now = now
        key = allocation.order_id, allocation.line_id
        claim = self.claims.get(key)
        if claim is None:
            claim = self.claims[key] = Claim(allocation=allocation, sent=allocation.shipped)
        elif allocation.version <= claim.allocation.version:
            return
        else:
            self._set_aside(claim.allocation, -1)
        claim.allocation, claim.looks = allocation, 0
        self._set_aside(allocation, 1)
        if claim.open_units > 0 and not claim.is_due:
            claim.is_due = True
            self._later(WALK_SECONDS, lambda at: self._pick(key, at))

    def work_off(self, now: float, at: datetime) -> list[Telling]:
        """Everything that is due, and what is to be told of it, in order."""
        self._now = now
        told: list[Telling] = []
        while self._jobs and self._jobs[0][0] <= now:
            _, _, job = heapq.heappop(self._jobs)
            told += job(at)
        return told

    def send_back(self, key: LineKey, units: int) -> None:
        """A customer sends units back: they are received and graded in a while."""
        self.claims[key].sent_back += units
        parcel = Parcel(key, CENTRAL, units, f"{self.run}-R{self._number()}")
        self._later(WAY_BACK_SECONDS, lambda at: self._receive(parcel, at))

    def receive(self, sku: str, units: int, at: datetime) -> Telling:
        """Goods from a supplier."""
        self.shelves.on_hand[sku, CENTRAL] += units
        return self._movement(MovementType.RECEIPT, sku, CENTRAL, units, at, kind="goods_receipt")

    def write_off(self, sku: str, units: int, at: datetime) -> Iterator[Telling]:
        """Goods that are written off, as far as they are there."""
        if (there := min(units, self.shelves.on_hand[sku, CENTRAL])) > 0:
            yield self._lose(sku, CENTRAL, there, at)

    @property
    def is_idle(self) -> bool:
        """Nothing lies on the bench, is on its way back, or could be picked."""
        return not self._jobs

    def sent_units(self) -> Mapping[LineKey, int]:
        """What was sent for each line."""
        return {key: claim.sent for key, claim in self.claims.items()}

    def _set_aside(self, allocation: Allocation, sign: int) -> None:
        """The warehouse doesn't dispatch to a store what it has promised; a till knows no list."""
        for part in allocation.allocated:
            if part.location == CENTRAL:
                self.shelves.set_aside[allocation.sku, CENTRAL] += sign * part.quantity

    def _pick(self, key: LineKey, at: datetime) -> Iterator[Telling]:
        claim = self.claims[key]
        claim.is_due, missing = False, claim.open_units
        if missing <= 0:
            return
        sku = claim.allocation.sku
        for location in self._places(claim):
            there = self.shelves.on_hand[sku, location]
            found = min(missing, there)
            if found > 0 and self.rng.random() < self.lost_share:
                yield self._lose(sku, location, found, at)
                continue
            if found > 0:
                missing -= found
                yield self._put_on_bench(key, claim, location, found, at)
            if missing == 0:
                self.picked_lines += 1
                return
        self.short_picks += claim.looks == 0
        claim.looks += 1
        if claim.looks < LOOKS_MAX and self.looks_again:
            claim.is_due = True
            self._at(self._now + LOOK_AGAIN_SECONDS, lambda at: self._pick(key, at))

    def _places(self, claim: Claim) -> list[str]:
        """Where the ledger has booked it; after a look in vain, wherever most of it lies."""
        places = [part.location for part in claim.allocation.allocated]
        if not claim.looks:
            return places
        sku = claim.allocation.sku
        others = [
            (-units, location)
            for (of, location), units in self.shelves.on_hand.items()
            if of == sku and units > self.shelves.set_aside[of, location]
        ]
        return list(dict.fromkeys([*places, *(location for _, location in sorted(others))]))

    def _lose(self, sku: str, location: str, units: int, at: datetime) -> Telling:
        """The shelf is empty where the book has units: they are written off."""
        self.shelves.on_hand[sku, location] -= units
        self.lost_units += units
        return self._movement(
            MovementType.ADJUSTMENT, sku, location, units, at, kind="not_found",
            from_=AccountRef(bucket=Bucket.SELLABLE),
            reason=Reason.model_validate({"code": "not_found", "class": ReasonClass.UNKNOWN_LOSS}),
        )  # fmt: skip

    def _put_on_bench(
        self, key: LineKey, claim: Claim, location: str, units: int, at: datetime
    ) -> Telling:
        sku = claim.allocation.sku
        self.shelves.on_hand[sku, location] -= units
        claim.on_bench += units
        told = self._movement(MovementType.PICK, sku, location, units, at, kind="pick_list")
        parcel = Parcel(key, location, units, self._number())
        self._later(PACK_SECONDS, lambda at: self._ship(parcel, at))
        return told

    def _ship(self, parcel: Parcel, at: datetime) -> Iterator[Telling]:
        """What is still wanted goes out; the rest goes back to its shelf."""
        claim = self.claims[parcel.key]
        sku = claim.allocation.sku
        claim.on_bench -= parcel.units
        leaves = min(parcel.units, max(0, claim.allocation.wanted - claim.sent))
        if back := parcel.units - leaves:
            self.shelves.on_hand[sku, parcel.location] += back
            yield self._movement(
                MovementType.PICK, sku, parcel.location, back, at, kind="put_back",
                from_=AccountRef(bucket=Bucket.PICKED), to=AccountRef(bucket=Bucket.SELLABLE),
            )  # fmt: skip
        if not leaves:
            return
        claim.sent += leaves
        order_id, line_id = parcel.key
        yield self._movement(
            MovementType.SHIPMENT, sku, parcel.location, leaves, at, kind="delivery_note",
            from_=AccountRef(bucket=Bucket.PICKED),
            order_line=OrderLineRef(order_id=order_id, line_id=line_id),
        )  # fmt: skip
        if self.rng.random() < self.returned_share:
            sent = Parcel(parcel.key, parcel.location, leaves, f"{self.run}-R{parcel.number}")
            self._later(WAY_BACK_SECONDS, lambda at: self._receive(sent, at))

    def _receive(self, parcel: Parcel, at: datetime) -> Iterator[Telling]:
        """A parcel is back, and nobody has looked at it: nothing moves yet."""
        yield self._return(parcel, Graded(), ReturnState.RECEIVED, 1)
        self._later(GRADE_SECONDS, lambda at: self._grade(parcel, at))

    def _grade(self, parcel: Parcel, at: datetime) -> Iterator[Telling]:
        grade = self.rng.choices(list(GRADES), list(GRADES.values()))[0]
        self.graded[grade] += parcel.units
        self.returns += 1
        if grade == "sellable":
            self.shelves.on_hand[self.claims[parcel.key].allocation.sku, CENTRAL] += parcel.units
        yield self._return(parcel, Graded(**{grade: parcel.units}), ReturnState.CLOSED, 2)

    def _return(self, parcel: Parcel, graded: Graded, state: ReturnState, version: int) -> Telling:
        order_id, line_id = parcel.key
        line = ReturnLine(
            line_id=line_id, sku=self.claims[parcel.key].allocation.sku, announced=parcel.units,
            received=parcel.units, graded=graded, reason="changed_mind",
        )  # fmt: skip
        return Telling(
            RETURNS,
            Return(
                return_id=parcel.number, order_id=order_id, state=state, version=version,
                method=ReturnMethod.PARCEL, location=CENTRAL, lines=(line,),
            ),
        )  # fmt: skip

    def _movement(
        self, type_: MovementType, sku: str, location: str, units: int, at: datetime, *,
        kind: str, from_: AccountRef | None = None, to: AccountRef | None = None,
        order_line: OrderLineRef | None = None, reason: Reason | None = None,
    ) -> Telling:  # fmt: skip
        movement = StockMovement(
            type=type_, sku=sku, location=location, quantity=units, occurred_at=at,
            document=Document(kind=kind, number=f"{self.run}-{self._number()}"), from_=from_,
            to=to, order_line=order_line, reason=reason,
        )  # fmt: skip
        return Telling(STOCK_MOVEMENTS, movement)

    def _number(self) -> str:
        self._count += 1
        return str(self._count)

    def _later(self, seconds: tuple[float, float], job: Job) -> None:
        self._at(self._now + self.rng.uniform(*seconds), job)

    def _at(self, due: float, job: Job) -> None:
        self._count += 1
        heapq.heappush(self._jobs, (due, self._count, job))
