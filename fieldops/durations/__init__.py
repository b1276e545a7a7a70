"""How long repairs take, learned from those that are over."""
