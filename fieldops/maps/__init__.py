"""The map of the network: its tiles, what lies below it, and finding things on it."""
