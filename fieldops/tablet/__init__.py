"""The crew's page, which opens without signal."""
