"""Figures in, the listings they touch out; and listings as they stand."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import asyncpg

from services.publication.domain.holding_back import NO_DEMAND, Demand
from services.publication.domain.unheard import Heard
from services.publication.domain.wanting import Desired, Listing, Mode, value_for
from services.publication.repository.basing import basis_of
from shared.postgres.connecting import Connection
from shared.postgres.positions import fence_sql

# The largest value that each channel can show, where it has one.
Maxima = Mapping[str, int | None]
FenceArrays = tuple[list[str], list[int], list[int], list[int], list[int]]
NO_FENCE: FenceArrays = ([], [], [], [], [])

FENCE_ONLY = f"with {fence_sql('publication', 1)} select count(*) from gate"  # noqa: S608  (own SQL)

COLUMNS = """
    l.listing_id, l.channel, l.listing, l.sku, l.ids, l.fulfilled_by, l.units, l.mode, l.is_open,
    coalesce(c.mode, 'off') as channel_mode,
    p.shown, p.shadow_value, p.refused_version, p.basis, l.heard, l.given_back,
    l.demand, l.demand_at
"""

# Positions first, then leases, then figures in the order of their key: every fold locks in this
# order. The lease rows are locked, so that a new owner reads what was folded before it took over;
# what another process owns ($13: of the channels that have a connector) is handed over.
FOLD = f"""
with {fence_sql("publication", 1)},
held as materialized (
    select l.channel from publication.leases l
    join unnest($11::text[], $12::bigint[]) as m(channel, epoch)
      on m.channel = l.channel and m.epoch = l.epoch
    where exists (select from gate)
    order by l.channel for share of l),
input as materialized (
    select i.* from gate, unnest($6::text[], $7::text[], $8::bigint[], $9::bigint[],
                                 $10::timestamptz[], $15::bigint[])
        as i(channel, sku, version, available, caused_at, channel_buffer)),
kept as (
    insert into publication.figures as f
        (channel, sku, version, available, caused_at, channel_buffer)
    select * from input order by channel, sku
    on conflict (channel, sku) do update
        set version = excluded.version, available = excluded.available,
            caused_at = excluded.caused_at, channel_buffer = excluded.channel_buffer
        where f.version < excluded.version
    returning channel, sku, version, available, caused_at, channel_buffer),
touched as materialized (
    select k.version, k.available, k.caused_at, k.channel_buffer, l.* from kept k
    cross join lateral (
        select * from publication.listings l where l.channel = k.channel and l.sku = k.sku
        offset 0) l),  -- a fence for the planner: look up by key, whatever it thinks of the table
handed as (
    insert into publication.handed_over (channel, listing_ids)
    select channel, array_agg(listing_id) from touched
    where channel = any($13::text[]) and channel not in (select channel from held)
      and is_open and fulfilled_by <> 'channel'
    group by channel),
relaxed as materialized (
    select set_config('synchronous_commit', 'off', true) where $14::boolean)
select g.is_open as is_open_gate, g.held, g.relaxed, {COLUMNS}, l.version, l.available, l.caused_at,
       l.channel_buffer
from (select (select count(*) from gate) as is_open, (select count(*) from relaxed) as relaxed,
             (select array_agg(channel) from held) as held) g
left join touched l on true
left join publication.channels c on c.channel = l.channel
left join publication.published p on p.listing_id = l.listing_id
"""  # noqa: S608  (only the fence's and this module's own SQL is put into the text)

SELECT = f"""
select {COLUMNS}, f.version, f.available, f.caused_at, f.channel_buffer
from publication.listings l
join publication.figures f on f.channel = l.channel and f.sku = l.sku
left join publication.channels c on c.channel = l.channel
left join publication.published p on p.listing_id = l.listing_id
"""  # noqa: S608  (as above)
BY_ID = f"{SELECT} where l.listing_id = any($1::integer[])"
AFTER = f"{SELECT} where l.channel = $1 and l.listing_id > $2 order by l.listing_id limit $3"

# Listings that show something else than they should while nothing is on its way to them: there is
# no known road to this, and a sweep costs little.
ASTRAY = """
select l.listing_id
from publication.listings l
join publication.channels c on c.channel = l.channel and c.mode = 'live'
join publication.figures f on f.channel = l.channel and f.sku = l.sku
left join publication.published p on p.listing_id = l.listing_id
where l.channel = $1 and l.is_open and l.mode = 'live' and l.fulfilled_by <> 'channel'
  and p.shown is distinct from greatest(0, least($2::bigint, greatest(0, f.available) / l.units)
                                           - coalesce((p.basis ->> 'held')::bigint, 0))
  and p.refused_version is distinct from f.version
  and p.basis ->> 'since' is null
  and not exists (select from publication.attempts a
                  where a.listing_id = l.listing_id and a.closed_at is null)
