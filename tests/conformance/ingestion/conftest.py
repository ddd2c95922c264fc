"""Fixtures: a bench over a database of the test's own, and the topics."""

from tests.integration.ingestion.conftest import bench, database_template, topics

__all__ = ["bench", "database_template", "topics"]
