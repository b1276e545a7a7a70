"""Planned shutdowns: a slot that harms the fewest."""
