"""Load, decide, record: what orders does with a batch, and with what time and change bring."""
