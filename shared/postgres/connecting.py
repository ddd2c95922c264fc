"""Connections and pools that cannot hang: every timeout is set on both sides."""

from typing import TYPE_CHECKING, TypeAlias

import asyncpg

if TYPE_CHECKING:  # asyncpg's classes are generic for type checkers only
    from asyncpg.pool import PoolConnectionProxy

    Connection: TypeAlias = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]
    Pool: TypeAlias = asyncpg.Pool[asyncpg.Record]
else:
    Connection = asyncpg.Connection
    Pool = asyncpg.Pool

SERVER_SETTINGS = {
    "idle_in_transaction_session_timeout": "3s",
    "lock_timeout": "2s",
    "statement_timeout": "10s",
    "tcp_user_timeout": "5000",
    "client_connection_check_interval": "2s",
    "timezone": "UTC",
    "jit": "off",
    # Set-based statements over arrays: the planner cannot see their size in a generic plan.
    "plan_cache_mode": "auto",
}
COMMAND_TIMEOUT_SECONDS = 15.0
ACQUIRE_TIMEOUT_SECONDS = 5.0

# What passes by itself: the statement is run again with the same ids, the message is never parked.
TRANSIENT = (
    asyncpg.PostgresConnectionError,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.LockNotAvailableError,
    asyncpg.QueryCanceledError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.InvalidCachedStatementError,
    asyncpg.InterfaceError,
    # What asyncpg says when a statement meets a connection whose server has just died under it.
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
)


def settings_for(application: str, **overrides: str) -> dict[str, str]:
    """The session settings of one application; `overrides` for work that may take longer."""
    return {"application_name": application, **SERVER_SETTINGS, **overrides}


async def connect(
    dsn: str, *, application: str, **overrides: str
) -> "asyncpg.Connection[asyncpg.Record]":
    """One dedicated connection, for a worker's batches.

    Raises OSError or asyncpg.PostgresError when the server cannot be reached.
    """
    return await asyncpg.connect(
        dsn,
        timeout=ACQUIRE_TIMEOUT_SECONDS,
        command_timeout=COMMAND_TIMEOUT_SECONDS,
        server_settings=settings_for(application, **overrides),
    )


class LastingConnection:
    """A worker's dedicated connection for its batches, made anew when it was lost."""

    def __init__(self, dsn: str, *, application: str) -> None:
        self._dsn = dsn
        self._application = application
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None

    async def __call__(self) -> "asyncpg.Connection[asyncpg.Record]":
        """The open connection. Raises what `connect` raises."""
        if self._connection is None or self._connection.is_closed():
            self._connection = await connect(self._dsn, application=self._application)
        return self._connection

    async def close(self) -> None:
        """Close it, if there is one."""
        if self._connection is not None:
            await self._connection.close(timeout=2)


async def open_pool(dsn: str, *, application: str, size_max: int = 8, size_min: int = 1) -> Pool:
    """A pool for short statements of API processes; use `pool.acquire(timeout=…)` always."""
    return await asyncpg.create_pool(
        dsn,
        min_size=size_min,
        max_size=size_max,
        timeout=ACQUIRE_TIMEOUT_SECONDS,
        command_timeout=COMMAND_TIMEOUT_SECONDS,
        server_settings=settings_for(application),
        reset=_keep,
    )


async def _keep(connection: Connection) -> None:
    """Nothing of ours outlives its transaction (no session settings, listeners or session locks),
    so a connection goes back as it is; asyncpg's own reset costs a round trip each time.
    """
