"""Load, decide, record: what the ledger does with a batch."""
