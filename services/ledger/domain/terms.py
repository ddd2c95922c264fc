"""The terms under which a channel may take units: the ones that its view is computed under.

`share`, `max_listed` and `end_when` only shape what is shown; every other term binds a request.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple, TypeVar

from services.ledger.domain.refusals import RefusalReason
from shared.stock.policies import Category, Place, Policy, Product, Term, contest

# What a location must be able to do for a method.
NEEDS: Mapping[str, str] = {
    "home": "ship", "relay": "ship", "locker": "ship", "collect": "collect",
    "in_store_hold": "reserve",
}  # fmt: skip
BUFFERS = (Term.LOCATION_BUFFER, Term.KEPT_FOR_STORE, Term.SILENCE_BUFFER)
ALWAYS = datetime(1, 1, 1, tzinfo=UTC)
# The parts of a kit: (SKU, units in one kit).
MadeOf = tuple[tuple[str, int], ...]
REMEMBERED_MAX = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Dated:
    """A record that holds from `begins` (with it) until `ends` (without it)."""

    begins: datetime | None = None
    ends: datetime | None = None
    is_deleted: bool = False

    @property
    def is_always(self) -> bool:
        """Does it hold at every moment?"""
        return self.begins is None and self.ends is None and not self.is_deleted


@dataclass(frozen=True, slots=True, kw_only=True)
class Location(Dated):
    """A location. No capabilities told means able to do anything."""

    place: Place
    capabilities: frozenset[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel(Dated):
    """A channel: its pool in order; `own_till` is the location whose counter it is."""

    channel: str
    pool: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    own_till: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Life(Dated):
    """A product's record: what policies ask of it, and when it may be sold."""

    category: Category = ()
    segment: str | None = None
    sold_from: datetime | None = None
    sold_until: datetime | None = None
    is_recalled: bool = False
    made_of: MadeOf = ()

    def is_before_sale(self, moment: datetime) -> bool:
        """Is it to be sold from a later moment on?"""
        return self.sold_from is not None and moment < self.sold_from and not self.is_recalled

    def is_closed(self, moment: datetime) -> bool:
        """Not sold through any channel at this moment."""
        return (
            self.is_recalled
            or (self.sold_from is not None and moment < self.sold_from)
            or (self.sold_until is not None and moment >= self.sold_until)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SkuFacts:
    """What is known of one SKU alone; `version` rises with every change of it."""

    sku: str
    version: int = 0
    lives: tuple[Life, ...] = ()
    policies: tuple[Policy, ...] = ()
    may_be_kit: bool = field(init=False)
    """Is it made of others by any of its records?"""

    def __post_init__(self) -> None:
        object.__setattr__(self, "may_be_kit", any(life.made_of for life in self.lives))

    def life_at(self, moment: datetime) -> Life:
        """The product's record in force."""
        if len(self.lives) == 1 and self.lives[0].is_always:
            return self.lives[0]  # nearly every product
        return in_force(self.lives, moment) or UNKNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Everything that concerns more than one SKU, under one version."""

    version: int
    locations: Mapping[str, Sequence[Location]]
    channels: Mapping[str, Sequence[Channel]]
    policies: Sequence[Policy]


class PlaceTerms(NamedTuple):
    """What one location asks: nothing is offered if hindered, else what is free above `buffer`."""

    buffer: int
    hindrance: RefusalReason | None = None
    is_own_till: bool = False


class Terms(NamedTuple):
    """What one request is decided under: places in the order of the pool, or why there are none."""

    places: Mapping[str, PlaceTerms]
    channel_buffer: int = 0
    refusal: RefusalReason | None = None
    order_limit: int | None = None  # units of the SKU that one order may have
    customer_limit: Policy | None = None  # or one customer, in all orders while it is in force
    back_order_limit: int = 0  # units that may be owed at once
    back_order_days: int | None = None  # what waits must be expected within so many days
    pre_order_limit: int = 0  # units that may be claimed before the sale begins
    opens_at: datetime | None = None  # when it does, where it is open to pre-orders

    @property
    def may_wait(self) -> bool:
        """May units be held that are still to come?"""
        return self.opens_at is not None or self.back_order_limit > 0


UNKNOWN = Life()
D = TypeVar("D", bound=Dated)
Key = tuple[object, ...]


def _value(term: Term, speaking: Sequence[Policy], product: Product, channel: str) -> int | None:
    found = _limit(term, speaking, product, channel)
    return None if found is None else found.value


def _limit(term: Term, speaking: Sequence[Policy], product: Product, channel: str) -> Policy | None:
    limits = [policy for policy in speaking if policy.term is term]
    return contest(limits, product, None, channel).winner if limits else None


def in_force(dated: Sequence[D], moment: datetime) -> D | None:
    """Of the records that hold at this moment, the one that began last."""
    holding = [
        record
        for record in dated
        if not record.is_deleted
        and (record.begins is None or record.begins <= moment)
        and (record.ends is None or moment < record.ends)
    ]
    return max(holding, key=lambda record: record.begins or ALWAYS, default=None)


class TermBook:
    """Terms under one version of the reference data, right from `moment` to its next boundary.

    Remembers what it has worked out: SKUs of one kind without policies of their own share terms.
    """

    def __init__(self, reference: Reference, moment: datetime) -> None:
        self.reference = reference
        self._since = moment
        self._until = min((at for at in _boundaries(reference) if at > moment), default=None)
        self._remembered: dict[Key, Terms | PlaceTerms] = {}
        self.keeps_back = any(p.term is Term.CHANNEL_BUFFER for p in reference.policies)
        """May a channel keep units of its pool back?"""

    def holds(self, version: int, moment: datetime) -> bool:
        """Are these the terms of this version at this moment?"""
        return (
            self.reference.version == version
            and self._since <= moment
            and (self._until is None or moment < self._until)
        )

    def of_channel(
        self, facts: SkuFacts, life: Life, channel: str, method: str | None, moment: datetime
    ) -> Terms:
        """The terms of one channel for one SKU, whose product's record in force is `life`."""
        key = _kind(facts, life, channel, method)
        found = self._remembered.get(key) if key else None
        if found is None:
            found = self._channel_terms(facts, life, channel, method, moment)
            self._remember(key, found)
        assert isinstance(found, Terms), found
        return found

    def of_location(
        self, facts: SkuFacts, life: Life, location: str, moment: datetime
    ) -> PlaceTerms:
        """The terms of a location for whoever asks for no channel."""
        key = _kind(facts, life, "", location)
        found = self._remembered.get(key) if key else None
        if location not in self.reference.locations:
            return PlaceTerms(0, RefusalReason.UNKNOWN_LOCATION)
        if found is None:
            speaking = self._speaking(facts, moment)
            found = self._place_terms(_product(facts, life), location, None, None, speaking, moment)
            self._remember(key, found)
        assert isinstance(found, PlaceTerms), found
        return found

    def at_location(self, facts: SkuFacts, location: str, term: Term, moment: datetime) -> int:
        """One term's value for a SKU at a location, whatever the channel; 0 where nobody says."""
        dated = self.reference.locations.get(location, ())
        known = in_force(dated, moment) or Location(place=Place(location=location))
        rivals = [policy for policy in self._speaking(facts, moment) if policy.term is term]
        product = _product(facts, facts.life_at(moment))
        return contest(rivals, product, known.place, None).value_or(0)

    def _remember(self, key: Key | None, found: Terms | PlaceTerms) -> None:
        if key is not None:
            if len(self._remembered) >= REMEMBERED_MAX:
                self._remembered.clear()
            self._remembered[key] = found

    def _speaking(self, facts: SkuFacts, moment: datetime) -> list[Policy]:
        return [p for p in (*self.reference.policies, *facts.policies) if p.is_in_force(moment)]

    def _channel_terms(
        self, facts: SkuFacts, life: Life, name: str, method: str | None, moment: datetime
    ) -> Terms:
        dated = self.reference.channels.get(name)
        if not dated:
            return Terms({}, refusal=RefusalReason.UNKNOWN_CHANNEL)
        channel = in_force(dated, moment)
        if channel is None:
            return Terms({}, refusal=RefusalReason.CHANNEL_CLOSED)
        product, speaking = _product(facts, life), self._speaking(facts, moment)
        buffers = [p for p in speaking if p.term is Term.CHANNEL_BUFFER]
        return Terms(
            places={
                location: self._place_terms(product, location, channel, method, speaking, moment)
                for location in channel.pool
            },
            channel_buffer=contest(buffers, product, None, name).value_or(0),
            order_limit=_value(Term.ORDER_LIMIT, speaking, product, name),
            customer_limit=_limit(Term.CUSTOMER_LIMIT, speaking, product, name),
            back_order_limit=_value(Term.BACK_ORDER_LIMIT, speaking, product, name) or 0,
            back_order_days=_value(Term.BACK_ORDER_DAYS, speaking, product, name),
            pre_order_limit=_value(Term.PRE_ORDER_LIMIT, speaking, product, name) or 0,
        )

    def _place_terms(
        self,
        product: Product,
        name: str,
        channel: Channel | None,
        method: str | None,
        speaking: Sequence[Policy],
        moment: datetime,
    ) -> PlaceTerms:
        dated = self.reference.locations.get(name)
        location = in_force(dated, moment) if dated else Location(place=Place(location=name))
        if location is None:
            return PlaceTerms(0, RefusalReason.LOCATION_CLOSED)
        is_own_till = channel is not None and channel.own_till == name
        asked = channel.channel if channel else None

        def value(term: Term) -> int:
            rivals = [policy for policy in speaking if policy.term is term]
            return contest(rivals, product, location.place, asked).value_or(0)

        hindrance: RefusalReason | None = None
        if value(Term.CLOSED):
            hindrance = RefusalReason.LOCATION_CLOSED
        elif value(Term.EXCLUDED):
            hindrance = RefusalReason.LOCATION_EXCLUDED
        elif not is_own_till and value(Term.SUSPENDED):
            hindrance = RefusalReason.LOCATION_SUSPENDED
        elif not is_own_till and channel is not None and not _is_able(location, channel, method):
            hindrance = RefusalReason.LOCATION_NOT_ABLE
        kept = max(value(term) for term in BUFFERS) + value(Term.SHORT_DATED)
        buffer = 0 if is_own_till else kept
        return PlaceTerms(buffer, hindrance, is_own_till)


def _is_able(location: Location, channel: Channel, method: str | None) -> bool:
    """Can the location serve the method, or any of the channel's where none is asked for?"""
    if method is not None and channel.methods and method not in channel.methods:
        return False
    able, asked = location.capabilities, (method,) if method is not None else channel.methods
    return not asked or able is None or any(m not in NEEDS or NEEDS[m] in able for m in asked)


def _product(facts: SkuFacts, life: Life) -> Product:
    return Product(sku=facts.sku, category=life.category, segment=life.segment)


def _kind(facts: SkuFacts, life: Life, *asked: str | None) -> Key | None:
    """What the terms may be remembered by; not at all if the SKU's own policies begin or end."""
    if not facts.policies:
        return (life.category, life.segment, *asked)
    if any(policy.begins or policy.ends for policy in facts.policies):
        return None
    return (facts.sku, facts.version, life.category, life.segment, *asked)


def _boundaries(reference: Reference) -> Iterable[datetime]:
    """Every moment at which the reference data says something else by time alone."""
    records: list[Dated | Policy] = [*reference.policies]
    for dated in (*reference.locations.values(), *reference.channels.values()):
        records += dated
    for record in records:
        yield from (at for at in (record.begins, record.ends) if at is not None)
