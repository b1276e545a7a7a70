"""What people do to outages under way: valves worked, tags hung, plans chosen and approved."""
