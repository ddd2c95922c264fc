"""Redis: a view that is never the only copy, and says "unknown" rather than something old."""
