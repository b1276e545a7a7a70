"""Invented days: what breaks, when, who calls, and how long it really takes."""
