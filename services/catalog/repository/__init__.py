"""All SQL of the catalog: records, imports, what is to be published, what was parked."""
