"""What was promised: the calendars by which clocks count, and the limits that drive them."""
