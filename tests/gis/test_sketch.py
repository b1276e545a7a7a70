"""A sketch shows what fits, and says how much that is."""

from __future__ import annotations

import json

from gis.features import FeatureSet, PipeFeature, ValveFeature
from gis.formats.sketch import sketch


def town() -> FeatureSet:
    """Lay five pipes, the later the wider, with a valve on each."""
    line = [(0.0, 0.0), (0.001, 0.0)]
    return FeatureSet(
        pipes=[PipeFeature(id=f"P{n}", geometry=line, diameter_mm=100.0 * n) for n in range(1, 6)],
        valves=[ValveFeature(id=f"V{n}", geometry=[(0.0, 0.0)]) for n in range(1, 6)],
    )


def test_everything_is_drawn_where_it_fits() -> None:
    """Each feature with its kind, and nothing is said of what it does not know."""
    drawn = json.loads(sketch(town(), most=5))
    assert drawn["counts"] == {"pipe": [5, 5], "valve": [5, 5]}
    assert drawn["features"][0]["properties"] == {
        "kind": "pipe",
        "id": "P1",
        "diameter_mm": 100.0,
        "status": "open",
    }
    assert drawn["features"][5]["geometry"] == {"type": "Point", "coordinates": [0.0, 0.0]}


def test_of_too_many_the_wanted_and_the_widest_pipes_are_drawn() -> None:
    """Of the valves only the wanted, for a part of them would look like all."""
    drawn = json.loads(sketch(town(), {("pipe", "P1"), ("valve", "V3")}, most=3))
    ids = [feature["properties"]["id"] for feature in drawn["features"]]
    assert ids == ["P1", "P5", "P4", "V3"]
    assert drawn["counts"] == {"pipe": [3, 5], "valve": [1, 5]}
