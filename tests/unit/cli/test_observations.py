"""`observations list` and `sources`: the ledger's answers as tables and as JSON."""

import json
from typing import Any

import pytest

from services.cli.commands import observations
from services.cli.exits import Exit

OBSERVATION: dict[str, Any] = {
    "observation_no": 7, "source": "shop:1", "type": "sale", "sku": "S1", "location": "L1",
    "quantity": 3, "posted": 1, "difference": 2, "matched_by": "order_line",
    "occurred_at": "2026-06-01T12:00:00Z", "posted_sku": None, "posted_location": "L2",
    "details": {"order_line": {"order_id": "O1", "line_id": "1"}},
}  # fmt: skip
ANSWERS: dict[str, dict[str, Any]] = {
    "/v1/observations": {"observations": [OBSERVATION], "counts": {"differing": 1}},
    "/v1/sources": {
        "sources": [
            {"source": "till:9", "declared": False, "kind": None, "role": "posts", "rules": 0,
             "heard_at": None, "silent_at": [{"location": "store-7"}],
             "sequence": {"highest": 9, "gaps": [{"first": 2, "last": 3}]}},
        ]
    },
}  # fmt: skip


@pytest.fixture(autouse=True)
def _answers(monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(_: object, service: str, path: str, **_query: object) -> dict[str, Any]:
        assert service == "ledger-api"
        return ANSWERS[path]

    monkeypatch.setattr(observations, "here", lambda: None)
    monkeypatch.setattr(observations, "ask", ask)


def test_a_difference_is_shown_with_where_it_was_posted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    status = observations.list_observations("differing", None, 0, 100, as_json=False)

    printed = capsys.readouterr().out
    assert status is Exit.OK
    assert [part for part in ("shop:1", "(L2)", "O1/1", "differing") if part not in printed] == []


def test_a_source_that_nobody_declared_and_its_gap_are_shown(
    capsys: pytest.CaptureFixture[str],
) -> None:
    observations.list_sources(as_json=False)

    printed = capsys.readouterr().out
    assert [part for part in ("till:9", "2–3", "store-7") if part not in printed] == []


def test_json_is_the_ledgers_answer(capsys: pytest.CaptureFixture[str]) -> None:
    observations.list_observations("differing", None, 0, 100, as_json=True)
    assert json.loads(capsys.readouterr().out) == ANSWERS["/v1/observations"]

    observations.list_sources(as_json=True)
    assert json.loads(capsys.readouterr().out) == ANSWERS["/v1/sources"]
