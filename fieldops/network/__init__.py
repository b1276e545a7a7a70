"""The water network as stored: its features, its revisions, its files."""
