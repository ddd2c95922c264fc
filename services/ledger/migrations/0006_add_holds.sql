-- Holds as they are asked for: several lines under one id, each at one level or at several. The first
-- shape had one level a hold; nothing has ever written to it.
drop table ledger.holds;

-- A part is what one line holds at one level, or what of it was refused: that is demand, and the
-- same id asked again gets the same answer. `hold_no` rises with every part that comes in.
create table ledger.holds (
    hold_id text not null collate "C", part smallint not null,
    hold_no bigint generated always as identity,
    line smallint not null,               -- its place in the request, from 0
    digest bytea not null,                -- of the request: same id, other request is told apart
    sku_id integer, level_id integer,     -- no level where nothing is held
    unknown_sku text,                     -- what was asked for, where nobody knows that SKU
    purpose text not null, channel text, beneficiary text,
    quantity bigint not null check (quantity > 0),
    held_from timestamptz not null, held_until timestamptz,
    settled_at timestamptz,
    outcome text check (outcome in ('refused', 'released', 'expired', 'confirmed')),
    reason text, possible bigint,         -- of what was refused
    order_line_id bigint,                 -- of what was confirmed
    primary key (hold_id, part),
    check ((outcome is null) = (settled_at is null)),
    check (level_id is not null or outcome = 'refused'),
    check ((sku_id is null) = (unknown_sku is not null))
) with (fillfactor = 80);
create index holds_open on ledger.holds (level_id, held_until) where settled_at is null;
create index holds_due on ledger.holds (held_until) where settled_at is null;
create index holds_refused on ledger.holds (sku_id, held_from) where outcome = 'refused';

-- Reference data that requests are decided under: locations, channels, policies, products as told.
create table ledger.reference (
    kind text not null, id text not null collate "C", revision bigint not null,
    sku text collate "C",                 -- of what speaks of one SKU alone
    record bytea not null,
    primary key (kind, id)
);
create index reference_of_sku on ledger.reference (sku) where sku is not null;

-- Raised with what concerns more than one SKU; a SKU's own number with what concerns it alone. A
-- decision is recorded only if both still stand where they stood when it was made.
create table ledger.terms (
    is_one boolean primary key default true check (is_one), version bigint not null
);
insert into ledger.terms (version) values (0);
alter table ledger.skus add column terms bigint not null default 0;

-- What was read before this table existed is read again: the topic keeps the latest of each record.
delete from ledger.positions where topic = 'reference-data-v1';
