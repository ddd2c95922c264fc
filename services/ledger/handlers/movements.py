"""Facts to rows: which levels and accounts a movement touches, and what is unknown."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from services.ledger.handlers.reading import Fact
from services.ledger.repository.parking import Refusal
from services.ledger.repository.posting import Columns
from services.ledger.repository.references import Known, LevelKey
from shared.contracts.accounts import OWN, Account, MovementType, default_accounts
from shared.contracts.movements import StockMovement, accounts_of

PLAIN_FIELDS = frozenset({"type", "sku", "location", "quantity", "occurred_at"})
PLAIN_COUNT = len(PLAIN_FIELDS)
# A dispatch gives to another location than its own; a count names its account in `to`.
PLAIN_ACCOUNTS = {kind: default_accounts(kind) for kind in MovementType}
TRANSFERS = frozenset({MovementType.TRANSFER_DISPATCH, MovementType.TRANSFER_RECEIPT})


def sides_of(movement: StockMovement) -> tuple[Account, Account]:
    """The accounts a movement goes from and to; the common case without a detour."""
    if movement.from_ is None and movement.to is None and movement.type not in TRANSFERS:
        from_bucket, to_bucket = PLAIN_ACCOUNTS[movement.type]
        location = movement.location
        return Account(location, from_bucket, OWN), Account(location, to_bucket, OWN)
    return accounts_of(movement)


def names_in(facts: Iterable[Fact]) -> tuple[set[str], set[str], set[str], set[tuple[str, str]]]:
    """SKUs, locations, sources and (bucket, owner) that the facts name."""
    skus: set[str] = set()
    locations: set[str] = set()
    sources: set[str] = set()
    accounts: set[tuple[str, str]] = set()
    for fact in facts:
        movement = fact.movement
        skus.add(movement.sku)
        sources.add(fact.source)
        locations.add(movement.location)
        if movement.from_ is not None or movement.to is not None or movement.to_location:
            for side in accounts_of(movement):
                locations.add(side.location)
                accounts.add((str(side.bucket), side.owner))
    return skus, locations, sources, accounts


def drop_unknown(facts: list[Fact], known: Known, refusals: list[Refusal]) -> list[Fact]:
    """Facts whose SKU and locations are known; the others wait, parked, until they are."""
    skus, locations = known.skus, known.locations
    kept: list[Fact] = []
    for fact in facts:
        movement = fact.movement
        if movement.sku not in skus:
            refusals.append(unknown(fact, "sku", movement.sku))
        elif movement.location not in locations:
            refusals.append(unknown(fact, "location", movement.location))
        elif (strange := _strange_side(movement, locations)) is not None:
            refusals.append(unknown(fact, "location", strange))
        else:
            kept.append(fact)
    return kept


def unknown(fact: Fact, kind: str, name: str) -> Refusal:
    """The refusal of a fact that waits for reference data."""
    return Refusal(
        message=fact.message,
        reason=f"unknown_{kind}",
        detail=f"{kind} {name!r} is not in the reference data; the message is posted by itself "
        "when it appears",
        waits_for=f"{kind}:{name}",
    )


def level_keys(facts: Iterable[Fact], known: Known) -> set[LevelKey]:
    """(sku_id, location_id) of every level the facts touch."""
    keys: set[LevelKey] = set()
    skus, locations = known.skus, known.locations
    for fact in facts:
        movement = fact.movement
        sku_id = skus[movement.sku]
        keys.add((sku_id, locations[movement.location]))
        if movement.to_location is not None or movement.from_ or movement.to:
            for side in accounts_of(movement):
                keys.add((sku_id, locations[side.location]))
    return keys


def columns_of(
    facts: Sequence[Fact], known: Known, levels: Mapping[LevelKey, int]
) -> tuple[Columns, list[Fact], list[Fact]]:
    """The rows of the facts whose names and `levels` are at hand, those facts, and the others.

    The one loop over every event of a drain: five-field facts are numbered here without a detour.
    """
    skus, locations = known.skus, known.locations
    columns = Columns()
    from_levels, from_accounts = columns.from_levels, columns.from_accounts
    to_levels, to_accounts = columns.to_levels, columns.to_accounts
    plain = _plain_numbers(known)
    done: list[Fact] = []
    rest: list[Fact] = []
    for fact in facts:
        movement = fact.movement
        try:
            source = known.sources[fact.source]
            if movement.from_ is None and movement.to is None and movement.type in plain:
                level = levels[skus[movement.sku], locations[movement.location]]
                from_account, is_from, to_account, is_to = plain[movement.type]
                one, other = level if is_from else None, level if is_to else None
            else:
                one, from_account, other, to_account = numbered_sides(fact, known, levels)
        except KeyError:
            rest.append(fact)
            continue
        done.append(fact)
        columns.sources.append(source)
        from_levels.append(one)
        from_accounts.append(from_account)
        to_levels.append(other)
        to_accounts.append(to_account)
    columns.ids = [fact.event_id for fact in done]
    columns.types = [fact.movement.type.value for fact in done]
    columns.quantities = [fact.movement.quantity for fact in done]
    columns.occurred = [fact.moment for fact in done]
    columns.details = [details_of(fact.movement) for fact in done]
    columns.partitions = [fact.message.partition for fact in done]
    columns.offsets = [fact.message.offset for fact in done]
    return columns, done, rest


def _plain_numbers(known: Known) -> dict[MovementType, tuple[int, bool, int, bool]]:
    """Account numbers of both sides of each type that stays at its location, and if inside."""
    numbers: dict[MovementType, tuple[int, bool, int, bool]] = {}
    for kind, (came_from, goes_to) in PLAIN_ACCOUNTS.items():
        if kind not in TRANSFERS and (came_from, OWN) in known.accounts:
            one, other = known.accounts[came_from, OWN], known.accounts[goes_to, OWN]
            numbers[kind] = one, one not in known.outside, other, other not in known.outside
    return numbers


def numbered_sides(
    fact: Fact, known: Known, levels: Mapping[LevelKey, int]
) -> tuple[int | None, int, int | None, int]:
    """Level and account that a movement goes from, and those it goes to; outside has no level."""
    sku_id = known.skus[fact.movement.sku]
    came_from, goes_to = sides_of(fact.movement)
    return (*_number(came_from, sku_id, known, levels), *_number(goes_to, sku_id, known, levels))


def details_of(movement: StockMovement) -> str | None:
    """Every optional field that was sent, as JSON, or None for a five-field movement."""
    if len(movement.model_fields_set) == PLAIN_COUNT:
        return None
    return movement.model_dump_json(
        by_alias=True, exclude=set(PLAIN_FIELDS), exclude_none=True, exclude_defaults=True
    )


def anchored_account(
    fact: Fact, known: Known, levels: Mapping[LevelKey, int]
) -> tuple[int, int, datetime]:
    """(level_id, account_id, moment) of an opening or a count: the account that it sets."""
    _, account = sides_of(fact.movement)
    level, number = _number(account, known.skus[fact.movement.sku], known, levels)
    assert level is not None, "the account of an opening or a count is inside"
    return level, number, fact.movement.occurred_at


def _number(
    side: Account, sku_id: int, known: Known, levels: Mapping[LevelKey, int]
) -> tuple[int | None, int]:
    number = known.accounts[side.bucket, side.owner]
    if number in known.outside:
        return None, number
    return levels[sku_id, known.locations[side.location]], number


def _strange_side(movement: StockMovement, locations: dict[str, int]) -> str | None:
    if movement.to_location is None and movement.from_ is None and movement.to is None:
        return None
    for side in accounts_of(movement):
        if side.location not in locations:
            return side.location
    return None
