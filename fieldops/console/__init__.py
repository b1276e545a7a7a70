"""The dispatcher's one screen: what is open, who is where, what to do next."""
