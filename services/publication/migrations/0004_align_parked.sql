-- One shape of `parked` in every service: shared/postgres/parking.py reads and writes it.
alter table publication.parked add column waits_for text, add column released_at timestamptz;
create index parked_open on publication.parked (reason, parked_id) where status = 'parked';
