-- One shape of `parked` in every service: shared/postgres/parking.py reads and writes it.
alter table orders.parked add column waits_for text, add column released_at timestamptz;
create index parked_open on orders.parked (reason, parked_id) where status = 'parked';
