-- A ring-fence is a hold whose beneficiary takes from it: `used` units of it are in other holds or in
-- order lines by now, and what is reserved of it is quantity − used.
alter table ledger.holds
    add column used bigint not null default 0,
    add check (used between 0 and quantity);
create index holds_fences on ledger.holds (level_id)
    where purpose = 'ring_fence' and settled_at is null;

-- What was taken of a fence, and by what: a hold, which gives it back when it ends unconfirmed, or an
-- order line, which keeps it.
create table ledger.fence_uses (
    use_no bigint generated always as identity primary key,
    fence_id text not null collate "C", fence_part smallint not null,
    quantity bigint not null check (quantity > 0),
    hold_id text collate "C", part smallint,
    order_line_id bigint,
    used_at timestamptz not null, given_back_at timestamptz,
    check ((hold_id is null) = (part is null) and (hold_id is null) <> (order_line_id is null))
);
create index fence_uses_of_hold on ledger.fence_uses (hold_id, part)
    where given_back_at is null and hold_id is not null;
create index fence_uses_of_fence on ledger.fence_uses (fence_id, fence_part);
