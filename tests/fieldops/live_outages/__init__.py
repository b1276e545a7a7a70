"""Tests of outages under way."""
