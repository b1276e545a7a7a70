"""Pure network science: arrays in, arrays out. No Flask, no SQL, no clock, no I/O but in formats."""
