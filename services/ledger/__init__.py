"""Decides what moved, who gets what, and what is left.

Consumes: stock-movements-v1, stock-commands-v1, reference-data-v1.
Emits: stock-levels-v1, allocations-v1.
Owns: movements, observations, levels, balances, anchors, order lines and their allocations.
Roles: `worker` (Kafka to Postgres to Kafka) and `api` (HTTP), as separate processes.
"""
