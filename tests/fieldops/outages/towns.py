"""Towns for these tests, drawn by hand."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from gis.formats.geojson import parse_geojson
from tests.fieldops.outages.planting import plant

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

PLACES = {name: (117.0 + column * 0.001, 31.0) for column, name in enumerate("ABCDEFGH")}
PLACES |= {name: (117.0 + column * 0.001, 31.001) for column, name in enumerate("abcdefgh")}


class Town:
    """
    A town in words: nodes A to H along a street, a to h along the next one.

    Pipes are 100 m long; a valve stands on a pipe at a metre.
    """

    def __init__(self) -> None:
        self.features: list[dict[str, Any]] = [
            self._feature("node", name, "Point", place) for name, place in PLACES.items()
        ]

    def pipe(self, name: str, ends: str, **more: Any) -> Town:  # noqa: ANN401 - any property
        """Lay a pipe between two nodes, named as in "AB"."""
        start, end = tuple(ends)
        line = [PLACES[start], PLACES[end]]
        named = {"start_node": start, "end_node": end, "length_m": 100, "diameter_mm": 150}
        return self._add("pipe", name, "LineString", line, {**named, **more})

    def valve(self, name: str, pipe: str, at_m: float, **more: Any) -> Town:  # noqa: ANN401
        """Put a valve on a pipe."""
        place = self._on(pipe, at_m)
        known = {"position": "open", "operability": "operable", "last_exercised_on": "2024-05-01"}
        return self._add("valve", name, "Point", place, {"pipe": pipe, **known, **more})

    def pump(self, name: str, ends: str) -> Town:
        """Put a pump between two nodes."""
        line = [PLACES[ends[0]], PLACES[ends[1]]]
        named = {"start_node": ends[0], "end_node": ends[1]}
        return self._add("pump", name, "LineString", line, named)

    def control_valve(self, name: str, ends: str, **more: Any) -> Town:  # noqa: ANN401
        """Put a pressure reducing valve between two nodes."""
        line = [PLACES[ends[0]], PLACES[ends[1]]]
        named = {"start_node": ends[0], "end_node": ends[1], "type": "PRV", "position": "open"}
        return self._add("control_valve", name, "LineString", line, {**named, **more})

    def source(self, name: str, node: str, **more: Any) -> Town:  # noqa: ANN401
        """Put works at a node."""
        kind = {"node": node, "type": "treatment_plant"}
        return self._add("source", name, "Point", PLACES[node], {**kind, **more})

    def customer(self, name: str, pipe: str, at_m: float = 50, /, **more: Any) -> Town:  # noqa: ANN401
        """Connect two people to a pipe."""
        place = self._on(pipe, at_m)
        return self._add("customer", name, "Point", place, {"pipe": pipe, "people": 2, **more})

    def hydrant(self, name: str, node: str) -> Town:
        """Put a hydrant at a node."""
        return self._add("hydrant", name, "Point", PLACES[node], {"node": node})

    def plant(self, session: Session) -> None:
        """Put the town into the tables."""
        text = json.dumps({"type": "FeatureCollection", "features": self.features})
        plant(session, parse_geojson(text.encode()))
        session.flush()

    def _on(self, pipe: str, at_m: float) -> tuple[float, float]:
        line = next(
            one["geometry"]["coordinates"]
            for one in self.features
            if one["properties"]["id"] == pipe and one["properties"]["kind"] == "pipe"
        )
        (west, south), (east, north) = line
        share = at_m / 100
        return west + (east - west) * share, south + (north - south) * share

    def _add(
        self,
        kind: str,
        name: str,
        shape: str,
        coordinates: object,
        properties: dict[str, Any],
    ) -> Town:
        self.features.append(self._feature(kind, name, shape, coordinates, properties))
        return self

    @staticmethod
    def _feature(
        kind: str,
        name: str,
        shape: str,
        coordinates: object,
        properties: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        return {
            "type": "Feature",
            "geometry": {"type": shape, "coordinates": coordinates},
            "properties": {"kind": kind, "id": name, **(properties or {})},
        }


def street() -> Town:
    """Draw works A - P1 - (V1) P2 (V2) - P3, a house on each pipe and a hospital on P3."""
    return (
        Town()
        .pipe("P1", "AB")
        .pipe("P2", "BC")
        .pipe("P3", "CD")
        .valve("V1", "P2", 0)
        .valve("V2", "P2", 100)
        .source("S1", "A")
        .customer("C101", "P1")
        .customer("C102", "P2")
        .customer("C103", "P3", critical="hospital")
        .hydrant("H1", "D")
    )
