"""Work to be done, from new to closed, by a table of transitions."""
