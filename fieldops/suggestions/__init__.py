"""Who should go where now, with the reasons, and who else could."""
