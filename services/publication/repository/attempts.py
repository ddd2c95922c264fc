"""The publication ledger: an attempt is in the database before its call and closed after it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from services.publication.domain.outcomes import Consequence, Fate
from services.publication.domain.wanting import Desired
from services.publication.repository.basing import basis_text
from shared.postgres.connecting import Connection

# The last guard before a call, in the statement that opens its attempts: whatever the memory of
# an owner says, nothing is opened that is not live, that the channel fulfils, that is older than
# what was told, that is shown already (unless asked for), or that has another attempt open.
OPENABLE = """
    from input o
    join held h on h.channel = o.channel and h.until_at >= clock_timestamp() + o.patience
    join publication.listings l on l.listing_id = o.listing_id
    join publication.channels c on c.channel = l.channel
    left join publication.published p on p.listing_id = o.listing_id
    where l.is_open and l.fulfilled_by <> 'channel' and l.mode = 'live' and c.mode = 'live'
      and o.version >= coalesce(p.version, 0)
      and (o.is_resync or p.shown is distinct from o.value)
"""
OPEN = f"""
    insert into publication.attempts (listing_id, call_id, version, value, deadline)
    select o.listing_id, o.call_id, o.version, o.value, clock_timestamp() + o.patience
    {OPENABLE}
    order by o.listing_id
    on conflict (listing_id) where closed_at is null do nothing
    returning listing_id
"""

# What a fold leaves: attempts where a lane was free, satisfied versions, what shadow mode would
# have sent; and for channels that another process owns, their listings handed over. The lease
# rows are locked, so that a new owner reads what was folded before it took over. A call may have
# been answered since the fold read what a listing shows: a version is satisfied only if the
# listing still shows its value, else its lane is told to look again.
RECORD = f"""
with held as materialized (
    select l.channel, l.until_at from publication.leases l
    join unnest($1::text[], $2::bigint[]) as m(channel, epoch)
      on m.channel = l.channel and m.epoch = l.epoch
    order by l.channel for share of l),
input as (
    select i.channel, i.listing_id, i.call_id, i.version, i.value,
           i.seconds * interval '1 second' as patience, false as is_resync
    from unnest($3::text[], $4::integer[], $5::uuid[], $6::bigint[], $7::bigint[], $8::float8[])
        as i(channel, listing_id, call_id, version, value, seconds)),
opened as ({OPEN}),
satisfied as (
    update publication.published p set version = s.version, status = 'satisfied', call_id = null
    from unnest($9::integer[], $10::bigint[], $17::bigint[]) as s(listing_id, version, value)
    where p.listing_id = s.listing_id and p.version < s.version and p.shown = s.value
    returning p.listing_id),
doubted as (
    insert into publication.handed_over (channel, listing_ids)
    select s.channel, array_agg(s.listing_id)
    from unnest($18::text[], $9::integer[], $10::bigint[]) as s(channel, listing_id, version)
    join publication.published p on p.listing_id = s.listing_id and p.version < s.version
    where s.listing_id not in (select listing_id from satisfied)
    group by s.channel),
shadowed as (
    insert into publication.attempts
        (listing_id, call_id, version, value, deadline, closed_at, outcome)
    select s.listing_id, $14, s.version, s.value, clock_timestamp(), clock_timestamp(), 'shadowed'
    from unnest($11::integer[], $12::bigint[], $13::bigint[]) as s(listing_id, version, value)
    on conflict do nothing),
remembered as (
    insert into publication.published (listing_id, shadow_version, shadow_value)
    select * from unnest($11::integer[], $12::bigint[], $13::bigint[]) order by 1
    on conflict (listing_id) do update
        set shadow_version = excluded.shadow_version, shadow_value = excluded.shadow_value),
handed as (
    insert into publication.handed_over (channel, listing_ids)
    select w.channel, array_agg(w.listing_id)
    from unnest($15::text[], $16::integer[]) as w(channel, listing_id)
    where w.channel not in (select channel from held)
    group by w.channel),
noted as (
    insert into publication.unpublished (partition, keys)
    select 0, array_agg(listing_id::bigint) from satisfied having count(*) > 0)
select (select array_agg(listing_id) from opened) as opened,
       (select array_agg(channel) from held) as held
