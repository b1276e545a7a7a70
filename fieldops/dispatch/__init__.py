"""Which crew goes where, and why."""
