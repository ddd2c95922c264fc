"""The `stocktide` command: starts, watches and asks the services, and runs the demo.

It is the one room that may import every service's app; nothing imports it.
"""
