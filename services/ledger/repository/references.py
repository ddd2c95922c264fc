"""Names and their short numbers: SKUs, locations, sources, accounts, and the levels they make."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from shared.postgres.connecting import Connection

SKUS = "select sku, sku_id from ledger.skus where sku = any($1::text[])"
LOCATIONS = "select location, location_id from ledger.locations where location = any($1::text[])"
LEVELS = """
select l.sku_id, l.location_id, l.level_id from ledger.levels l
join unnest($1::integer[], $2::integer[]) as i(sku_id, location_id) using (sku_id, location_id)
"""
CREATE_LEVELS = """
with created as (
    insert into ledger.levels (sku_id, location_id, costed_at)
    select distinct sku_id, location_id,
           (select max(l.costed_at) from ledger.levels l where l.sku_id = i.sku_id)
    from unnest($1::integer[], $2::integer[]) as i(sku_id, location_id)
    order by sku_id, location_id
    on conflict do nothing
    returning sku_id, location_id, level_id)
select * from created
"""
CREATE_SOURCES = """
insert into ledger.sources (source) select distinct unnest($1::text[]) order by 1
on conflict do nothing
"""
SOURCES = "select source, source_id from ledger.sources where source = any($1::text[])"
ACCOUNTS = "select bucket, owner, account_id, counts_as from ledger.accounts"
CREATE_ACCOUNT = """
insert into ledger.accounts (bucket, owner, counts_as)
select $1, $2, counts_as from ledger.accounts where bucket = $1 and owner = 'own'
on conflict do nothing
"""
ADD_SKUS = """
insert into ledger.skus (sku, partition)
select * from unnest($1::text[], $2::smallint[]) order by 1 on conflict do nothing
"""
ADD_LOCATIONS = """
insert into ledger.locations as l (location, kind)
select * from unnest($1::text[], $2::text[]) order by 1
on conflict (location) do update set kind = excluded.kind where l.kind <> excluded.kind
"""
DECLARE_SOURCES = """
insert into ledger.sources (source, declared) select s, true from unnest($1::text[]) s order by 1
on conflict (source) do update set declared = true
"""

# A worker's memory must not grow with SKU × location: past this, what is known is forgotten
# and asked again.
LEVELS_MAX = 200_000
NAMES_MAX = 200_000

LevelKey = tuple[int, int]


@dataclass(slots=True)
class Known:
    """What a worker remembers of the numbers: only what exists, never what doesn't."""

    skus: dict[str, int] = field(default_factory=dict)
    locations: dict[str, int] = field(default_factory=dict)
    sources: dict[str, int] = field(default_factory=dict)
    accounts: dict[tuple[str, str], int] = field(default_factory=dict)
    outside: set[int] = field(default_factory=set)
    levels: dict[LevelKey, int] = field(default_factory=dict)

    def forget_excess(self) -> None:
        """Keep the worker's memory bounded."""
        if len(self.levels) > LEVELS_MAX:
            self.levels.clear()
        if len(self.skus) > NAMES_MAX:
            self.skus.clear()


async def learn_names(
    connection: Connection, known: Known, *, skus: Collection[str], locations: Collection[str]
) -> None:
    """Look up the SKUs and locations that aren't remembered; unknown ones stay unknown."""
    if missing := [sku for sku in skus if sku not in known.skus]:
        known.skus.update(await _numbers(connection, SKUS, missing))
    if missing := [location for location in locations if location not in known.locations]:
        known.locations.update(await _numbers(connection, LOCATIONS, missing))


async def learn_sources(connection: Connection, known: Known, sources: Collection[str]) -> None:
    """Numbers of sources; one that nobody has declared gets its number all the same: it posts."""
    missing = [source for source in sources if source not in known.sources]
    if missing:
        await connection.execute(CREATE_SOURCES, missing)
        known.sources.update(await _numbers(connection, SOURCES, missing))


async def learn_accounts(
    connection: Connection, known: Known, accounts: Iterable[tuple[str, str]] = ()
) -> None:
    """Numbers of (bucket, owner); a known bucket with a new owner is made, an unknown one isn't."""
    missing = [account for account in accounts if account not in known.accounts]
    if known.accounts and not missing:
        return
    for bucket, owner in missing:
        await connection.execute(CREATE_ACCOUNT, bucket, owner)
    for bucket, owner, account_id, counts_as in await connection.fetch(ACCOUNTS):
        known.accounts[bucket, owner] = account_id
        if counts_as == "outside":
            known.outside.add(account_id)


async def learn_levels(connection: Connection, known: Known, keys: Collection[LevelKey]) -> None:
    """Look up the levels that exist already."""
    missing = [key for key in keys if key not in known.levels]
    if missing:
        _remember(known, await _levels(connection, LEVELS, missing))


async def create_levels(
    connection: Connection, known: Known, keys: Collection[LevelKey]
) -> dict[LevelKey, int]:
    """Make the levels that do not exist, in key order, inside the batch's own transaction.

    Returns the numbers of `keys` that were not remembered. They may be remembered only once the
    transaction has committed: the next batch is read while this one is still open.
    """
    missing = [key for key in keys if key not in known.levels]
    if not missing:
        return {}
    await _levels(connection, CREATE_LEVELS, missing)
    rows = await _levels(connection, LEVELS, missing)
    return {(sku, location): level for sku, location, level in rows}


async def add_skus(connection: Connection, skus: Iterable[tuple[str, int]]) -> None:
    """Make SKUs known, each with the partition of its topic."""
    rows = list(skus)
    await connection.execute(ADD_SKUS, [sku for sku, _ in rows], [p for _, p in rows])


async def add_locations(connection: Connection, locations: Iterable[tuple[str, str]]) -> None:
    """Make locations known, each with its kind."""
    rows = list(locations)
    await connection.execute(ADD_LOCATIONS, [name for name, _ in rows], [k for _, k in rows])


async def declare_sources(connection: Connection, sources: Collection[str]) -> None:
    """Remember that a person has declared these sources."""
    await connection.execute(DECLARE_SOURCES, list(sources))


async def _numbers(
    connection: Connection, statement: str, names: Collection[str]
) -> dict[str, int]:
    return {row[0]: row[1] for row in await connection.fetch(statement, list(names))}


async def _levels(
    connection: Connection, statement: str, keys: Collection[LevelKey]
) -> list[tuple[int, int, int]]:
    rows = await connection.fetch(
        statement, [sku for sku, _ in keys], [location for _, location in keys]
    )
    return [(row[0], row[1], row[2]) for row in rows]


def _remember(known: Known, rows: Iterable[tuple[int, int, int]]) -> None:
    known.levels.update({(sku, location): level for sku, location, level in rows})
