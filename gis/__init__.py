"""Pure network science: arrays in, arrays out. No Flask, no SQL, no clock; files in formats."""
