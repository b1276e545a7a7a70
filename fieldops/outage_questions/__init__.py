"""What somebody asks: what breaks, and what is different from the records."""
