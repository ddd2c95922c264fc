"""Reference records in the words of the catalog: what they claim, name, and are kept as."""

import json
from collections.abc import Iterator
from hashlib import sha256

from services.catalog.domain.codes import CodeKind, CodeRecord
from services.catalog.domain.entering import Claim
from services.catalog.repository.rows import RecordRow
from shared.contracts.dated import Dated
from shared.contracts.reference import (
    REFERENCE_RECORDS,
    Assortment,
    Calendar,
    Channel,
    Listing,
    Location,
    Policy,
    Product,
    ProductCode,
    Promotion,
    Revaluation,
    Source,
    Supplier,
)
from shared.stock import policies
from shared.stock.policies import Term

MODELS: dict[str, type[Dated]] = {
    str(model.model_fields["kind"].annotation.__args__[0]): model  # type: ignore[union-attr]  # a Literal has arguments
    for model in REFERENCE_RECORDS
}
Reference = tuple[str, str, str]  # column, kind, thing


def row_of(record: Dated) -> RecordRow:
    """The record as it is kept."""
    return RecordRow(
        kind=kind_of(record),
        record_id=record.record_id,
        thing=thing_of(record),
        begins=record.from_,
        ends=record.until,
        revision=record.revision,
        is_deleted=record.deleted,
        claim=_claim_of(record),
        code=_code_of(record),
        content=sha256(record.model_copy(update={"revision": 0}).encode()).digest(),
        record=record.encode().decode(),
    )


def kind_of(record: Dated) -> str:
    """Which kind of reference data it is."""
    kind = getattr(record, "kind", None)
    assert isinstance(kind, str), record
    return kind


def thing_of(record: Dated) -> str:
    """The record's name without its date: what several dated records are about."""
    parts = [getattr(record, name) for name in record.NAMED_BY if name != "from_"]
    return "|".join("" if part is None else str(part) for part in parts)


def _code_of(record: Dated) -> str | None:
    if isinstance(record, ProductCode):
        return record.code
    return record.listing_id if isinstance(record, Listing) else None


def _claim_of(record: Dated) -> bytes | None:
    """What nothing else may say at the same time."""
    if isinstance(record, ProductCode | Listing):
        told = [kind_of(record), thing_of(record)]
    elif isinstance(record, Policy):
        told = [record.kind, record.term, record.scope.encode().decode()]
    else:
        return None
    return sha256(json.dumps(told).encode()).digest()


def code_record_of(record: Dated) -> CodeRecord:
    """What an identifier or a listing says of its code."""
    if isinstance(record, Listing):
        return CodeRecord(
            record_id=record.record_id, kind=CodeKind.LISTING, scheme="channel",
            issuer=record.channel, code=record.listing_id, sku=record.sku,
            units=record.units_per_listing, begins=record.from_, ends=record.until,
            fulfilled_by=record.fulfilled_by.value,
        )  # fmt: skip
    assert isinstance(record, ProductCode), record
    return CodeRecord(
        record_id=record.record_id, kind=CodeKind.IDENTIFIER, scheme=record.scheme.value,
        issuer=record.issuer, code=record.code, sku=record.sku, units=record.units_per_code,
        begins=record.from_, ends=record.until,
    )  # fmt: skip


def claim_of(record: Dated) -> Claim:
    """The same as a claim on its code."""
    told = code_record_of(record)
    return Claim(
        record_id=told.record_id, sku=told.sku, units=told.units,
        begins=told.begins, ends=told.ends,
    )  # fmt: skip


def policy_of(record: Policy) -> policies.Policy | None:
    """The policy in the words of precedence; None for a term that nobody reads."""
    if record.value is None or record.term not in frozenset(Term):
        return None
    scope = record.scope
    return policies.Policy(
        policy_id=record.policy_id,
        term=Term(record.term),
        value=record.value,
        scope=policies.Scope(
            sku=scope.sku, category=scope.category or (), segment=scope.segment,
            location=scope.location, location_group=scope.location_group, country=scope.country,
            channel=scope.channel,
        ),
        begins=record.from_,
        ends=record.until,
    )  # fmt: skip


def references_of(record: Dated) -> Iterator[Reference]:
    """What the record names and somebody has to tell of: column, kind, thing."""
    match record:
        case Product():
            return _of_product(record)
        case ProductCode() | Listing() | Assortment() | Revaluation():
            return _of_sold(record)
        case Promotion():
            return _of_promotion(record)
        case Policy():
            return _of_policy(record)
        case _:
            return _of_partner(record)


def _of_sold(record: ProductCode | Listing | Assortment | Revaluation) -> Iterator[Reference]:
    yield "sku", "product", record.sku
    if isinstance(record, ProductCode | Revaluation):
        return
    if isinstance(record, Assortment) and record.location is not None:
        yield "location", "location", record.location
    if record.channel is not None:
        yield "channel", "channel", record.channel


def _of_promotion(record: Promotion) -> Iterator[Reference]:
    yield from (("skus", "product", sku) for sku in record.skus)
    yield from (("channels", "channel", one) for one in record.channels)
    yield from (("locations", "location", one) for one in record.locations)


def _of_product(record: Product) -> Iterator[Reference]:
    yield from (("kit.sku", "product", part.sku) for part in record.kit)
    if record.variant_parent is not None:
        yield "variant_parent", "product", record.variant_parent
    if record.life_cycle.successor is not None:
        yield "life_cycle.successor", "product", record.life_cycle.successor


def _of_policy(record: Policy) -> Iterator[Reference]:
    scope = record.scope
    if scope.sku is not None:
        yield "scope.sku", "product", scope.sku
    if scope.location is not None:
        yield "scope.location", "location", scope.location
    if scope.channel is not None:
        yield "scope.channel", "channel", scope.channel


def _of_partner(record: Dated) -> Iterator[Reference]:
    match record:
        case Location() | Supplier():
            if record.calendar is not None:
                yield "calendar", "calendar", record.calendar
        case Channel():
            yield from (("pool", "location", place) for place in record.pool)
            yield from (
                ("location_modes.location", "location", one.location)
                for one in record.location_modes
            )
        case Source():
            yield from (
                ("rules.location", "location", rule.location)
                for rule in record.rules
                if rule.location is not None
            )
        case Calendar():
            return
        case _:
            raise AssertionError(f"a record of no known kind: {type(record).__name__}")
