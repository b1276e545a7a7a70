"""When each valve is closed, when the water stops, and when everybody has it back."""
