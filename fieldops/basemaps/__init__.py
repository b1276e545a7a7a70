"""What may lie below the network: a PMTiles file, or Tianditu through this server."""
