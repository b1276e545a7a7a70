"""Work orders as they are kept: opened, found, told of, with their clocks and holders."""
