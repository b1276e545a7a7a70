"""Tablets: who holds them, what they may fetch, and when one is lost."""
