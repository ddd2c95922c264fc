-- Lines wanted for later: `dated` units hold nothing before `held_from`.
alter table ledger.order_lines
    add column requested_for timestamptz, add column held_from timestamptz,
    add column dated bigint not null default 0;

-- What changes by time alone, worked off every 200 ms, the longest overdue first.
create table ledger.due (
    at timestamptz not null,
    order_line_id bigint not null references ledger.order_lines,
    primary key (at, order_line_id)
);

-- Lines that were told before this version knew of dates stay booked as they are.
