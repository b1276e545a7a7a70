"""Who is dry while jobs are under way, since when, and which valves keep whose trench dry."""
