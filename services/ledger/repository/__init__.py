"""All SQL of the ledger, one module per decision."""
