"""Fixtures: one stack of real servers for the whole test session, and a fresh corner for each test.

Override `database_template` in a folder's conftest to give its tests a migrated database:

    @pytest.fixture(scope="session")
    async def database_template(databases: Databases) -> str:
        return await databases.template("ledger", migrate)

A server that cannot start is an error of every test that needs it, never a skip.
"""

import itertools
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
import pytest_asyncio
from redis.asyncio import Redis

from shared.runtime.clock import new_id
from shared.runtime.infrastructure import Addresses, GivenAddresses, choose, started, wipe

Setup = Callable[[str], Awaitable[None]]  # fills a new database, given its DSN
PLAIN_TEMPLATE = "template1"
FIRST_REDIS_DATABASE = 1  # 0 is what services use


def unique_name(prefix: str) -> str:
    """A name that no other test, and no earlier run, has used: for topics and groups."""
    return f"{prefix}-{new_id()[:13]}"


class Databases:
    """Databases on the session's server, made by copying templates."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._run = new_id()[:8]
        self._numbers = itertools.count(1)
        self._templates: dict[str, str] = {}

    async def template(self, name: str, setup: Setup) -> str:
        """The template of that name, made by `setup` (which must close what it opens) once."""
        if name not in self._templates:
            database = f"template_{self._run}_{name}"
            await self._execute(f'create database "{database}"')
            self._templates[name] = database
            await setup(self.dsn(database))
        return self._templates[name]

    async def create(self, template: str = PLAIN_TEMPLATE) -> str:
        """A new database, a copy of `template`; returns its name."""
        database = f"test_{self._run}_{next(self._numbers)}"
        await self._execute(f'create database "{database}" template "{template}"')
        return database

    async def drop(self, database: str) -> None:
        """Remove a database and end what is still connected to it."""
        await self._execute(f'drop database if exists "{database}" with (force)')

    async def drop_templates(self) -> None:
        """Remove what `template` made."""
        for database in self._templates.values():
            await self.drop(database)
        self._templates.clear()

    def dsn(self, database: str) -> str:
        """The DSN of one database on this server."""
        return urlunsplit(urlsplit(self._dsn)._replace(path=f"/{database}"))

    async def _execute(self, statement: str) -> None:
        connection = await asyncpg.connect(self._dsn, timeout=10)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Addresses]:
    """Kafka, PostgreSQL and Redis: from STOCKTIDE_TEST_KAFKA, … where set, else embedded."""
    given = GivenAddresses(
        kafka=os.environ.get("STOCKTIDE_TEST_KAFKA"),
        postgres=os.environ.get("STOCKTIDE_TEST_POSTGRES"),
        redis=os.environ.get("STOCKTIDE_TEST_REDIS"),
    )
    folder = tmp_path_factory.mktemp("stack")
    with started(choose(given=given, data_folder=folder, docker=False)) as addresses:
        yield addresses
    wipe(folder)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def databases(stack: Addresses) -> AsyncIterator[Databases]:
    """Where templates and databases are made."""
    made = Databases(stack.postgres)
    yield made
    await made.drop_templates()


@pytest.fixture(scope="session")
def database_template() -> str:
    """The template of `database`; a folder's conftest overrides it."""
    return PLAIN_TEMPLATE


@pytest_asyncio.fixture(loop_scope="session")
async def database(databases: Databases, database_template: str) -> AsyncIterator[str]:
    """The DSN of a database of this test's own; commits are real, so races can be tested."""
    name = await databases.create(database_template)
    yield databases.dsn(name)
    await databases.drop(name)


@pytest.fixture(scope="session")
def redis_numbers() -> Iterator[int]:
    """Counts the tests that asked for a Redis database."""
    return itertools.count()


@pytest_asyncio.fixture(loop_scope="session")
async def redis_url(stack: Addresses, redis_numbers: Iterator[int]) -> AsyncIterator[str]:
    """The URL of an empty Redis database of this test's own."""
    async with Redis.from_url(stack.redis) as client:
        count = int((await client.config_get("databases"))["databases"] or 0)
    number = FIRST_REDIS_DATABASE + next(redis_numbers) % (count - FIRST_REDIS_DATABASE)
    url = urlunsplit(urlsplit(stack.redis)._replace(path=f"/{number}"))
    async with Redis.from_url(url) as client:
        await client.flushdb()
        yield url
        await client.flushdb()


@pytest.fixture
def topic_name() -> Callable[[str], str]:
    """Makes topic and group names that are used once."""
    return unique_name
