"""Logs, metrics and probes: what operations see of a process."""
