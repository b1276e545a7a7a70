"""Codes by which a dispatcher lets a valve be opened where there is no signal."""
