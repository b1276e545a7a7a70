"""Why somebody has water or none, and what if a valve of the plan does not close."""
