"""A data folder tells who runs in it, and says the way out of what is wrong with it."""

import os
import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

from shared.runtime.infrastructure import InfrastructureError, attach, running, wipe
from shared.runtime.infrastructure.embedded import cache_folder
from shared.runtime.infrastructure.folder import STATE, DataFolder, State
from shared.runtime.infrastructure.processes import ProcessRecord, is_alive, record_of


def _me() -> ProcessRecord:
    found = record_of(os.getpid())
    assert found is not None
    return found


def a_state(**changes: object) -> State:
    values = {
        "stage": "ready", "guardian": _me(), "parent": _me(), "servers": {"redis": _me()},
        "addresses": {"kafka": "h:1", "postgres": "postgresql://h/d", "redis": "redis://h:1/0"},
    }  # fmt: skip
    return State(**{**values, **changes})  # type: ignore[arg-type]  # a test's keyword overrides


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    made = DataFolder(tmp_path / "data")
    made.open()
    return made


def test_what_is_written_is_read_again_by_its_owner_only(folder: DataFolder) -> None:
    state = a_state()

    folder.write_state(state)

    assert folder.read_state() == state
    assert (folder.path / STATE).stat().st_mode & 0o077 == 0
    assert folder.path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("content", ["", '{"stage": "ready"', "[]", '{"guardian": {"pid": 7}}'])
def test_a_torn_state_counts_as_none(folder: DataFolder, content: str) -> None:
    (folder.path / STATE).write_text(content)

    assert folder.read_state() is None
    assert running(folder.path) is None


@pytest.mark.parametrize(
    ("changes", "runs"),
    [
        pytest.param({}, True, id="ready"),
        pytest.param({"stage": "starting"}, False, id="not_yet_ready"),
        pytest.param({"stage": "stopping"}, False, id="already_ending"),
        pytest.param(
            {"guardian": ProcessRecord(pid=os.getpid(), created=1.0)}, False,
            id="the_pid_belongs_to_another_process_by_now",
        ),
    ],
)  # fmt: skip
def test_a_stack_runs_while_its_guardian_lives_and_is_ready(
    folder: DataFolder, changes: dict[str, object], runs: bool
) -> None:
    folder.write_state(a_state(**changes))

    assert (running(folder.path) is not None) is runs


def test_attaching_where_nothing_runs_says_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(InfrastructureError, match="stocktide up"):
        attach(tmp_path)


def test_a_held_folder_is_neither_locked_twice_nor_wiped(folder: DataFolder) -> None:
    folder.write_state(a_state(servers={}))
    lock = folder.lock()
    assert lock is not None

    second = folder.lock()
    with pytest.raises(InfrastructureError, match=f"process {os.getpid()} "):
        wipe(folder.path)
    os.close(lock)
    third = folder.lock()

    assert second is None
    assert third is not None
    os.close(third)


def test_wiping_removes_data_and_nothing_that_is_not_ours(folder: DataFolder) -> None:
    (folder.path / "kafka" / "data").mkdir(parents=True)
    (folder.path / "notes.txt").touch()

    wipe(folder.path)
    wipe(folder.path / "absent")

    assert not (folder.path / "kafka").exists()
    assert (folder.path / "notes.txt").exists()


def test_a_full_disk_is_said_with_a_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Usage(NamedTuple):
        free: int

    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(free=2**20))

    with pytest.raises(InfrastructureError, match=r"Only 1 MiB .* STOCKTIDE_DATA"):
        DataFolder(tmp_path / "data").open()


def test_a_folder_that_cannot_be_made_is_said_with_a_way_out(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(InfrastructureError, match="STOCKTIDE_DATA"):
        DataFolder(tmp_path / "file" / "data").open()


def test_downloads_go_where_asked_else_to_the_user_s_cache_else_to_the_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("STOCKTIDE_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    asked = cache_folder(tmp_path / "asked", tmp_path / "data")
    users = cache_folder(None, tmp_path / "data")
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    fallback = cache_folder(None, tmp_path / "data")
    monkeypatch.setenv("STOCKTIDE_CACHE", str(tmp_path / "named"))
    named = cache_folder(None, tmp_path / "data")

    assert asked == tmp_path / "asked"
    assert users == tmp_path / "user" / "stocktide"
    assert fallback == tmp_path / "data" / "cache"
    assert named == tmp_path / "named"


def test_a_process_is_known_by_its_start_as_well_as_its_pid() -> None:
    me = _me()

    assert is_alive(me)
    assert not is_alive(ProcessRecord(pid=me.pid, created=me.created - 60))
