-- Products that were told before kits were kept are read again with their parts: the topic keeps the
-- latest of each record.
delete from availability.positions where topic = 'reference-data-v1';
