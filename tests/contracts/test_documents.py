"""The generated documents are current and whole."""

import json
import re
from pathlib import Path

import pytest

from shared.contracts import docs
from shared.contracts.documents import asyncapi, schema_of
from shared.contracts.topics import TOPICS


def test_the_documents_are_current() -> None:
    assert docs.main(["--check"]) == 0, "run `make docs`"


def test_a_changed_a_missing_and_a_left_over_page_are_found(tmp_path: Path) -> None:
    expected = {"a.md": "a", "b/c.json": "c"}
    docs.write(tmp_path, expected)
    assert docs.stale(tmp_path, expected) == []

    (tmp_path / "a.md").write_text("other")
    (tmp_path / "b" / "c.json").unlink()
    (tmp_path / "d.md").write_text("left over")

    assert docs.stale(tmp_path, expected) == ["a.md", "b/c.json", "d.md"]
    docs.write(tmp_path, expected)
    assert docs.stale(tmp_path, expected) == []


def test_a_stale_page_fails_the_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(docs, "FOLDER", tmp_path)

    assert docs.main(["--check"]) == 1
    assert "docs/contracts/README.md is stale" in capsys.readouterr().err
    assert docs.main([]) == 0
    assert docs.main(["--check"]) == 0


def test_the_page_begins_with_the_five_field_event() -> None:
    page = docs.pages()["README.md"]

    first = re.search(r"```json\n(.*?)```", page, re.DOTALL)

    assert first is not None
    assert len(json.loads(first[1])) == 5
    assert first.start() < 400


def test_the_same_contracts_give_the_same_bytes() -> None:
    assert docs.pages() == docs.pages()


def test_every_reference_inside_a_document_leads_somewhere() -> None:
    for document in (asyncapi("1.0.0"), *(schema_of(topic) for topic in TOPICS)):
        for reference in re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(document)):
            part: object = document
            for step in reference.split("/"):
                assert isinstance(part, dict)
                part = part[step]


def test_every_topic_is_in_the_asyncapi_document_with_its_kafka_binding() -> None:
    document = json.loads(docs.pages()["asyncapi.json"])

    for topic in TOPICS:
        binding = document["channels"][topic.name]["bindings"]["kafka"]
        assert binding["partitions"] == topic.partitions
        assert binding["topicConfiguration"]["cleanup.policy"] in (["compact"], ["delete"])
        assert {f"send-{topic.name}", f"receive-{topic.name}"} <= document["operations"].keys()
    assert document["asyncapi"] == "3.0.0"
