"""Months of movements, made ahead of the time they are for."""

from datetime import date, timedelta

from shared.postgres.connecting import Connection

MAKE_MONTHS = "call ledger.make_months($1, $2)"


async def make_months(connection: Connection, today: date, months_ahead: int) -> None:
    """Partitions from last month to `months_ahead` months from now."""
    first = today.replace(day=1) - timedelta(days=1)
    last = today + timedelta(days=31 * months_ahead)
    await connection.execute(MAKE_MONTHS, first, last)
