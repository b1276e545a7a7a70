"""An isolation plan as one file that opens anywhere."""
