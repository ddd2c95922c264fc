"""Reference data as orders needs it: channels' pools, what listings are, which SKUs exist."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.orders.domain.folding import OrderState
from services.orders.domain.references import ChannelTerms, Sold
from shared.postgres.connecting import Connection

ListingKey = tuple[str, str]

# Of equal revisions the later told wins, as compaction would leave it; what says the same is no
# news.
KEEP_CHANNELS = """
insert into orders.channels as c
    (record_id, channel, revision, deleted, since, until, pool, holds_from)
select record_id, channel, revision, deleted, since, until,
       array(select jsonb_array_elements_text(pool::jsonb)), holds_from
from unnest($1::text[], $2::text[], $3::bigint[], $4::boolean[], $5::timestamptz[],
            $6::timestamptz[], $7::text[], $8::text[])
    as i(record_id, channel, revision, deleted, since, until, pool, holds_from)
order by record_id
on conflict (record_id) do update set
    revision = excluded.revision, deleted = excluded.deleted, since = excluded.since,
    until = excluded.until, pool = excluded.pool, holds_from = excluded.holds_from
where c.revision <= excluded.revision
  and (c.deleted, c.since, c.until, c.pool, c.holds_from) is distinct from
      (excluded.deleted, excluded.since, excluded.until, excluded.pool, excluded.holds_from)
returning channel
"""
KEEP_LISTINGS = """
insert into orders.listings as l
    (record_id, channel, listing, revision, deleted, since, until, sku, units, fulfilled_by)
select * from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::boolean[],
                     $6::timestamptz[], $7::timestamptz[], $8::text[], $9::bigint[], $10::text[])
    as i(record_id, channel, listing, revision, deleted, since, until, sku, units, fulfilled_by)
order by record_id
on conflict (record_id) do update set
    revision = excluded.revision, deleted = excluded.deleted, since = excluded.since,
    until = excluded.until, sku = excluded.sku, units = excluded.units,
    fulfilled_by = excluded.fulfilled_by
where l.revision <= excluded.revision
  and (l.deleted, l.since, l.until, l.sku, l.units, l.fulfilled_by) is distinct from
      (excluded.deleted, excluded.since, excluded.until, excluded.sku, excluded.units,
       excluded.fulfilled_by)
returning channel, listing
"""
KEEP_SKUS = """
insert into orders.skus select distinct sku from unnest($1::text[]) i(sku) order by sku
on conflict do nothing returning sku
"""
RAISE_VERSION = "update orders.reference_version set version = version + 1"
CHANNELS = """
select channel, since, until, pool, holds_from from orders.channels
where channel = any($1::text[]) and not deleted
"""
LISTINGS = """
select channel, listing, since, until, sku, units, fulfilled_by from orders.listings
where (channel, listing) in (select * from unnest($1::text[], $2::text[])) and not deleted
"""
SKUS = "select sku from orders.skus where sku = any($1::text[])"
# A served line keeps its places whatever becomes of the pool; an order that waits for payment may
# be held from now on, or no longer.
NOTE_CHANNELS = """
insert into orders.undecided
select distinct l.order_id from orders.lines l
join orders.orders o using (order_id)
left join orders.outcomes a on a.order_id = l.order_id and a.line_id = l.line_id
where l.channel = any($1::text[])
  and (l.decision = 'waiting' or o.state in ('pending_payment', 'pending_acceptance')
       or l.reason = 'not_yet_held'
       or (l.decision = 'wish'
           and (a.decided_for is null or a.decided_for < l.revision or a.short > 0)))
