"""Stocktide's shared."""
