"""How long things may take: calendars, limits, and who is told when they run out."""