order by 1 on conflict do nothing
"""
NOTE_LISTINGS = """
insert into orders.undecided
select distinct l.order_id from orders.lines l
join unnest($1::text[], $2::text[]) as i(channel, listing) using (channel, listing)
where l.reason is distinct from 'nothing_left'
order by 1 on conflict do nothing
"""
NOTE_WAITING = """
insert into orders.undecided
select distinct order_id from orders.lines where waits_for = any($1::text[])
order by 1 on conflict do nothing
"""
ADD_DUE = """
insert into orders.due select at, channel from unnest($1::timestamptz[], $2::text[]) i(at, channel)
where at > $3 order by 1, 2 on conflict do nothing
"""
IS_DUE = "select exists (select from orders.due where at <= $1)"
TAKE_DUE = "delete from orders.due where at <= $1 returning channel"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelRecord:
    """One dated record of a channel."""

    record_id: str
    channel: str
    revision: int
    deleted: bool
    terms: ChannelTerms
    pool_text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListingRecord:
    """One dated record of a listing."""

    record_id: str
    key: ListingKey
    revision: int
    deleted: bool
    sold: Sold


async def keep_channels(connection: Connection, records: Sequence[ChannelRecord]) -> set[str]:
    """Keep the records, one each; returns the channels for which they were news."""
    rows = await connection.fetch(
        KEEP_CHANNELS, [r.record_id for r in records], [r.channel for r in records],
        [r.revision for r in records], [r.deleted for r in records],
        [r.terms.since for r in records], [r.terms.until for r in records],
        [r.pool_text for r in records], [str(r.terms.holds_from) for r in records],
    )  # fmt: skip
    return {row[0] for row in rows}


async def keep_listings(
    connection: Connection, records: Sequence[ListingRecord]
) -> set[ListingKey]:
    """Keep the records, one each; returns the listings for which they were news."""
    rows = await connection.fetch(
        KEEP_LISTINGS, [r.record_id for r in records], [r.key[0] for r in records],
        [r.key[1] for r in records], [r.revision for r in records], [r.deleted for r in records],
        [r.sold.since for r in records], [r.sold.until for r in records],
        [r.sold.sku for r in records], [r.sold.units for r in records],
        [r.sold.fulfilled_by for r in records],
    )  # fmt: skip
    return {(row[0], row[1]) for row in rows}


async def keep_skus(connection: Connection, skus: Collection[str]) -> set[str]:
    """Make SKUs known; returns those that were not."""
    return {row[0] for row in await connection.fetch(KEEP_SKUS, list(skus))}


async def raise_version(connection: Connection) -> None:
    """Something in the reference data has changed."""
    await connection.execute(RAISE_VERSION)


async def note_channels(connection: Connection, channels: Collection[str]) -> None:
    """Have the open orders of these channels decided again."""
    await connection.execute(NOTE_CHANNELS, list(channels))


async def note_listings(connection: Connection, listings: Collection[ListingKey]) -> None:
    """Have the orders of these listings decided again."""
    await connection.execute(NOTE_LISTINGS, [c for c, _ in listings], [x for _, x in listings])


async def note_skus(connection: Connection, skus: Collection[str]) -> None:
    """Have the orders decided again that wait for these SKUs."""
    await connection.execute(NOTE_WAITING, [f"sku:{sku}" for sku in skus])


async def add_due(
    connection: Connection, moments: Collection[tuple[datetime, str]], now: datetime
) -> None:
    """Keep the moments after `now` at which a channel's terms change."""
    if moments:
        await connection.execute(ADD_DUE, [at for at, _ in moments], [c for _, c in moments], now)


async def is_due(connection: Connection, now: datetime) -> bool:
    """Have any channel's terms changed by now?"""
    found: bool = await connection.fetchval(IS_DUE, now)
    return found


async def take_due(connection: Connection, now: datetime) -> set[str]:
    """Take the channels whose terms have changed by now."""
    return {row[0] for row in await connection.fetch(TAKE_DUE, now)}


async def channels_of(
    connection: Connection, channels: Collection[str]
) -> Mapping[str, list[ChannelTerms]]:
    """The dated terms of each channel that is known."""
    found: dict[str, list[ChannelTerms]] = {}
    for row in await connection.fetch(CHANNELS, list(channels)):
        terms = ChannelTerms(
            since=row["since"], until=row["until"], pool=tuple(row["pool"]),
            holds_from=OrderState(row["holds_from"]),
        )  # fmt: skip
        found.setdefault(row["channel"], []).append(terms)
    return found


async def listings_of(
    connection: Connection, listings: Collection[ListingKey]
) -> Mapping[ListingKey, list[Sold]]:
    """What each listing that is known was and is."""
    found: dict[ListingKey, list[Sold]] = {}
    rows = await connection.fetch(LISTINGS, [c for c, _ in listings], [x for _, x in listings])
    for row in rows:
        sold = Sold(
            since=row["since"], until=row["until"], sku=row["sku"], units=row["units"],
            fulfilled_by=row["fulfilled_by"],
        )  # fmt: skip
        found.setdefault((row["channel"], row["listing"]), []).append(sold)
    return found


async def known_skus(connection: Connection, skus: Collection[str]) -> frozenset[str]:
    """Those of the SKUs that the reference data has."""
    return frozenset(row[0] for row in await connection.fetch(SKUS, list(skus)))
