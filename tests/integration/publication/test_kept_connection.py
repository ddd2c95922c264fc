"""The connection that publication keeps is made anew whenever it was lost."""

from services.publication.repository.store import Kept
from shared.postgres.connecting import connect, open_pool
from shared.testing.waiting import until

IS_THERE = "select exists (select from pg_stat_activity where pid = $1)"


async def test_a_kept_connection_that_the_server_ended_is_made_anew(database: str) -> None:
    pool = await open_pool(database, application="kept", size_max=2)
    kept = Kept(pool)
    async with kept.use() as connection:
        first: int = await connection.fetchval("select pg_backend_pid()")
    other = await connect(database, application="test")

    await other.execute("select pg_terminate_backend($1)", first)

    async def is_gone() -> bool:
        return not await other.fetchval(
            "select count(*) from pg_stat_activity where pid = $1", first
        )

    await until(is_gone)
    async with kept.use() as connection:
        second: int = await connection.fetchval("select pg_backend_pid()")
        settings = await connection.fetchval("show enable_seqscan")
    assert second != first
    assert settings == "off"
    await kept.give_back()
    await other.close()
    await pool.close()
