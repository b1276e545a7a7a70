"""What crews say is drawn wrong on the map, until a person decides."""
