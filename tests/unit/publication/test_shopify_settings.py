"""How a Shopify shop is configured, and the connector that comes of it."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from services.publication.app import connector_of
from services.publication.channels.shopify import Shopify
from services.publication.settings import Shop

SHOP: TypeAdapter[Shop] = TypeAdapter(Shop)
TOLD: dict[str, Any] = {
    "kind": "shopify", "url": "https://shop.example", "access_token": "t", "location_id": "81001",
}  # fmt: skip


def test_a_shop_of_kind_shopify_gets_its_connector() -> None:
    connector = connector_of(SHOP.validate_python(TOLD | {"batch_max": 40, "calls_at_once": 2}))

    assert isinstance(connector, Shopify)
    descriptor = connector.descriptor
    assert (descriptor.kind, descriptor.batch_max, descriptor.calls_at_once) == ("shopify", 40, 2)
    assert descriptor.can_compare_and_set
    assert not descriptor.fails_per_item


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"api_version": "2025-10"}, id="a_version_without_compare_from_quantity"),
        pytest.param({"location_id": "gid://shopify/Product/1"}, id="no_location"),
        pytest.param({"batch_max": 251}, id="more_than_a_call_may_carry"),
        pytest.param({"token_header": "X: y"}, id="no_header_name"),
        pytest.param({"key": "ck"}, id="a_key_pair_is_another_kind's"),
        pytest.param({"url": "shop.example"}, id="no_address"),
    ],
)
def test_a_setting_that_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        SHOP.validate_python(TOLD | wrong)


def test_the_token_is_never_shown() -> None:
    assert "secret-token" not in repr(SHOP.validate_python(TOLD | {"access_token": "secret-token"}))
