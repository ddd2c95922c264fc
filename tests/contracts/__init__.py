"""What the messages say: examples, bounds, keys, identity, privacy, and what may not change."""
