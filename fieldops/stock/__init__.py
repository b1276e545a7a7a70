"""Clamps and pipe: which van and depot carries what fits."""
