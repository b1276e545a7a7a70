"""Outages under way: valves confirmed one by one, customers' minutes counted."""
