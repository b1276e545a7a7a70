"""Tables of reports, of calling back, and of the policy for both."""

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
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from fieldops.db import Base

Moment = DateTime(timezone=True)
PLACE = "ST_SetSRID(ST_MakePoint(lon, lat), 4326)"
IS_OPEN = text("status = 'open'")


class ReportRow(Base):
    """What somebody told; linked to an incident, never merged into anything."""

    __tablename__ = "report"
    __table_args__ = (
        CheckConstraint(
            "status IN ('open', 'linked', 'callback_due', 'answered', 'closed')", name="status"
        ),
        CheckConstraint("(incident_key IS NULL) = (link_kind IS NULL)", name="linked"),
        Index(
            "ix_report_incident_key",
            "incident_key",
            postgresql_where=text("incident_key IS NOT NULL"),
        ),
        Index("ix_report_geometry", "geometry", postgresql_using="gist", postgresql_where=IS_OPEN),
        Index("ix_report_part_key", "part_key", postgresql_where=IS_OPEN),
        Index("ix_report_status", "status", "received_at"),
        Index("ix_report_phone", "phone", postgresql_where=text("phone IS NOT NULL")),
    )

    key: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    id: Mapped[str] = mapped_column(
        Text, Computed("'R-'::text || key::text", persisted=True), unique=True
    )
    kind: Mapped[str] = mapped_column(Text)
    contact: Mapped[str] = mapped_column(Text, server_default="fault")
    channel: Mapped[str] = mapped_column(Text)
    words: Mapped[str] = mapped_column(Text, server_default="")
    danger: Mapped[bool] = mapped_column(server_default="false")
    is_drill: Mapped[bool] = mapped_column(server_default="false")
    name: Mapped[str | None] = mapped_column(Text)
    phone: Mapped[str | None] = mapped_column(Text)
    lon: Mapped[float | None] = mapped_column(Double)
    lat: Mapped[float | None] = mapped_column(Double)
    geometry: Mapped[WKBElement | None] = mapped_column(
        Geometry("POINT", srid=4326, spatial_index=False), Computed(PLACE, persisted=True)
    )
    address: Mapped[str | None] = mapped_column(Text)
    pipe_key: Mapped[int | None] = mapped_column(BigInteger)
    at_m: Mapped[float | None] = mapped_column(Double)
    part_key: Mapped[int | None] = mapped_column(BigInteger)
    """The part of the pipe as the map's tiles number it."""
    customer_key: Mapped[int | None] = mapped_column(BigInteger)
    incident_key: Mapped[int | None] = mapped_column(ForeignKey("incident.key"))
    link_kind: Mapped[str | None] = mapped_column(Text)
    linked_by: Mapped[str | None] = mapped_column(Text)
    parted_from: Mapped[list[int]] = mapped_column(ARRAY(BigInteger), server_default=text("'{}'"))
    outage_key: Mapped[int | None] = mapped_column(BigInteger)
    promise: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    """What the caller was told."""
    status: Mapped[str] = mapped_column(Text, server_default="open")
    first_contact_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    first_contact_by: Mapped[str | None] = mapped_column(Text)
    received_at: Mapped[dt.datetime] = mapped_column(Moment)
    ended_at: Mapped[dt.datetime | None] = mapped_column(Moment)
    photo_sha256: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    client_id: Mapped[str | None] = mapped_column(Text, unique=True)
    token: Mapped[str | None] = mapped_column(Text, unique=True)
    """What the reporter's own page is found by."""
    version: Mapped[int] = mapped_column(BigInteger, server_default="1")
    changed_in: Mapped[dict[str, int]] = mapped_column(JSONB, server_default=text("'{}'"))


class CallBackRow(Base):
    """A try to call a reporter back."""

    __tablename__ = "call_back"
    __table_args__ = (
        CheckConstraint(
            "result IN ('reached', 'not_back', 'complaint', 'no_answer', 'message')", name="result"
        ),
    )

    key: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    report_key: Mapped[int] = mapped_column(ForeignKey("report.key"), index=True)
    result: Mapped[str] = mapped_column(Text)
    note: Mapped[str] = mapped_column(Text, server_default="")
    at: Mapped[dt.datetime] = mapped_column(Moment)
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    person_name: Mapped[str] = mapped_column(Text)


class ReportPolicy(Base):
    """A number that a manager may change."""

    __tablename__ = "report_policy"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    value: Mapped[float]
    note: Mapped[str] = mapped_column(Text)
