"""Each against its peers in the same run: `./run bench NAME`."""
