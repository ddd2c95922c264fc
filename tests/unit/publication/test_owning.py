"""A lease outlives every call that is started under it."""

import pytest

from services.publication.engine.owning import LaneOptions
from services.publication.settings import MiraklShop


@pytest.mark.parametrize(
    ("call_seconds_max", "lease_seconds"),
    [
        pytest.param(5.0, 9.0, id="quick_calls_leave_it_as_it_was_set"),
        pytest.param(7.0, 11.0, id="it_must_outlive_a_renewal_too"),
        pytest.param(30.0, 34.0, id="slow_calls_lengthen_it"),
    ],
)
def test_a_channels_lease_outlives_its_calls(call_seconds_max: float, lease_seconds: float) -> None:
    options = LaneOptions(lease_seconds=9.0, renew_seconds=2.0)

    assert options.outliving(call_seconds_max).lease_seconds == lease_seconds


def test_a_marketplace_with_its_default_settings_can_be_owned() -> None:
    shop = MiraklShop(kind="mirakl", url="http://127.0.0.1:1", api_key="a-key-of-some-length")

    own = LaneOptions().outliving(shop.timeout_seconds)

    assert own.lease_seconds > shop.timeout_seconds + own.renew_seconds
