"""Decides which product a code is, and which locations, channels, suppliers and policies exist.

Consumes: reference-data-v1, HTTP (files of records).
Emits: reference-data-v1 for what a file brought.
Owns: every dated record of reference data, imports with their findings, parked messages.
"""
