"""Tables of tracks; checks stand in the migration of proposals."""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - SQLAlchemy reads the annotations
from typing import Any

from sqlalchemy import (
    BigInteger,
    Computed,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from fieldops.db import Base

Moment = DateTime(timezone=True)


class TrackRow(Base):
    """A way that somebody went; it counts when all of its parts have come."""

    __tablename__ = "track"
    __table_args__ = (
        Index("ix_track_received_at", "received_at"),
        Index("ix_track_person_id", "person_id"),
    )

    key: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    id: Mapped[str] = mapped_column(
        Text, Computed("'T-'::text || key::text", persisted=True), unique=True
    )
    client_id: Mapped[str] = mapped_column(Text, unique=True)
    name: Mapped[str] = mapped_column(Text)
    part_count: Mapped[int] = mapped_column(Integer)
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    person_name: Mapped[str] = mapped_column(Text)
    device: Mapped[str | None] = mapped_column(Text)
    received_at: Mapped[dt.datetime] = mapped_column(Moment)
    is_complete: Mapped[bool] = mapped_column(server_default="false")
    point_count: Mapped[int | None] = mapped_column(Integer)
    length_m: Mapped[float | None] = mapped_column(Double)
    begins_at: Mapped[dt.datetime | None] = mapped_column(Moment)
    ends_at: Mapped[dt.datetime | None] = mapped_column(Moment)


class TrackPart(Base):
    """Some points of a track, each [lon, lat, second or null]; null where it begins anew."""

    __tablename__ = "track_part"

    track_key: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("track.key", ondelete="CASCADE"), primary_key=True
    )
    part: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    points: Mapped[list[Any]] = mapped_column(JSONB)