"""  # noqa: S608  (only this module's own SQL is put into the text)

# One turn of a lane: the last call's attempts are closed, and the next call's opened. A turn that
# opens nothing need not reach the disk at once: a lost one leaves open attempts, which are read
# back.
TURN = f"""
with held as materialized (
    select channel, until_at from publication.leases
    where channel = $1 and epoch = $2 for share),
closing as (
    select c.* from held, unnest($3::integer[], $4::uuid[], $5::text[], $6::text[], $7::text[])
        as c(listing_id, call_id, outcome, code, detail)),
closed as (
    update publication.attempts a
    set closed_at = clock_timestamp(), outcome = c.outcome, code = nullif(c.code, ''),
        detail = nullif(c.detail, '')
    from closing c
    where a.listing_id = c.listing_id and a.call_id = c.call_id and a.closed_at is null
    returning a.listing_id, a.call_id, a.opened_at, a.version, a.value),
found as (
    update publication.attempts a set read_value = r.value, read_at = clock_timestamp()
    from held, unnest($8::integer[], $9::uuid[], $10::bigint[]) as r(listing_id, call_id, value)
    where a.listing_id = r.listing_id and a.call_id = r.call_id
    returning a.listing_id, a.call_id, a.opened_at),
told as (
    insert into publication.published as p
        (listing_id, version, value, status, shown, call_id, sent_at, acknowledged_at, error_code,
         refused_version, basis)
    select t.listing_id, t.version, t.value, t.status, t.shown,
           case when t.status <> 'satisfied' then t.call_id end,
           coalesce(c.opened_at, f.opened_at),
           case when t.status = 'acknowledged' then clock_timestamp() end,
           nullif(t.code, ''), case when t.status = 'refused' then t.version end, t.basis::jsonb
    from held, unnest($11::integer[], $12::uuid[], $13::bigint[], $14::bigint[], $15::text[],
                      $16::bigint[], $17::text[], $24::text[])
        as t(listing_id, call_id, version, value, status, shown, code, basis)
    left join closed c on c.listing_id = t.listing_id
    left join found f on f.listing_id = t.listing_id
    where c.listing_id is not null or f.listing_id is not null or t.status = 'satisfied'
    order by t.listing_id
    on conflict (listing_id) do update
        set version = greatest(p.version, excluded.version), value = excluded.value,
            status = excluded.status, shown = excluded.shown, call_id = excluded.call_id,
            sent_at = coalesce(excluded.sent_at, p.sent_at),
            acknowledged_at = coalesce(excluded.acknowledged_at, p.acknowledged_at),
            error_code = excluded.error_code,
            refused_version = coalesce(excluded.refused_version, p.refused_version),
            basis = coalesce(excluded.basis, p.basis)
        -- what a lane took for satisfied may have been overtaken by an answer
        -- since; one that has been answered in this very turn has not
        where excluded.status <> 'satisfied' or p.shown = excluded.shown
           or excluded.sent_at is not null
    returning p.listing_id),
noted as (
    insert into publication.unpublished (partition, keys)
    select 0, array_agg(listing_id::bigint) from told having count(*) > 0),
input as (
    select $1::text as channel, i.*, $22::float8 * interval '1 second' as patience
    from unnest($18::integer[], $19::uuid[], $20::bigint[], $21::bigint[], $23::boolean[])
        as i(listing_id, call_id, version, value, is_resync),
         (select count(*) from closed) as after_closing, (select count(*) from told) as after_told),
opened as ({OPEN}),
relaxed as (
    select set_config('synchronous_commit', 'off', true) where cardinality($18::integer[]) = 0)
select (select count(*) from held) as held,
       (select array_agg(listing_id) from opened) as opened,
       (select count(*) from relaxed) as relaxed
