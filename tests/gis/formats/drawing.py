"""Small networks written as a file would have them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from gis.formats.building import FormatError
from gis.formats.geojson import parse_geojson

if TYPE_CHECKING:
    from gis.features import FeatureSet
    from gis.findings import Finding

EAST = 1e-5 / 1.11319490793
"""Degrees of longitude that are one metre on the equator, where these networks lie."""


def feature(kind: str, name: object, at: Any, /, **properties: object) -> dict[str, Any]:  # noqa: ANN401
    """Draw one feature, a point or a line."""
    shape = "LineString" if at and isinstance(at[0], list | tuple) else "Point"
    return {
        "type": "Feature",
        "geometry": {"type": shape, "coordinates": at},
        "properties": {"kind": kind, "id": name, **properties},
    }


def metres(x: float, y: float = 0.0) -> tuple[float, float]:
    """Give the place so many metres east (and, nearly, north) of longitude 0, latitude 0."""
    return x * EAST, y * EAST


def pipe(name: str, *points: tuple[float, float], **properties: object) -> dict[str, Any]:
    """Draw a pipe through places given in metres."""
    line = [metres(*point) for point in points]
    return feature("pipe", name, line, **{"diameter_mm": 100, **properties})


def node(name: str, x: float, y: float = 0.0) -> dict[str, Any]:
    """Draw a node."""
    return feature("node", name, metres(x, y))


def as_file(*features: object) -> bytes:
    """Write features as a file."""
    return json.dumps({"type": "FeatureCollection", "features": features}).encode()


def read(*features: object) -> FeatureSet:
    """Read features as if from a file."""
    return parse_geojson(as_file(*features))


def errors_of(data: bytes) -> list[Finding]:
    """Give what a file is refused for."""
    with pytest.raises(FormatError) as caught:
        parse_geojson(data)
    return caught.value.findings
