-- One shape of `parked` in every service: shared/postgres/parking.py reads and writes it.
alter table availability.parked add column waits_for text;
create index parked_open on availability.parked (reason, parked_id) where status = 'parked';
