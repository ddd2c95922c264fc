"""Decides what each channel must be told, in which order, at what pace, and whether it took.

Consumes: availability-v1, reference-data-v1; orders-v1 and allocations-v1 for its own sales.
Emits: publications-v1.
Owns: listings and channels as published, figures, the publication ledger, leases, resyncs.
"""
