"""Towns landed through the importer, and networks told apart by ids instead of rows."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from fieldops.network_files.service import import_features
from gis.features import KINDS
from gis.formats.geojson import parse_geojson

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sqlalchemy.orm import Session

    from fieldops.network_files.service import ImportReport
    from gis.features import Feature, FeatureSet
    from gis.network import Network
    from gis.placement import NetworkIds, Placement


def street(**valve: object) -> list[dict[str, Any]]:
    """Lay works N1 - pipe P1 - node N2 - pipe P2 - N3, a valve V1 on P2 and a house on each."""
    return [
        point("node", "N1", 0.0),
        point("node", "N2", 0.001),
        point("node", "N3", 0.002),
        point("source", "S1", 0.0, node="N1"),
        line("pipe", "P1", 0.0, 0.001, diameter_mm=200, start_node="N1", end_node="N2"),
        line("pipe", "P2", 0.001, 0.002, diameter_mm=100, colour="蓝", zone="东区"),
        point("valve", "V1", 0.0015, pipe="P2", **valve),
        point("customer", "C1", 0.0004, pipe="P1", people=3),
        point("customer", "C2", 0.0018),
        point("hydrant", "H1", 0.002, node="N3"),
    ]


def point(kind: str, name: str, lon: float, **properties: object) -> dict[str, Any]:
    """Draw a point on the equator's street."""
    return draw(kind, name, "Point", [100.0 + lon, 0.0], properties)


def line(kind: str, name: str, start: float, end: float, **properties: object) -> dict[str, Any]:
    """Draw a straight line on the same street."""
    return draw(kind, name, "LineString", [[100.0 + start, 0.0], [100.0 + end, 0.0]], properties)


def draw(
    kind: str, name: str, shape: str, coordinates: list[Any], properties: dict[str, Any]
) -> dict[str, Any]:
    """Write a feature."""
    return {
        "type": "Feature",
        "geometry": {"type": shape, "coordinates": coordinates},
        "properties": {"kind": kind, "id": name, **properties},
    }


def read(features: list[dict[str, Any]]) -> FeatureSet:
    """Read features as from a file."""
    return parse_geojson(json.dumps({"type": "FeatureCollection", "features": features}).encode())


def land(session: Session, features: list[dict[str, Any]], **options: Any) -> ImportReport:  # noqa: ANN401
    """Import features."""
    return import_features(session, read(features), by="测试", **options)


def plain(number: float) -> float | None:
    """Give None for "not a number", which equals nothing."""
    return None if math.isnan(number) else number


def by_ids(network: Network, ids: NetworkIds) -> dict[str, Any]:
    """Describe a network in a way that does not depend on the order of its rows."""
    nodes, pipes = [*ids.nodes, None], [*ids.pipes, None]

    def numbers(*columns: NDArray[Any]) -> list[tuple[float | None, ...]]:
        table = [[plain(cell) for cell in column.tolist()] for column in columns]
        return list(zip(*table, strict=True))

    ends = [tuple(nodes[row] for row in pair) for pair in network.pipe_ends.tolist()]
    zones = network.pipe_zone
    same_zone = [np.flatnonzero(zones == zone) for zone in np.unique(zones) if zone >= 0]
    devices = list(zip(ids.device_kinds, ids.devices, strict=True))
    facts = network.facts
    rows = {
        "pipes": numbers(network.pipe_length_m, network.pipe_is_open, network.pipe_is_one_way),
        "devices": numbers(
            network.device_kind,
            network.device_at_m,
            network.device_is_open,
            network.device_boundary,
            facts.position,
            facts.operability,
            facts.reachable,
            network.device_rank,
        ),
        "premises": numbers(
            network.premises_properties,
            network.premises_people,
            network.premises_is_critical,
            network.premises_is_guessed,
            network.premises_demand_l_day,
            network.premises_tank_m3,
        ),
    }
    feeds = zip(
        network.feed_premises.tolist(),
        network.feed_pipe.tolist(),
        network.feed_at_m.tolist(),
        network.feed_node.tolist(),
        strict=True,
    )
    hydrants = zip(
        ids.hydrants,
        network.hydrant_pipe.tolist(),
        network.hydrant_at_m.tolist(),
        network.hydrant_node.tolist(),
        strict=True,
    )
    return {
        "nodes": sorted(ids.nodes),
        "pipes": sorted(zip(ids.pipes, ends, rows["pipes"], strict=True)),
        "zones": sorted(sorted(ids.pipes[row] for row in group) for group in same_zone),
        "devices": sorted(
            (name, [nodes[row] for row in pair], pipes[pipe], row)
            for name, pair, pipe, row in zip(
                devices,
                network.device_ends.tolist(),
                network.device_pipe.tolist(),
                rows["devices"],
                strict=True,
            )
        ),
        "sources": sorted(
            zip(
                ids.sources,
                [nodes[row] for row in network.source_node.tolist()],
                numbers(
                    network.source_is_tank, network.source_has_inflow, network.source_volume_m3
                ),
                strict=True,
            )
        ),
        "premises": sorted(zip(ids.customers, rows["premises"], strict=True), key=str),
        "feeds": sorted(
            (
                (ids.customers[row], pipes[pipe], plain(at), nodes[node])
                for row, pipe, at, node in feeds
            ),
            key=str,
        ),
        "hydrants": sorted(
            ((name, pipes[pipe], plain(at), nodes[node]) for name, pipe, at, node in hydrants),
            key=str,
        ),
    }


def everything(features: FeatureSet | Placement) -> dict[str, list[Feature]]:
    """Give every feature with all that is known of it, guesses included; made nodes left out."""
    return {
        kind: sorted(
            (f for f in getattr(features, f"{kind}s") if not getattr(f, "is_made", False)),
            key=lambda feature: feature.id,
        )
        for kind in KINDS
    }
