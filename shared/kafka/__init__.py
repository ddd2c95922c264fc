"""Kafka: consuming with the position of record in Postgres, producing, and relaying changes."""
