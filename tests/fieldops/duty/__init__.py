"""Tests of duty."""
