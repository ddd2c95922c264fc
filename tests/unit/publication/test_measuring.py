"""Freshness: what counts as late, and how soon a channel's figures should go."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest
from prometheus_client import REGISTRY

from services.publication.domain.capabilities import FRESH_SECONDS, Descriptor
from services.publication.engine.measuring import measure_propagation
from services.publication.repository.attempts import Call
from tests.unit.publication.builders import wanted

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


def a_sample(name: str, channel: str) -> float | None:
    return REGISTRY.get_sample_value(f"stocktide_propagation_{name}", {"channel": channel})


@pytest.mark.parametrize(
    ("calls_per_second", "seconds"),
    [
        pytest.param(None, FRESH_SECONDS, id="no_pace"),
        pytest.param(2.0, FRESH_SECONDS + 0.5, id="two_calls_a_second"),
        pytest.param(1 / 61, FRESH_SECONDS + 61, id="a_file_a_minute"),
    ],
)
def test_a_pace_gives_its_interval_of_grace(calls_per_second: float | None, seconds: float) -> None:
    descriptor = Descriptor(kind="test", calls_per_second=calls_per_second)

    assert descriptor.fresh_seconds == pytest.approx(seconds)


def test_what_is_late_is_counted_once_and_in_both() -> None:
    then = NOW.timestamp()
    batch = (
        wanted(1, caused_at=then - 5.0),
        wanted(2, caused_at=then - 5.1),
        replace(wanted(3, caused_at=then - 99), is_resync=True),  # nobody has waited for it
        replace(wanted(4, caused_at=then - 99), failures=1),  # was counted at its first call
        wanted(5),
    )

    measure_propagation("late-shop", Call(call_id=UUID(int=1), batch=batch), NOW, 5.0)

    assert a_sample("seconds_count", "late-shop") == 2
    assert a_sample("late_total", "late-shop") == 1
    assert a_sample("target_seconds", "late-shop") == 5.0


def test_a_channel_that_is_never_late_says_so() -> None:
    call = Call(call_id=UUID(int=1), batch=(wanted(1, caused_at=NOW.timestamp()),))

    measure_propagation("fresh-shop", call, NOW, 5.0)

    assert a_sample("late_total", "fresh-shop") == 0
