"""What people tell us: calls, pins on the public map, findings of crews."""
