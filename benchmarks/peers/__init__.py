"""Standalone programs, each run by the interpreter of the peers' environment; they share nothing
with the project, and each prints one line of JSON.
"""
