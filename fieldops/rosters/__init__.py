"""Who belongs to a crew, what it may do, and when it works: kept by the office."""
