"""Tables of incidents, and of the policy by which they are weighed."""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - SQLAlchemy reads the annotations
from typing import Any

from geoalchemy2 import Geometry, WKBElement
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Computed,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    SmallInteger,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from fieldops.db import Base

Moment = DateTime(timezone=True)
PLACE = "ST_SetSRID(ST_MakePoint(lon, lat), 4326)"
IS_OPEN = text("status = 'open'")


class IncidentRow(Base):
    """One thing that is wrong, or one planned shutdown. NULL is "not known yet", never "none"."""

    __tablename__ = "incident"
    __table_args__ = (
        CheckConstraint("status IN ('open', 'closed')", name="status"),
        CheckConstraint("(status = 'closed') = (closed_at IS NOT NULL)", name="closed"),
        Index("ix_incident_zone_lock", "zone_lock", unique=True, postgresql_where=IS_OPEN),
        Index(
            "ix_incident_zone_parts",
            "zone_parts",
            postgresql_using="gin",
            postgresql_with={"fastupdate": "off"},
            postgresql_where=IS_OPEN,
        ),
        Index(
            "ix_incident_geometry", "geometry", postgresql_using="gist", postgresql_where=IS_OPEN
        ),
        Index("ix_incident_opened_at", "status", "opened_at"),
    )

    key: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    id: Mapped[str] = mapped_column(
        Text, Computed("'I-'::text || key::text", persisted=True), unique=True
    )
    kind: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text, server_default="open")
    is_planned: Mapped[bool] = mapped_column(server_default="false")
    is_drill: Mapped[bool] = mapped_column(server_default="false")
    lon: Mapped[float] = mapped_column(Double)
    lat: Mapped[float] = mapped_column(Double)
    geometry: Mapped[WKBElement] = mapped_column(
        Geometry("POINT", srid=4326, spatial_index=False),
        Computed(PLACE, persisted=True),
        nullable=True,
    )
    address: Mapped[str | None] = mapped_column(Text)
    pipe_key: Mapped[int | None] = mapped_column(BigInteger)
    at_m: Mapped[float | None] = mapped_column(Double)
    zone_pipe_keys: Mapped[list[int]] = mapped_column(
        ARRAY(BigInteger), server_default=text("'{}'")
    )
    zone_parts: Mapped[list[int]] = mapped_column(ARRAY(BigInteger), server_default=text("'{}'"))
    zone_lock: Mapped[str | None] = mapped_column(Text)
    """Names segment and kind: of two open incidents of one name the database refuses one."""
    danger: Mapped[bool] = mapped_column(server_default="false")
    is_spreading: Mapped[bool] = mapped_column(server_default="false")
    score: Mapped[int] = mapped_column(Integer, server_default="0")
    score_parts: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, server_default=text("'[]'"))
    properties_out: Mapped[int | None] = mapped_column(Integer)
    people_out: Mapped[int | None] = mapped_column(Integer)
    critical_out: Mapped[int | None] = mapped_column(Integer)
    critical_ids: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    hydrants_dry: Mapped[int | None] = mapped_column(Integer)
    diameter_mm: Mapped[float | None] = mapped_column(Double)
    road_name: Mapped[str | None] = mapped_column(Text)
    road_kmh: Mapped[float | None] = mapped_column(Double)
    fire_service_told_at: Mapped[dt.datetime | None] = mapped_column(Moment)
    fire_service_told_by: Mapped[str | None] = mapped_column(Text)
    opened_at: Mapped[dt.datetime] = mapped_column(Moment)
    opened_by: Mapped[str] = mapped_column(Text)
    opened_by_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    closed_at: Mapped[dt.datetime | None] = mapped_column(Moment)
    closed_by: Mapped[str | None] = mapped_column(Text)
    version: Mapped[int] = mapped_column(BigInteger, server_default="1")
    changed_in: Mapped[dict[str, int]] = mapped_column(JSONB, server_default=text("'{}'"))


class IncidentWeight(Base):
    """Points of one part of the score: least(most, points * value / per)."""

    __tablename__ = "incident_weight"

    part: Mapped[str] = mapped_column(Text, primary_key=True)
    rank: Mapped[int] = mapped_column(SmallInteger)
    points: Mapped[float] = mapped_column(Double)
    per: Mapped[float] = mapped_column(Double)
    most: Mapped[float] = mapped_column(Double)
    note: Mapped[str] = mapped_column(Text)


class StagePolicy(Base):
    """An order that an incident of a kind begins with, in the order of `rank`."""

    __tablename__ = "stage_policy"

    incident_kind: Mapped[str] = mapped_column(Text, primary_key=True)
    rank: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    order_kind: Mapped[str] = mapped_column(Text)
    severity: Mapped[str] = mapped_column(Text)
    skills: Mapped[list[str]] = mapped_column(ARRAY(Text))
    expected_work_min: Mapped[float] = mapped_column(Double)
    needs_excavation: Mapped[bool]
    crews_needed: Mapped[int] = mapped_column(SmallInteger)


class MaterialSkill(Base):
    """What a repair of a material asks of a crew besides."""

    __tablename__ = "material_skill"

    material: Mapped[str] = mapped_column(Text, primary_key=True)
    skill: Mapped[str] = mapped_column(Text)
