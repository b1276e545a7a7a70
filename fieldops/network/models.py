"""Tables of the network; checks and triggers stand in the migration."""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - SQLAlchemy reads the annotations
from typing import Any

from geoalchemy2 import Geometry, WKBElement
from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    SmallInteger,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from fieldops.db import Base

Moment = DateTime(timezone=True)
SHAPES = {
    "node": "POINT",
    "pipe": "LINESTRING",
    "valve": "GEOMETRY",
    "pump": "LINESTRING",
    "control_valve": "LINESTRING",
    "source": "POINT",
    "customer": "POINT",
    "hydrant": "POINT",
    "road": "LINESTRING",
    "depot": "POINT",
}

UNUSUAL = "position <> 'open' OR operability = 'inoperable' OR NOT reachable"
"""What makes a valve one that the map must mark."""


def shape(kind: str) -> Mapped[WKBElement]:
    """Make the column of the shape, in WGS84."""
    return mapped_column(Geometry(SHAPES[kind], srid=4326, spatial_index=False))


def reference(target: str, *, is_index_partial: bool = False) -> Mapped[Any]:
    """Make a column that refers to another table's key."""
    return mapped_column(BigInteger, ForeignKey(f"{target}.key"), index=not is_index_partial)


class FeatureRow:
    """What every feature has: a key for tiles and arrays, and the id that people know."""

    key: Mapped[int] = mapped_column(BigInteger, Identity(always=False), primary_key=True)
    id: Mapped[str] = mapped_column(Text(collation="C"), unique=True)
    extra: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    """Properties of the file that the format does not know."""
    changed_in: Mapped[int | None] = mapped_column(BigInteger)
    """Key of the last `NetworkEdit` of this row."""


class Node(FeatureRow, Base):
    """A point where links meet or end. `is_made`: in no file, ends met there."""

    __tablename__ = "node"
    __table_args__ = (Index("ix_node_geometry", "geometry", postgresql_using="gist"),)

    geometry: Mapped[WKBElement] = shape("node")
    elevation_m: Mapped[float | None] = mapped_column(Double)
    demand_m3_day: Mapped[float | None] = mapped_column(Double)
    is_made: Mapped[bool] = mapped_column(server_default="false")


class Pipe(FeatureRow, Base):
    """A length of pipe; `cuts_m` are the places of the valves that divide it, in order."""

    __tablename__ = "pipe"
    __table_args__ = (
        CheckConstraint("length_m >= 0", name="length_not_negative"),
        CheckConstraint("diameter_mm > 0", name="diameter_positive"),
        Index("ix_pipe_geometry", "geometry", postgresql_using="gist"),
    )

    geometry: Mapped[WKBElement] = shape("pipe")
    start_node_key: Mapped[int] = reference("node")
    end_node_key: Mapped[int] = reference("node")
    length_m: Mapped[float] = mapped_column(Double)
    diameter_mm: Mapped[float] = mapped_column(Double)
    material: Mapped[str | None] = mapped_column(Text)
    laid_on: Mapped[str | None] = mapped_column(Text)
    pipe_class: Mapped[str] = mapped_column("class", Text, server_default="distribution")
    roughness_mm: Mapped[float | None] = mapped_column(Double)
    status: Mapped[str] = mapped_column(Text, server_default="open")
    one_way: Mapped[bool] = mapped_column(server_default="false")
    zone: Mapped[str | None] = mapped_column(Text)
    owner: Mapped[str | None] = mapped_column(Text)
    cuts_m: Mapped[list[float] | None] = mapped_column(ARRAY(Double))
    is_start_guessed: Mapped[bool] = mapped_column(server_default="false")
    is_end_guessed: Mapped[bool] = mapped_column(server_default="false")
    is_length_measured: Mapped[bool] = mapped_column(server_default="false")


