"""Decides what an order wants now, and which locations should serve each line, in which order.

Consumes: orders-v1, returns-v1, reference-data-v1, allocations-v1.
Emits: stock-commands-v1; stock-movements-v1 for what comes back and is graded.
Owns: folded orders and returns, the wish of each line, what the ledger answered.
"""
