-- Units of a line that hold nothing yet, because they are wanted for later.
alter table orders.outcomes add column dated bigint not null default 0;
