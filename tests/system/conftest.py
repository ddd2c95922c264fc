"""What needs more than Python: Prometheus and Docker Compose, and a stack for Prometheus to watch.

A machine that neither has a program nor can fetch it skips its tests, with the reason; with CI=true
it fails them.
"""

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from services.cli.stack import ports_for
from tests.e2e.conftest import Chain, chain, servers
from tests.system.tools import MissingToolError, Tool, compose, program

__all__ = ["chain", "servers"]

# Any: a row of Prometheus' JSON, whose shape is the query's.
Row = dict[str, Any]

ROOT = Path(__file__).parents[2]
CONFIGURATION = ROOT / "deploy" / "prometheus" / "prometheus.yml"
READY_SECONDS = 30.0


def found(look: Callable[[], Tool]) -> Tool:
    """The tool; without it the test is skipped, and fails in CI."""
    try:
        return look()
    except MissingToolError as error:
        if os.environ.get("CI") == "true":
            pytest.fail(str(error))
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def docker_compose() -> Tool:
    """Docker Compose, any generation, without an engine."""
    return found(compose)


@pytest.fixture(scope="session")
def promtool() -> Tool:
    """Prometheus' own checker."""
    return found(lambda: program("promtool", package="prometheus"))


class Watched:
    """A Prometheus that watches the chain's services."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def get(self, path: str, **parameters: str) -> list[Row]:
        """The rows that Prometheus answers with. Raises httpx.HTTPStatusError."""
        answer = await self._http.get(f"/api/v1/{path}", params=parameters)
        assert answer.status_code == 200, answer.text
        data = answer.json()["data"]
        rows: list[Row] = data["result"] if "result" in data else data["activeTargets"]
        return rows

    async def until(
        self, path: str, is_so: Callable[[list[Row]], bool], **parameters: str
    ) -> list[Row]:
        """The rows as soon as they are as wanted, or as they are at the deadline."""
        deadline = asyncio.get_running_loop().time() + READY_SECONDS
        rows: list[Row] = []
        while asyncio.get_running_loop().time() < deadline:
            rows = await self.get(path, **parameters)
            if is_so(rows):
                break
            await asyncio.sleep(0.2)
        return rows


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def busy(chain: Chain) -> Chain:
    """The chain when an order was taken in its shop, sent, and has come back."""
    assert await chain.shop.buy({chain.world.entries["plum"]: 1}) is not None
    await chain.rest()
    await chain.send_parcels()
    return chain


def configuration_for(chain: Chain) -> str:
    """The project's own configuration, with the ports that this stack has got."""
    text = CONFIGURATION.read_text().replace("_interval: 5s", "_interval: 1s")
    for service in chain.stack.plan.services:
        address = f"127.0.0.1:{chain.stack.ports[service.name]}"
        text = text.replace(f"- {service.name}:{service.port}\n", f"- {address}\n")
    return text


@pytest.fixture(scope="session")
def prometheus_folder(tmp_path_factory: pytest.TempPathFactory, chain: Chain) -> Path:
    """Configuration and rules side by side, as the container has them."""
    folder = tmp_path_factory.mktemp("prometheus")
    (folder / "prometheus.yml").write_text(configuration_for(chain))
    (folder / "rules").symlink_to(CONFIGURATION.parent / "rules")
    return folder


@pytest.fixture(scope="session")
def prometheus_url(prometheus_folder: Path) -> Iterator[str]:
    """A Prometheus of this session, ended with it."""
    tool = found(lambda: program("prometheus", package="prometheus"))
    port = ports_for({"prometheus": 9095})["prometheus"]
    with (prometheus_folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*tool.arguments, f"--config.file={prometheus_folder / 'prometheus.yml'}",
             f"--storage.tsdb.path={prometheus_folder / 'data'}",
             f"--web.listen-address=127.0.0.1:{port}"],
            stdout=log, stderr=log,
        )  # fmt: skip
    yield f"http://127.0.0.1:{port}"
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20) == 0, (prometheus_folder / "log").read_text()[-2000:]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def watched(prometheus_url: str) -> AsyncIterator[Watched]:
    """Prometheus, ready to be asked."""
    async with httpx.AsyncClient(base_url=prometheus_url, trust_env=False) as http:
        deadline = asyncio.get_running_loop().time() + READY_SECONDS
        while asyncio.get_running_loop().time() < deadline:
            try:
                if (await http.get("/-/ready")).status_code == 200:
                    break
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.1)
        yield Watched(http)
