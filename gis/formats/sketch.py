"""A network drawn small: as much of a file as a browser can hold, and how much that is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Collection

    from gis.features import Feature, FeatureSet

MOST = 20_000
"""So many features of a kind are drawn."""

_DRAWN = ("pipe", "pump", "control_valve", "valve", "source", "customer", "hydrant")
_SHOWN = ("diameter_mm", "status", "position", "name", "critical")


def sketch(
    features: FeatureSet, wanted: Collection[tuple[str, str]] = (), most: int = MOST
) -> bytes:
    """
    Draw the features of a file as GeoJSON.

    Of too many pipes the wanted and then the widest are drawn. Of any other kind that has too
    many, only the wanted are: a part of the valves would look like all of them.

    Parameters
    ----------
    features
        As a reader gives them; they need not be placed.
    wanted
        Kind and id of those that must be seen.
    most
        So many of a kind are drawn.

    Returns
    -------
    bytes
        A FeatureCollection whose member `counts` has, by kind, the number drawn and of all.
    """
    drawn: list[dict[str, Any]] = []
    counts: dict[str, list[int]] = {}
    for kind in _DRAWN:
        every: list[Feature] = getattr(features, f"{kind}s")
        chosen = _choose(kind, every, wanted, most)
        if every:
            counts[kind] = [len(chosen), len(every)]
        drawn.extend(_draw(feature) for feature in chosen)
    return msgspec.json.encode(
        {"type": "FeatureCollection", "counts": counts, "features": drawn}, order="deterministic"
    )


def _choose(
    kind: str, every: list[Feature], wanted: Collection[tuple[str, str]], most: int
) -> list[Feature]:
    if len(every) <= most:
        return every
    chosen = [feature for feature in every if (kind, feature.id) in wanted][:most]
    if kind != "pipe":
        return chosen
    rest = [feature for feature in every if (kind, feature.id) not in wanted]
    rest.sort(key=lambda feature: -getattr(feature, "diameter_mm", 0.0))
    return chosen + rest[: most - len(chosen)]


def _draw(feature: Feature) -> dict[str, Any]:
    is_point = len(feature.geometry) == 1
    known = {name: getattr(feature, name, None) for name in _SHOWN}
    named = {name: value for name, value in known.items() if value is not None}
    return {
        "type": "Feature",
        "geometry": {
            "type": "Point" if is_point else "LineString",
            "coordinates": feature.geometry[0] if is_point else feature.geometry,
        },
        "properties": {"kind": feature.kind, "id": feature.id, **named},
    }
