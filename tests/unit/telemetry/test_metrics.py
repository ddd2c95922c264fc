"""The shared metrics: the page is current, names and labels keep the house's rules."""

import re
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from shared.telemetry import docs
from shared.telemetry.metrics import INVARIANT_VIOLATIONS, note_unpublished

NAMES = (
    "stocktide_message_handling_seconds", "stocktide_consumer_lag_messages",
    "stocktide_propagation_seconds", "stocktide_oversold_units", "stocktide_parked_messages",
    "stocktide_invariant_violations",
)  # fmt: skip
NEVER_LABELS = {"sku", "order_id", "order", "line_id", "location", "location_id", "listing"}
ROW = re.compile(r"^\| `(?P<name>\w+)` \| \w+ \| (?P<labels>[^|]*) \|", re.MULTILINE)


def test_the_page_of_metrics_is_current() -> None:
    assert docs.PAGE.read_text() == docs.page(), "run `python -m shared.telemetry.docs`"


@pytest.mark.parametrize("name", NAMES)
def test_the_designs_metrics_are_there_once(name: str) -> None:
    assert [row["name"] for row in ROW.finditer(docs.page())].count(name) == 1


def test_no_label_names_a_sku_or_an_order_and_every_name_is_ours() -> None:
    rows = list(ROW.finditer(docs.page()))

    assert len(rows) > 30
    assert not [row["name"] for row in rows if not row["name"].startswith("stocktide_")]
    labels = {label for row in rows for label in re.findall(r"`(\w+)`", row["labels"])}
    assert not labels & NEVER_LABELS


def test_a_page_that_is_not_current_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(docs, "PAGE", tmp_path / "metrics.md")
    assert docs.main(["--check"]) == 1
    assert docs.main([]) == 0
    assert docs.main(["--check"]) == 0

    docs.PAGE.write_text(docs.PAGE.read_text() + "old\n")

    assert docs.main(["--check"]) == 1
    assert "make docs" in capsys.readouterr().err


@pytest.mark.parametrize(("seconds", "violations"), [(5.0, 0), (5.1, 1)])
def test_a_state_that_waits_longer_than_five_seconds_violates_an_invariant(
    seconds: float, violations: int
) -> None:
    note_unpublished("test", seconds)

    labels = {"invariant": "test_published_within_5_s"}
    assert REGISTRY.get_sample_value("stocktide_invariant_violations", labels) == violations
    INVARIANT_VIOLATIONS.remove("test_published_within_5_s")
