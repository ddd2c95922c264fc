"""Kafka's jars heal themselves from damage and from a download that stopped half-way."""

import os
import shutil
from pathlib import Path

import pytest

from shared.runtime.infrastructure.embedded import cache_folder
from shared.runtime.infrastructure.interface import silent
from shared.runtime.infrastructure.jars import LIST, class_path, is_whole, pinned_jars


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A copy of the user's cache by hard links: nothing is downloaded twice."""
    source = cache_folder(None, tmp_path)
    class_path(source, silent)
    shutil.copytree(source / "maven", tmp_path / "cache" / "maven", copy_function=os.link)
    return tmp_path / "cache"


def test_a_damaged_jar_is_fetched_again_without_java_or_maven(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jar = pinned_jars(LIST.read_text())[-1]
    damaged = cache / "maven" / jar.path
    content = damaged.read_bytes()
    damaged.unlink()  # a write would reach the original through the link
    damaged.write_bytes(content[:100])
    leftover = cache / "maven" / ".partial-1"
    leftover.mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    monkeypatch.delenv("JAVA_HOME", raising=False)

    found = class_path(cache, silent)

    assert is_whole(jar, cache / "maven")
    assert all(path.exists() for path in found)
    assert not leftover.exists()
