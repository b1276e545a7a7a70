"""Towns that do not exist, with every case that a network can hold, from a seed."""

from __future__ import annotations

from gis.towns.features import feature_lines
from gis.towns.mains import FEWEST_PIPES
from gis.towns.town import Town, make_town, town_network

SAMPLE_PIPES = 400
SAMPLE_SEED = 76
"""Of this size and seed is the town in `sample_network.geojson`."""

__all__ = [
    "FEWEST_PIPES",
    "SAMPLE_PIPES",
    "SAMPLE_SEED",
    "Town",
    "feature_lines",
    "make_town",
    "town_network",
]
