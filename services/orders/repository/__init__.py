"""All SQL of orders, one module per decision."""
