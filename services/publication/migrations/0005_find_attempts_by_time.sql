-- A new owner asks when a channel was called last, and what is older than is kept goes.
create index attempts_opened on publication.attempts (opened_at);
