"""Trips that crews made."""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - SQLAlchemy reads the annotations

from sqlalchemy import BigInteger, CheckConstraint, DateTime, Double, Identity, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from fieldops.db import Base

Moment = DateTime(timezone=True)


class DispatchTrip(Base):
    """A drive to a job, by which the straight-line estimate is calibrated."""

    __tablename__ = "dispatch_trip"
    __table_args__ = (
        CheckConstraint("straight_m >= 0", name="straight_m_not_negative"),
        CheckConstraint("arrived_at >= departed_at", name="forwards"),
        Index(
            "ix_dispatch_trip_open",
            "order_key",
            "crew_key",
            unique=True,
            postgresql_where=text("arrived_at IS NULL"),
        ),
        Index(
            "ix_dispatch_trip_arrived_at",
            "arrived_at",
            postgresql_where=text("arrived_at IS NOT NULL"),
        ),
    )

    key: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    order_key: Mapped[int] = mapped_column(BigInteger)
    crew_key: Mapped[int] = mapped_column(BigInteger)
    straight_m: Mapped[float] = mapped_column(Double)
    departed_at: Mapped[dt.datetime] = mapped_column(Moment)
    arrived_at: Mapped[dt.datetime | None] = mapped_column(Moment)
    is_drill: Mapped[bool] = mapped_column(server_default="false")
