"""Simulators of the channels' protocols: ASGI programs with state, limits, faults and buyers.

They are programs of their own: they import shared.contracts at most, and no service imports them.
"""