class Valve(FeatureRow, Base):
    """An isolation valve on a pipe or between two nodes; on neither, it takes part in nothing."""

    __tablename__ = "valve"
    __table_args__ = (
        Index("ix_valve_geometry", "geometry", postgresql_using="gist"),
        Index("ix_valve_unusual", "key", postgresql_where=text(UNUSUAL)),
        *(
            Index(f"ix_valve_{end}", end, postgresql_where=text(f"{end} IS NOT NULL"))
            for end in ("start_node_key", "end_node_key")
        ),
    )

    geometry: Mapped[WKBElement] = shape("valve")
    pipe_key: Mapped[int | None] = reference("pipe")
    at_m: Mapped[float | None] = mapped_column(Double)
    start_node_key: Mapped[int | None] = reference("node", is_index_partial=True)
    end_node_key: Mapped[int | None] = reference("node", is_index_partial=True)
    position: Mapped[str] = mapped_column(Text, server_default="open")
    operability: Mapped[str] = mapped_column(Text, server_default="unknown")
    reachable: Mapped[bool] = mapped_column(server_default="true")
    boundary: Mapped[bool] = mapped_column(server_default="false")
    turns: Mapped[float | None] = mapped_column(Double)
    closes: Mapped[str] = mapped_column(Text, server_default="unknown")
    valve_type: Mapped[str | None] = mapped_column(Text)
    last_exercised_on: Mapped[str | None] = mapped_column(Text)
    diameter_mm: Mapped[float | None] = mapped_column(Double)
    is_place_given: Mapped[bool] = mapped_column(server_default="false")
    is_pipe_guessed: Mapped[bool] = mapped_column(server_default="false")
    is_start_guessed: Mapped[bool] = mapped_column(server_default="false")
    is_end_guessed: Mapped[bool] = mapped_column(server_default="false")
    is_position_assumed: Mapped[bool] = mapped_column(server_default="false")


class Pump(FeatureRow, Base):
    """A pump between two nodes; water passes from its start to its end."""

    __tablename__ = "pump"
    __table_args__ = (Index("ix_pump_geometry", "geometry", postgresql_using="gist"),)

    geometry: Mapped[WKBElement] = shape("pump")
    start_node_key: Mapped[int] = reference("node")
    end_node_key: Mapped[int] = reference("node")
    status: Mapped[str] = mapped_column(Text, server_default="open")
    is_start_guessed: Mapped[bool] = mapped_column(server_default="false")
    is_end_guessed: Mapped[bool] = mapped_column(server_default="false")


class ControlValve(FeatureRow, Base):
    """A PRV, PSV, FCV or TCV; with `isolates` also a one-way isolation valve."""

    __tablename__ = "control_valve"
    __table_args__ = (Index("ix_control_valve_geometry", "geometry", postgresql_using="gist"),)

    geometry: Mapped[WKBElement] = shape("control_valve")
    start_node_key: Mapped[int] = reference("node")
    end_node_key: Mapped[int] = reference("node")
    status: Mapped[str] = mapped_column(Text, server_default="open")
    type: Mapped[str | None] = mapped_column(Text)
    setting: Mapped[float | None] = mapped_column(Double)
    isolates: Mapped[bool] = mapped_column(server_default="false")
    position: Mapped[str] = mapped_column(Text, server_default="open")
    operability: Mapped[str] = mapped_column(Text, server_default="unknown")
    reachable: Mapped[bool] = mapped_column(server_default="true")
    boundary: Mapped[bool] = mapped_column(server_default="false")
    is_start_guessed: Mapped[bool] = mapped_column(server_default="false")
    is_end_guessed: Mapped[bool] = mapped_column(server_default="false")
    is_position_assumed: Mapped[bool] = mapped_column(server_default="false")


class Source(FeatureRow, Base):
    """A works, reservoir, well or tank at a node."""

    __tablename__ = "source"
    __table_args__ = (Index("ix_source_geometry", "geometry", postgresql_using="gist"),)

    geometry: Mapped[WKBElement] = shape("source")
    node_key: Mapped[int] = reference("node")
    type: Mapped[str | None] = mapped_column(Text)
    head_m: Mapped[float | None] = mapped_column(Double)
    volume_m3: Mapped[float | None] = mapped_column(Double)
    inflow: Mapped[bool] = mapped_column(server_default="true")
    is_node_guessed: Mapped[bool] = mapped_column(server_default="false")


class Customer(FeatureRow, Base):
    """A connection, whatever number of properties stands behind it."""

    __tablename__ = "customer"
    __table_args__ = (Index("ix_customer_geometry", "geometry", postgresql_using="gist"),)

    geometry: Mapped[WKBElement] = shape("customer")
    properties: Mapped[int] = mapped_column(Integer, server_default="1")
    people: Mapped[int | None] = mapped_column(Integer)
    category: Mapped[str | None] = mapped_column(Text)
    critical: Mapped[str | None] = mapped_column(Text)
    demand_l_per_property_day: Mapped[float | None] = mapped_column(Double)
    building_tank_m3: Mapped[float | None] = mapped_column(Double)
    is_guessed: Mapped[bool] = mapped_column(server_default="false")