order by l.listing_id limit $3
"""


@dataclass(slots=True)
class FigureColumns:
    """Figures, the latest per channel and SKU, a list per column."""

    channels: list[str] = field(default_factory=list)
    skus: list[str] = field(default_factory=list)
    versions: list[int] = field(default_factory=list)
    available: list[int] = field(default_factory=list)
    caused: list[datetime] = field(default_factory=list)
    buffers: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Touched:
    """A listing whose figure or terms changed, with its channel's mode."""

    desired: Desired
    channel_mode: Mode


async def hold_fence(connection: Connection, fence: FenceArrays) -> bool:
    """Move the positions alone; says whether the gate was open."""
    return bool(await connection.fetchval(FENCE_ONLY, *fence))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ownership:
    """Whose channels a fold knows to be its own: epochs under which, and all with a connector."""

    channels: Sequence[str] = ()
    epochs: Sequence[int] = ()
    connected: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Folded:
    """The listings that a fold touched, and the channels that were ours while it did."""

    touched: list[Touched]
    held: frozenset[str]


async def fold_figures(
    connection: Connection,
    fence: FenceArrays,
    figures: FigureColumns,
    maxima: Maxima,
    ownership: Ownership | None,
) -> Folded | None:
    """Keep what is newer than known; None when the batch was fenced, and nothing changed.

    With an ownership the statement stands alone: it hands over what is not ours, and need not
    wait for the disk, since Kafka tells again what is lost. Without, its transaction does both.
    """
    o = ownership or Ownership()
    rows = await connection.fetch(
        FOLD, *fence, figures.channels, figures.skus, figures.versions, figures.available,
        figures.caused, o.channels, o.epochs, o.connected, ownership is not None,
        figures.buffers,
    )  # fmt: skip
    if not rows[0]["is_open_gate"]:
        return None
    touched = [touched_of(row, maxima) for row in rows if row["listing_id"] is not None]
    return Folded(touched=touched, held=frozenset(rows[0]["held"] or ()))


def touched_of(row: asyncpg.Record, maxima: Maxima) -> Touched:
    """A row of `COLUMNS` with its figure, as the value that the listing can show."""
    refused = row["refused_version"]
    listing = Listing(
        listing_id=row["listing_id"], channel=row["channel"], code=row["listing"], sku=row["sku"],
        ids=json.loads(row["ids"]) if row["ids"] != "{}" else {},
        is_fulfilled_by_channel=row["fulfilled_by"] == "channel",
        is_open=row["is_open"], units=row["units"], mode=Mode(row["mode"]),
        shown_in_shadow=row["shadow_value"], refused_version=refused,
    )  # fmt: skip
    desired = Desired(
        listing=listing, version=row["version"], shown=row["shown"],
        value=value_for(row["available"], row["units"], maxima.get(listing.channel)),
        caused_at=row["caused_at"].timestamp(),
        heard=Heard(row["heard"], row["given_back"]), channel_buffer=row["channel_buffer"],
        demand=demand_of(row["demand"], row["demand_at"]),
    )  # fmt: skip
    if row["basis"] is not None:
        desired = desired.upon(row["shown"], basis_of(row["basis"]))
    return Touched(desired=desired, channel_mode=Mode(row["channel_mode"]))


def demand_of(units: float, at: datetime | None) -> Demand:
    """A listing's demand as it is stored."""
    return NO_DEMAND if at is None else Demand(units, at.timestamp())
