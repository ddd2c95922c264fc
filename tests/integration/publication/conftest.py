"""Fixtures: a stage over a database of the test's own."""

from tests.conformance.publication.conftest import database_template, stage

__all__ = ["database_template", "stage"]
