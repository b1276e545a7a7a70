"""What happened: reports, outages and work orders of one burst or shutdown hang on it."""
