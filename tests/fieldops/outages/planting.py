"""Towns laid straight into the tables, for tests that are not about importing."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

import shapely
from geoalchemy2 import WKTElement
from sqlalchemy import insert

from fieldops.network import models
from gis.formats.geojson import parse_geojson
from gis.placement import cuts_m
from gis.topology import place

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from gis.features import Feature, FeatureSet

KINDS: dict[str, Any] = {
    "nodes": models.Node,
    "pipes": models.Pipe,
    "valves": models.Valve,
    "pumps": models.Pump,
    "control_valves": models.ControlValve,
    "sources": models.Source,
    "customers": models.Customer,
    "hydrants": models.Hydrant,
}


def plant(session: Session, features: FeatureSet) -> None:
    """Put a town into the tables, at its places."""
    placement = place(features)
    assert not placement.report.errors, [str(one) for one in placement.report.errors]
    keys: dict[str, dict[str | None, int | None]] = {}
    _, valve_cuts = cuts_m(
        placement.pipe_length_m,
        placement.valve_pipe[placement.valve_pipe >= 0],
        placement.valve_at_m[placement.valve_pipe >= 0],
    )
    pipe_of_cut, _ = cuts_m(
        placement.pipe_length_m,
        placement.valve_pipe[placement.valve_pipe >= 0],
        placement.valve_at_m[placement.valve_pipe >= 0],
    )
    for name, model in KINDS.items():
        keys[name] = {None: None}
        rows = [_row(feature, model, keys) for feature in getattr(placement, name)]
        if name == "pipes":
            for number, row in enumerate(rows):
                row["length_m"] = float(placement.pipe_length_m[number])
                row["cuts_m"] = valve_cuts[pipe_of_cut == number].tolist() or None
        if rows:
            result = session.execute(insert(model).returning(model.id, model.key), rows)
            keys[name] |= dict(result.all())
    feeds = [
        {
            "customer_key": keys["customers"][customer.id],
            "rank": rank,
            "pipe_key": keys["pipes"][feed.pipe],
            "at_m": feed.at_m,
            "node_key": keys["nodes"][feed.node],
            "is_guessed": feed.is_guessed,
        }
        for customer in placement.customers
        for rank, feed in enumerate(customer.feeds)
    ]
    if feeds:
        session.execute(insert(models.CustomerFeed), feeds)


def plant_text(session: Session, text: str) -> None:
    """Put a town written as GeoJSON into the tables."""
    plant(session, parse_geojson(text.encode()))


def _row(feature: Feature, model: Any, keys: dict[str, Any]) -> dict[str, Any]:  # noqa: ANN401
    """Write a placed feature as a row of its table."""
    columns = set(model.__mapper__.attrs.keys())
    row = {
        entry.name: getattr(feature, entry.name)
        for entry in fields(feature)
        if entry.name in columns and entry.name != "geometry"
    }
    for name in ("start_node", "end_node", "node"):
        if f"{name}_key" in columns:
            row[f"{name}_key"] = keys["nodes"].get(getattr(feature, name, None))
    if "pipe_key" in columns:
        row["pipe_key"] = keys["pipes"].get(getattr(feature, "pipe", None))
    if row.get("position", "") is None:
        row["position"] = "open"
    line = feature.geometry
    shape = shapely.Point(line[0]) if len(line) == 1 else shapely.LineString(line)
    row["geometry"] = WKTElement(shape.wkt, srid=4326)
    return row
