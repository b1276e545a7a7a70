"""Readers and writers of network files, one module a format."""
