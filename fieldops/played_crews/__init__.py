"""Crews as a simulated day plays them: they drive, work and tell, through the real services."""
