"""What there is to know about an answer before anybody acts on it."""
