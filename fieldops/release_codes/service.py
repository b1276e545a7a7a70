"""Codes with which a dispatcher releases a valve by phone."""

WINDOW_S = 600
AROUND = 1
DIGITS = 8
