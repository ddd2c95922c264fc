"""The ground of a turmoil: a stack of its own, whose processes and servers get killed."""

import os
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import asyncpg
from redis.asyncio import Redis

from services.cli.demo.checker import Checker
from services.cli.demo.market import environment_of, make_shops
from services.cli.demo.quiet import Quiet
from services.cli.demo.shops.woocommerce import WooShop
from services.cli.registry import SERVICES
from services.cli.spawning import Child
from services.cli.stack import Plan, Stack, brought_up, ports_for
from services.cli.supervisor import Life, Supervisor
from shared.runtime.clock import SystemClock
from shared.runtime.infrastructure import Addresses
from shared.runtime.infrastructure.interface import Providers
from shared.testing.waiting import until

EMBEDDED: Providers = {"kafka": "embedded", "postgres": "embedded", "redis": "embedded"}
CHANNEL = "woocommerce"
SETTLE_SECONDS = 60.0
READY_SECONDS = 60.0


@dataclass(slots=True, kw_only=True)
class Ground:
    """Servers, services and one shop; `shelves` is what lies where by the test's own book."""

    folder: Path
    addresses: Addresses
    stack: Stack
    shop: WooShop
    redis: "Redis"
    connection: "asyncpg.Connection[asyncpg.Record]"
    quiet: Quiet
    entries: dict[str, int] = field(default_factory=dict)
    shelves: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def lives(self) -> dict[str, Life]:
        """How each service is doing."""
        return self.stack.supervisor.lives

    def url(self, service: str) -> str:
        """Where a service answers."""
        return f"http://127.0.0.1:{self.stack.ports[service]}"

    async def rest(self) -> None:
        """Wait until every service is ready, and everything is quiet."""
        late = await self.stack.supervisor.wait_ready(SETTLE_SECONDS)
        assert not late, late
        waiting = await self.quiet.wait(SETTLE_SECONDS)
        assert not waiting, waiting

    async def broken(self) -> dict[str, list[str]]:
        """The invariants that don't hold, each with its evidence."""
        checker = Checker(
            connection=self.connection, redis=self.redis, kafka=self.addresses.kafka,
            shops={CHANNEL: self.shop}, entries=self.entries, shelves=self.shelves,
        )  # fmt: skip
        verdicts = await checker.check()
        return {verdict.name: list(verdict.evidence) for verdict in verdicts if not verdict.holds}

    async def reconnect(self) -> None:
        """Connect to PostgreSQL anew, after it was restarted. Raises what asyncpg does."""
        self.connection = await asyncpg.connect(self.addresses.postgres, timeout=10)
        await self.quiet.close()
        self.quiet = await _quiet(self.addresses, self.connection)

    @staticmethod
    async def kill(life: Life) -> None:
        """kill -9, in whichever of its lives it is; waits until the supervisor has seen it."""

        async def has_pid() -> bool:
            return life.pid is not None

        await until(has_pid)
        restarts = life.restarts
        assert life.pid is not None
        os.kill(life.pid, signal.SIGKILL)

        async def is_seen() -> bool:
            return life.restarts > restarts

        await until(is_seen)

    @asynccontextmanager
    async def beside(self, *names: str) -> AsyncIterator[Supervisor]:
        """Second processes of these services, supervised like the first ones, until exit."""
        ports = ports_for({name: 8860 + n for n, name in enumerate(names)})
        variables = {service.name: service.port_variable for service in SERVICES}
        children: list[Child] = []
        for name in names:
            first = self.lives[name].child
            environment = {**first.environment, variables[name]: str(ports[name])}
            children.append(
                replace(first, name=f"{name}-2", port=ports[name], environment=environment)
            )
        second = Supervisor(children, logs=self.folder / "logs", clock=SystemClock())
        await second.start()
        try:
            late = await second.wait_ready(READY_SECONDS)
            assert not late, late
            yield second
        finally:
            await second.stop()


@asynccontextmanager
async def laid(folder: Path, addresses: Addresses) -> AsyncIterator[Ground]:
    """The stack, up and empty."""
    market = make_shops((CHANNEL,))
    shop = market[CHANNEL]
    assert isinstance(shop, WooShop)
    # The shop is another's program: nobody kills it.
    shops = Supervisor([shop.simulator()], logs=folder / "logs", clock=SystemClock())
    await shops.start()
    assert await shops.wait_ready(READY_SECONDS) == []
    plan = Plan(kind="test", folder=folder, services=SERVICES, environment=environment_of(market))
    async with brought_up(plan, addresses, EMBEDDED, lambda _: None) as stack:
        connection = await asyncpg.connect(addresses.postgres, timeout=10)
        made = Ground(
            folder=folder, addresses=addresses, stack=stack, shop=shop,
            redis=Redis.from_url(addresses.redis), connection=connection,
            quiet=await _quiet(addresses, connection),
        )  # fmt: skip
        yield made
        await made.quiet.close()
        await made.redis.aclose()
        await made.connection.close()
    await shop.close()
    await shops.stop()


async def _quiet(addresses: Addresses, connection: "asyncpg.Connection[asyncpg.Record]") -> Quiet:
    quiet = Quiet(addresses.kafka, connection, SystemClock())
    await quiet.open()
    return quiet
