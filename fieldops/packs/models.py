"""Tables of districts and packs."""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - SQLAlchemy reads the annotations
from typing import Any

from geoalchemy2 import Geometry, WKBElement
from sqlalchemy import BigInteger, CheckConstraint, Computed, DateTime, Identity, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from fieldops.db import Base

Moment = DateTime(timezone=True)


class DistrictRow(Base):
    """A part of the town whose tablets carry its network and no more."""

    __tablename__ = "district"
    __table_args__ = (CheckConstraint("name <> ''", name="name_not_empty"),)

    key: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    id: Mapped[str] = mapped_column(
        Text, Computed("'district-' || key", persisted=True), unique=True
    )
    name: Mapped[str] = mapped_column(Text, unique=True)
    area: Mapped[WKBElement] = mapped_column(
        Geometry("MULTIPOLYGON", srid=4326, spatial_index=False)
    )
    drawn_at: Mapped[dt.datetime] = mapped_column(Moment)
    drawn_by: Mapped[str] = mapped_column(Text)


class PackRow(Base):
    """The last pack of a district; `drawn_at` is that of the district as it was then."""

    __tablename__ = "pack"

    district: Mapped[str] = mapped_column(Text, primary_key=True)
    geometry_revision: Mapped[int] = mapped_column(BigInteger)
    revision: Mapped[int] = mapped_column(BigInteger)
    drawn_at: Mapped[dt.datetime | None] = mapped_column(Moment)
    baked_at: Mapped[dt.datetime] = mapped_column(Moment)
    files: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
