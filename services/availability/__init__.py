"""Decides how many may this channel sell, and how many are there here.

Consumes: stock-levels-v1, reference-data-v1, allocations-v1.
Emits: availability-v1.
Owns: the view per SKU (Postgres, and the same in Redis), and what it is made from.
Roles: `worker` (Kafka to Postgres to Redis and Kafka) and `api` (HTTP, SSE), in one process or two.
"""
