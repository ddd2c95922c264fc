-- What a channel that works a call off later gave us to ask with. An attempt with a receipt stays
-- open until its result is known; its deadline is when asking ends.
alter table publication.attempts add column receipt text;

-- What a compare-and-set rests on, see docs/adr/0010: the last value known to be shown, units that
-- the channel had sold then without the figure knowing, and what had been heard by then.
alter table publication.published add column basis jsonb;
create index published_unheard on publication.published (((basis ->> 'since')::float8))
    where basis ->> 'since' is not null;

-- Units of a listing's own orders that every figure read from now on includes, and of those the
-- ones that were cancelled again: totals that only grow.
alter table publication.listings add column heard bigint not null default 0;
alter table publication.listings add column given_back bigint not null default 0;

-- Order lines as far as hearing needs them: whose they are, what the ledger has booked, and how
-- much of that has been counted as heard.
create table publication.order_lines (
    order_id text not null collate "C", line_id text not null collate "C",
    channel text collate "C", listing text collate "C", sku text collate "C",
    wanted bigint not null default 0,     -- base units, as the ledger answered
    version bigint not null default 0,    -- of that answer
    recorded_at timestamptz,              -- when the ledger gave it
    counted bigint not null default 0,
    due_at timestamptz,                   -- when what was booked may be counted
    primary key (order_id, line_id)
) with (fillfactor = 70);
create index order_lines_due on publication.order_lines (due_at) where due_at is not null;

-- Modes of a channel by category, and each SKU's category; a listing's mode is resolved from both.
alter table publication.channel_records add column category_modes jsonb not null default '[]';
alter table publication.channels add column category_modes jsonb not null default '[]';
create table publication.category_records (
    sku text not null collate "C", from_at timestamptz not null, until_at timestamptz,
    revision bigint not null, is_deleted boolean not null, category jsonb not null,
    primary key (sku, from_at)
);

-- A channel is told nothing while it is paused; `first` is the resync that goes before the silence.
create table publication.pauses (
    channel text primary key collate "C", paused_at timestamptz not null default now(),
    first_resync bigint references publication.resyncs
);
