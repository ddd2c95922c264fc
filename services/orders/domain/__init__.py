"""What an order is and what it wants from stock: pure decisions, one module each."""
