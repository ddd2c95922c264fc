"""What is true of reference data, and what may enter it."""
