"""Tiles of the network, made in advance."""
