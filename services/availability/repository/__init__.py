"""All SQL of availability, and the shapes of its packed columns."""
