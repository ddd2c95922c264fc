-- Units that a movement takes in a hold's name are held no longer; `used` counts them, and a part of
-- which all are gone is `taken`.
alter table ledger.holds drop constraint holds_outcome_check, add constraint holds_outcome_check
    check (outcome in ('refused', 'released', 'expired', 'confirmed', 'taken'));

-- Units set aside for the line: out of what can be sold, and not shipped yet. What they were booked
-- on has been given up.
alter table ledger.order_lines add column picked bigint not null default 0;
