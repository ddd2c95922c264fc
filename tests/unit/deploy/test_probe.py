"""The container's health check: which service it asks, and what it makes of the answer."""

import importlib.util
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import ModuleType

import pytest

PROBE = Path(__file__).parents[3] / "deploy" / "probe.py"


@pytest.fixture(scope="module")
def probe() -> ModuleType:
    """deploy/probe.py, which is a file of the image and in no package."""
    spec = importlib.util.spec_from_file_location("probe", PROBE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@contextmanager
def answering(status: int) -> Iterator[tuple[int, list[str]]]:
    """An HTTP server with one answer: its port, and the paths it was asked for."""
    asked: list[str] = []

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server.server_address[1], asked
    server.shutdown()
    thread.join()
    server.server_close()


def container_of(
    probe: ModuleType, monkeypatch: pytest.MonkeyPatch, folder: Path, command: str
) -> None:
    first = folder / "cmdline"
    first.write_text("\0".join(command.split()) + "\0")
    monkeypatch.setattr(probe, "FIRST_PROCESS", first)


@pytest.mark.parametrize(("status", "verdict"), [(200, 0), (503, 1)])
def test_a_service_lives_when_its_livez_says_so(
    probe: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, status: int, verdict: int
) -> None:
    container_of(probe, monkeypatch, tmp_path, "/sbin/init -- stocktide run orders")

    with answering(status) as (port, asked):
        monkeypatch.setenv("STOCKTIDE_ORDERS_PORT", str(port))
        found = probe.main()

    assert found == verdict
    assert asked == ["/livez"]


def test_a_service_that_listens_nowhere_does_not_live(
    probe: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    container_of(probe, monkeypatch, tmp_path, "python stocktide run ledger-api")
    with answering(200) as (port, _):
        monkeypatch.setenv("STOCKTIDE_LEDGER_API_PORT", str(port))

    assert probe.main() == 1


def test_a_container_without_a_service_has_nothing_to_be_asked(
    probe: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    container_of(probe, monkeypatch, tmp_path, "sh -c stocktide migrate")

    assert probe.main() == 0
