"""Who loses supply, which valves to close, and for how long."""
