"""A burst day played through the real services."""