class CustomerFeed(Base):
    """One of the places from which a customer is fed: on a pipe, or at a node."""

    __tablename__ = "customer_feed"
    __table_args__ = tuple(
        Index(f"ix_customer_feed_{place}", place, postgresql_where=text(f"{place} IS NOT NULL"))
        for place in ("pipe_key", "node_key")
    )

    customer_key: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("customer.key", ondelete="CASCADE"), primary_key=True
    )
    rank: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    pipe_key: Mapped[int | None] = reference("pipe", is_index_partial=True)
    at_m: Mapped[float | None] = mapped_column(Double)
    node_key: Mapped[int | None] = reference("node", is_index_partial=True)
    is_guessed: Mapped[bool] = mapped_column(server_default="false")


class Hydrant(FeatureRow, Base):
    """A hydrant on a pipe or at a node."""

    __tablename__ = "hydrant"
    __table_args__ = (Index("ix_hydrant_geometry", "geometry", postgresql_using="gist"),)

    geometry: Mapped[WKBElement] = shape("hydrant")
    pipe_key: Mapped[int | None] = reference("pipe")
    at_m: Mapped[float | None] = mapped_column(Double)
    node_key: Mapped[int | None] = reference("node")
    flow_l_s: Mapped[float | None] = mapped_column(Double)
    is_guessed: Mapped[bool] = mapped_column(server_default="false")


class Road(FeatureRow, Base):
    """A road that a crew may drive."""

    __tablename__ = "road"
    __table_args__ = (Index("ix_road_geometry", "geometry", postgresql_using="gist"),)

    geometry: Mapped[WKBElement] = shape("road")
    name: Mapped[str | None] = mapped_column(Text)
    speed_kmh: Mapped[float | None] = mapped_column(Double)
    one_way: Mapped[bool] = mapped_column(server_default="false")
    closed: Mapped[bool] = mapped_column(server_default="false")


class Depot(FeatureRow, Base):
    """A place from which crews start."""

    __tablename__ = "depot"
    __table_args__ = (Index("ix_depot_geometry", "geometry", postgresql_using="gist"),)

    geometry: Mapped[WKBElement] = shape("depot")
    name: Mapped[str | None] = mapped_column(Text)


class NetworkEdit(Base):
    """
    A transaction that changed the network; a trigger numbers it when it commits.

    `is_reload`: more than facts of valves changed; `is_geometry`: the map must be drawn anew.
    """

    __tablename__ = "network_edit"

    key: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    revision: Mapped[int | None] = mapped_column(BigInteger, unique=True)
    geometry_revision: Mapped[int | None] = mapped_column(BigInteger, unique=True)
    is_reload: Mapped[bool]
    is_geometry: Mapped[bool]
    snap_m: Mapped[float | None] = mapped_column(Double)
    at: Mapped[dt.datetime] = mapped_column(Moment, server_default=func.now())
    by: Mapped[str | None] = mapped_column(Text)


class NetworkChange(Base):
    """Facts of a valve as an edit left them."""

    __tablename__ = "network_change"

    key: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    edit_key: Mapped[int] = mapped_column(BigInteger, index=True)
    kind: Mapped[str] = mapped_column(Text)
    device_key: Mapped[int] = mapped_column(BigInteger, index=True)
    position: Mapped[str] = mapped_column(Text)
    operability: Mapped[str] = mapped_column(Text)
    reachable: Mapped[bool]


class NetworkHistory(Base):
    """A row as it was before an edit."""

    __tablename__ = "network_history"
    __table_args__ = (Index("ix_network_history_kind_feature_id", "kind", "feature_id"),)

    key: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    edit_key: Mapped[int] = mapped_column(BigInteger, index=True)
    kind: Mapped[str] = mapped_column(Text)
    feature_key: Mapped[int] = mapped_column(BigInteger)
    feature_id: Mapped[str | None] = mapped_column(Text)
    operation: Mapped[str] = mapped_column(Text)
    old: Mapped[dict[str, Any]] = mapped_column(JSONB)


class NetworkImport(Base):
    """A file that somebody sent to be imported, and what became of it."""

    __tablename__ = "network_import"

    key: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    file_name: Mapped[str] = mapped_column(Text)
    path: Mapped[str] = mapped_column(Text)
    options: Mapped[dict[str, Any]] = mapped_column(JSONB)
    status: Mapped[str] = mapped_column(Text, server_default="waiting")
    step: Mapped[str | None] = mapped_column(Text)
    done_share: Mapped[float | None] = mapped_column(Double)
    report: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    sent_at: Mapped[dt.datetime] = mapped_column(Moment)
    sent_by: Mapped[str] = mapped_column(Text)
    ended_at: Mapped[dt.datetime | None] = mapped_column(Moment)
