"""Fixtures that every test may ask for."""

import os

# What tests read of commands is English, whatever the locale of the machine.
os.environ["STOCKTIDE_LANGUAGE"] = "en"

pytest_plugins = ["shared.testing.servers"]
