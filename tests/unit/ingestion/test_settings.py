"""Settings that would let strangers in are refused at the start."""

import pytest
from pydantic import ValidationError

from services.ingestion.app import require_key
from services.ingestion.settings import IngestionSettings
from shared.runtime.settings import SettingsError
from tests.unit.ingestion.builders import OTHER_SECRET, SECRET


@pytest.mark.parametrize(
    ("shops", "reason"),
    [
        ({"a": {"kind": "shopify", "secrets": [SECRET]},
          "b": {"kind": "shopify", "secrets": [OTHER_SECRET, SECRET]}}, "same webhook secret"),
        ({"a": {"kind": "shopify", "secrets": [SECRET, SECRET]}}, "same webhook secret"),
        ({"a": {"kind": "shopify", "secrets": []}}, "at least 1"),
        ({"a": {"kind": "shopify", "secrets": [""]}}, "at least 16"),
        ({"a": {"kind": "magento", "secrets": [SECRET]}}, "woocommerce"),
    ],
    ids=["shared", "twice", "none", "empty", "unknown_kind"],
)  # fmt: skip
def test_shops_that_could_be_taken_for_each_other_are_refused(
    shops: dict[str, object], reason: str
) -> None:
    with pytest.raises(ValidationError, match=reason):
        IngestionSettings.model_validate({"shops": shops})


def test_secrets_are_not_shown() -> None:
    shops = {"a": {"kind": "shopify", "secrets": [SECRET]}}

    settings = IngestionSettings.model_validate({"shops": shops, "customer_key": OTHER_SECRET})

    assert SECRET not in repr(settings)
    assert OTHER_SECRET not in repr(settings)


@pytest.mark.parametrize(("host", "key"), [("127.0.0.1", None), ("::1", None), ("0.0.0.0", "key")])
def test_a_loopback_needs_no_key_and_a_key_needs_no_loopback(host: str, key: str | None) -> None:
    require_key(host, key)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", ""])
def test_who_listens_beyond_this_machine_has_a_key(host: str) -> None:
    with pytest.raises(SettingsError, match="STOCKTIDE_INGESTION_API_KEY"):
        require_key(host, None)
