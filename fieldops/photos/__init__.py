"""Pictures, kept by the hash of their bytes."""
