"""Every crew for every job: how long it would take, and whether it can go."""
