"""No contract has room for a person's name, address, e-mail or phone.

The rule: no field is called like one, and a text field either has a pattern that a sentence does
not pass, or is named here as an identifier of something that is no person.
"""

import re
from collections.abc import Iterator

import pytest
from pydantic import Field, ValidationError

from shared.contracts.documents import JsonObject, schema_of
from shared.contracts.fields import Text
from shared.contracts.orders import Order, OrderState
from shared.contracts.records import Record
from shared.contracts.topics import TOPICS

SENTENCE = "Ada Lovelace, 12 St James's Square, ada@example.org, +44 20 7946 0000"
PERSONAL = {
    "name", "firstname", "lastname", "surname", "forename", "fullname", "person", "contact",
    "email", "mail", "phone", "telephone", "mobile", "fax", "address", "street", "city", "town",
    "postcode", "postal", "zip", "birth", "birthday", "gender", "iban", "card", "comment", "note",
    "remark", "message", "recipient", "buyer",
}  # fmt: skip
# A product's name is not a person's.
NAMES_OF_THINGS = {"Product.name"}
IDENTIFIERS = {
    "sku", "location", "location_id", "to_location", "from_location", "short_at", "fulfil_from",
    "channel", "channels", "locations", "skus", "candidates", "pool", "owner", "order_id",
    "line_id", "line_ids", "return_id", "supply_id", "supplier_id", "listing", "listing_id",
    "hold_id", "hold",
    "promotion", "promotion_id", "calendar", "calendar_id", "policy_id", "source", "source_id",
    "issuer", "id", "ids", "attempt_id", "idempotency_key", "number", "line", "code", "serials",
    "carrier", "parcel", "substitutes", "variant_parent", "successor", "category", "segment",
    "season",
}  # fmt: skip


def texts(schema: JsonObject) -> Iterator[tuple[str, str, JsonObject]]:
    """(model, field, schema) of every text that a payload may hold, wherever it is."""
    definitions = schema.get("$defs", {})
    assert isinstance(definitions, dict)
    for model, definition in {**definitions, str(schema.get("title")): schema}.items():
        properties = definition.get("properties", {}) if isinstance(definition, dict) else {}
        assert isinstance(properties, dict)
        for field, shape in properties.items():
            yield from ((model, field, text) for text in leaves(shape))


def leaves(shape: object) -> Iterator[JsonObject]:
    """The text schemas inside a field's schema; references are definitions of their own."""
    if isinstance(shape, list):
        for part in shape:
            yield from leaves(part)
    elif isinstance(shape, dict):
        if shape.get("type") == "string":
            yield shape
        for word in ("anyOf", "oneOf", "items", "additionalProperties"):
            yield from leaves(shape.get(word))


def names(schema: JsonObject) -> Iterator[str]:
    """`Model.field` of every field that a payload may hold."""
    definitions = schema.get("$defs", {})
    assert isinstance(definitions, dict)
    for model, definition in {**definitions, str(schema.get("title")): schema}.items():
        properties = definition.get("properties", {}) if isinstance(definition, dict) else {}
        assert isinstance(properties, dict)
        yield from (f"{model}.{field}" for field in properties)


def breaches(schema: JsonObject) -> list[str]:
    """The fields of a payload that break the rule."""
    called = [
        place
        for place in names(schema)
        if PERSONAL & set(place.split(".")[1].split("_")) and place not in NAMES_OF_THINGS
    ]
    open_texts = [
        f"{model}.{field}"
        for model, field, text in texts(schema)
        if takes_a_sentence(text)
        and field not in IDENTIFIERS
        and f"{model}.{field}" not in NAMES_OF_THINGS
    ]
    return called + open_texts


def takes_a_sentence(text: JsonObject) -> bool:
    """Whether free words fit a text schema, whatever its length allows."""
    if {"enum", "const", "format"} & text.keys():
        return False
    return re.search(str(text.get("pattern", "")), SENTENCE) is not None


def test_no_contract_has_room_for_a_person() -> None:
    found = {topic.name: breaches(schema_of(topic)) for topic in TOPICS}

    assert not any(found.values()), found


def test_the_walk_reaches_nested_records() -> None:
    reached = {place for topic in TOPICS for place in names(schema_of(topic))}

    assert {"StockMovement.sku", "Lot.code", "KitComponent.sku", "Fulfilment.parcel"} <= reached


def test_a_planted_field_for_a_person_is_found() -> None:
    class Courier(Record):
        contact_name: Text | None = None

    class Delivery(Record):
        instructions: dict[str, Text] = Field(default_factory=dict)
        couriers: tuple[Courier, ...] = ()
        parcel: Text

    found = breaches(Delivery.model_json_schema())

    assert set(found) == {"Courier.contact_name", "Delivery.instructions"}


@pytest.mark.parametrize(
    "text",
    ["Ada Lovelace", "ada@example.org", "+442079460000", "0033612345678", "c_0612345678",
     "c_ada lovelace", "c_123456789012345", "AdaLovelace", ""],
)  # fmt: skip
def test_a_customer_is_a_pseudonym_or_refused(text: str) -> None:
    with pytest.raises(ValidationError, match="customer_ref"):
        Order(order_id="1", channel="c", state=OrderState.CONFIRMED, version=1, customer_ref=text)


@pytest.mark.parametrize("text", ["FR-75011", "12 rue de la Paix", "FR 75", "75", "fr-75"])
def test_a_zone_is_a_country_and_a_postal_prefix_or_refused(text: str) -> None:
    with pytest.raises(ValidationError, match="zone"):
        Order(order_id="1", channel="c", state=OrderState.CONFIRMED, version=1, zone=text)
