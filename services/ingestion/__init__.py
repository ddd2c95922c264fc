"""Decides whether an input is authentic, well formed and known, and which canonical event it is.

Consumes: HTTP (events, shops' webhooks), reference-data-v1 (listings).
Emits: what `POST /v1/events` takes, and orders-v1.
Owns: the webhooks' inbox without persons, folded orders as told to Kafka, parked messages.
"""
