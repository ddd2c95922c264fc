"""The session's fixtures give each test servers and a corner of its own."""

import asyncpg
import pytest
from redis.asyncio import Redis

from shared.runtime.infrastructure import Addresses
from shared.testing.servers import Databases


async def _with_a_table(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    await connection.execute("create table notes (text text); insert into notes values ('made')")
    await connection.close()


@pytest.fixture(scope="session")
async def database_template(databases: Databases) -> str:
    return await databases.template("notes", _with_a_table)


@pytest.mark.parametrize("turn", ["first", "second"])
async def test_each_test_has_a_fresh_copy_of_the_template(database: str, turn: str) -> None:
    connection = await asyncpg.connect(database)

    try:
        found = await connection.fetch("select text from notes")
        await connection.execute("insert into notes values ($1)", turn)
    finally:
        await connection.close()

    assert [row["text"] for row in found] == ["made"]


@pytest.mark.parametrize("turn", ["first", "second"])
async def test_each_test_has_an_empty_redis(stack: Addresses, redis_url: str, turn: str) -> None:
    async with Redis.from_url(redis_url) as client:
        size = await client.dbsize()
        await client.set("key", turn)

    assert size == 0
    assert redis_url != stack.redis
