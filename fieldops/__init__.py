"""Keeps a water network running."""
