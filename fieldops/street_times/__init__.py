"""How long crews take from place to place: over the streets, or as the crow flies."""
