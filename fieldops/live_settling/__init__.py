"""All that follows from something done to an outage: stages, forecasts, guards, what is told."""
