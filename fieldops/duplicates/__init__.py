"""Where a report comes from, and what is known there that it may be the same as."""
