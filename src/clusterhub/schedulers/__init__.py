"""Batch systems: how to ask them, how to read their answers."""
