"""Ways that people went, from files of their devices."""
