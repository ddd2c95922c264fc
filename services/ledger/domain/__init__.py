"""What is true in the ledger and what happens next: pure decisions, one module each."""
