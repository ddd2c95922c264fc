"""Connections to Redis that say, before anything is read on them, which server they reached."""

from collections.abc import Callable

from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection, BlockingConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

REDIS_ERRORS = (RedisError, OSError, TimeoutError)

SOCKET_SECONDS = 1.0


def open_redis(url: str, *, on_server: Callable[[str], None], connections_max: int = 32) -> Redis:
    """A client of one Redis or Valkey server; connects when first used.

    `on_server` hears the server's `run_id` on every new connection, before any command goes over
    it. A restart breaks every connection, so whoever remembers the id learns of a restart before
    the first answer of the server that came up, and can't be shown what it loaded from a file.
    """

    async def greet(connection: AbstractConnection) -> None:
        await connection.on_connect()
        await connection.send_command("INFO", "server")
        on_server(_run_id(await connection.read_response()))

    # Blocking: the thirty-third caller waits for a connection instead of an error.
    pool = BlockingConnectionPool.from_url(
        url,
        timeout=SOCKET_SECONDS,
        max_connections=connections_max,
        socket_timeout=SOCKET_SECONDS,
        socket_connect_timeout=SOCKET_SECONDS,
        redis_connect_func=greet,
        retry=Retry(NoBackoff(), 1),
    )
    return Redis.from_pool(pool)


def _run_id(answer: object) -> str:
    """The `run_id` line of an INFO answer. Raises redis' ConnectionError when there is none."""
    text = answer.decode() if isinstance(answer, bytes) else str(answer)
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name == "run_id":
            return value.strip()
    raise RedisConnectionError("the server's INFO names no run_id")