"""  # noqa: S608  (as above)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call to a channel, known to the database before it goes: its id is its key."""

    call_id: UUID
    batch: tuple[Desired, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A channel that this process owns: under which epoch, and how long a call may take there.

    Where it compares, a call may be needed to learn whether it shows what it should.
    """

    channel: str
    epoch: int
    call_seconds_max: float
    can_compare_and_set: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """An attempt's consequence, closed under its call's id; a satisfied version has no call."""

    call_id: UUID | None
    consequence: Consequence


@dataclass(slots=True)
class Turn:
    """What a lane has to write: attempts closed, figures read back, versions satisfied."""

    closed: list[Told] = field(default_factory=list)
    read: list[Told] = field(default_factory=list)
    satisfied: list[Desired] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.closed or self.read or self.satisfied)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What a fold's second statement did: listings opened, and channels that are still ours."""

    opened: frozenset[int]
    held: frozenset[str]


async def record(
    connection: Connection,
    held: Sequence[Held],
    calls: Sequence[tuple[Held, Call]],
    satisfied: Sequence[Desired],
    shadowed: Sequence[Desired],
    wanted: Sequence[Desired],
    shadow_id: UUID,
) -> Recorded:
    """Write what a fold leaves; `wanted` is all that some lane must hear of."""
    openings = [(lease, call.call_id, d) for lease, call in calls for d in call.batch]
    row = await connection.fetchrow(
        RECORD,
        [lease.channel for lease in held], [lease.epoch for lease in held],
        [lease.channel for lease, _, _ in openings], [d.listing_id for _, _, d in openings],
        [call_id for _, call_id, _ in openings], [d.version for _, _, d in openings],
        [d.value for _, _, d in openings], [lease.call_seconds_max for lease, _, _ in openings],
        [d.listing_id for d in satisfied], [d.version for d in satisfied],
        [d.listing_id for d in shadowed], [d.version for d in shadowed],
        [d.value for d in shadowed], shadow_id,
        [d.listing.channel for d in wanted], [d.listing_id for d in wanted],
        [d.value for d in satisfied], [d.listing.channel for d in satisfied],
    )  # fmt: skip
    assert row is not None, "an aggregate gives a row"
    return Recorded(opened=frozenset(row["opened"] or ()), held=frozenset(row["held"] or ()))


async def take_turn(
    connection: Connection, held: Held, turn: Turn, call: Call | None
) -> frozenset[int] | None:
    """Close, note and open in one statement; the listings opened, or None if the lease is gone."""
    told = [*_states(turn)]
    batch = () if call is None else call.batch
    row = await connection.fetchrow(
        TURN, held.channel, held.epoch,
        [t.consequence.desired.listing_id for t in turn.closed], [t.call_id for t in turn.closed],
        [t.consequence.fate.value for t in turn.closed], [t.consequence.code for t in turn.closed],
        [t.consequence.detail for t in turn.closed],
        [t.consequence.desired.listing_id for t in turn.read], [t.call_id for t in turn.read],
        [t.consequence.desired.shown for t in turn.read],
        [s[0] for s in told], [s[1] for s in told], [s[2] for s in told], [s[3] for s in told],
        [s[4] for s in told], [s[5] for s in told], [s[6] for s in told],
        [d.listing_id for d in batch], [call.call_id for _ in batch] if call else [],
        [d.version for d in batch], [d.value for d in batch], held.call_seconds_max,
        [d.is_resync or not d.is_certain or held.can_compare_and_set for d in batch],
        [s[7] for s in told],
    )  # fmt: skip
    assert row is not None, "an aggregate gives a row"
    return frozenset(row["opened"] or ()) if row["held"] else None


State = tuple[int, UUID | None, int, int, str, int | None, str, str | None]


def _states(turn: Turn) -> list[State]:
    """How each listing stands after the turn: one row each, the latest word last."""
    states: dict[int, State] = {}
    for told in (*turn.closed, *turn.read):
        c = told.consequence
        status = STATUS.get(c.fate)
        if status is not None:
            d = c.desired
            states[d.listing_id] = (
                d.listing_id, told.call_id, d.version, d.value, status, d.shown, c.code,
                basis_text(d.basis),
            )  # fmt: skip
    for d in turn.satisfied:
        before = states.get(d.listing_id)
        call_id = None if before is None else before[1]
        states[d.listing_id] = (
            d.listing_id, call_id, d.version, d.value, "satisfied", d.value, "",
            basis_text(d.basis),
        )  # fmt: skip
    return list(states.values())


# Throttled and failed attempts leave the listing as it stood: its value is still to come.
STATUS = {
    Fate.ACKNOWLEDGED: "acknowledged",
    Fate.CONFIRMED: "acknowledged",
    Fate.REFUSED: "refused",
    Fate.UNKNOWN: "unknown",
    Fate.CONTRADICTED: "unknown",
    Fate.STALE: "unknown",
}
