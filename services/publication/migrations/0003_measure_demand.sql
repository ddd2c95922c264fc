-- What a listing's own buyers take, exponentially weighted, see docs/adr/0015: base units as of a
-- moment. It is raised with what is counted as heard.
alter table publication.listings add column demand double precision not null default 0;
alter table publication.listings add column demand_at timestamptz;

-- The channel's buffer lacks in the figure already: only what goes beyond it is held back.
alter table publication.figures add column channel_buffer bigint not null default 0;

-- When the shop last changed an order before it was booked; and per channel how long the latest
-- ones took until they counted as heard, the newest first.
alter table publication.order_lines add column changed_at timestamptz;
create table publication.lags (
    channel text primary key collate "C", seconds real[] not null
) with (fillfactor = 50);

-- Lines of channels that no connector is configured for stay due: they must not be read each time.
drop index publication.order_lines_due;
create index order_lines_due on publication.order_lines (channel, due_at) where due_at is not null;
