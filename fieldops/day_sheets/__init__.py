"""A crew's day in one answer, which a tablet keeps for when there is no signal."""
