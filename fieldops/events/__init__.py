"""Everything people did, in the order in which it was stored, never changed again."""
