-- One shape of `parked` in every service: shared/postgres/parking.py reads and writes it.
alter table ingestion.parked add column waits_for text, add column released_at timestamptz;

-- A refused delivery is parked too, under the topic `inbox` and its id as the offset.
insert into ingestion.parked (topic, partition, kafka_offset, reason, detail, headers, parked_at)
select 'inbox', 0, inbox_id, coalesce(reason, 'unknown'), coalesce(detail, ''), '[]'::jsonb,
       coalesce(settled_at, received_at)
from ingestion.inbox where status = 'refused' on conflict do nothing;
