"""PostgreSQL runs in a container's root without namespaces: as another user, in a folder of its."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from shared.runtime.infrastructure.folder import DataFolder
from shared.runtime.infrastructure.identity import NOBODY, Identity
from shared.runtime.infrastructure.interface import silent
from shared.runtime.infrastructure.postgres import Postgres
from shared.runtime.infrastructure.supervision import Supervised

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
REFUSED = Identity(launch="namespace:0:0:0", owner=0)  # as where the kernel refuses namespaces
ANOTHER = Identity(launch=f"user:{NOBODY}:{NOBODY}", owner=NOBODY)


@pytest.fixture
def foreign_home() -> Iterator[Path]:
    """A folder that everyone may enter, as /var/lib is; pytest's own has mode 0700."""
    path = Path(tempfile.mkdtemp(prefix="stocktide-test-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


async def test_another_user_runs_it_where_namespaces_are_refused(
    folder: Path, foreign_home: Path, unused_tcp_port: int
) -> None:
    data = DataFolder(folder)
    data.open()
    server = Postgres(data, identities=[REFUSED, ANOTHER], foreign_home=foreign_home)
    running = Supervised(server, data, lambda: None)
    ports = {"postgres": unused_tcp_port}

    await running.prepare(silent)
    await running.start(ports)
    assert running.record is not None
    moved_to = data.postgres_home().parent
    user = psutil.Process(running.record.pid).uids().real
    await running.stop()
    again = Supervised(server, data, lambda: None)
    await again.prepare(silent)
    await again.start(ports)
    await again.stop()
    data.wipe()

    assert (user, moved_to) == (NOBODY, foreign_home)
    assert os.listdir(foreign_home) == [], "the data is wiped with its folder"
