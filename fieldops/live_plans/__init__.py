"""The plans of outages under way: made, changed, put in force, and what they forecast."""
