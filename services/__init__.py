"""Stocktide's services."""
