"""Jobs offered to crews or ordered, and what they answered."""
