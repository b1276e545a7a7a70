"""Tables of planned shutdowns, and of the hours in which they harm most."""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - SQLAlchemy reads the annotations
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    Computed,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    Index,
    SmallInteger,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from fieldops.db import Base

Moment = DateTime(timezone=True)


class Blackout(Base):
    """Hours in which a customer must not be without water."""

    __tablename__ = "blackout"

    key: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    customer_key: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("customer.key", ondelete="CASCADE"), index=True
    )
    weekdays: Mapped[list[int]] = mapped_column(
        ARRAY(SmallInteger), server_default=text("'{1,2,3,4,5,6,7}'")
    )
    from_time: Mapped[dt.time]
    until_time: Mapped[dt.time]
    reason: Mapped[str] = mapped_column(Text)


class DemandHour(Base):
    """What a minute without water weighs by the hour of the day; the mean is 1."""

    __tablename__ = "demand_hour"
    __table_args__ = (
        CheckConstraint("hour BETWEEN 0 AND 23", name="hour_of_a_day"),
        CheckConstraint("factor > 0", name="factor_positive"),
    )

    hour: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    factor: Mapped[float] = mapped_column(Double)


class Shutdown(Base):
    """Work that needs the water off, planned ahead."""

    __tablename__ = "shutdown"
    __table_args__ = (
        CheckConstraint(
            "status IN ('requested', 'approved', 'opened', 'done', 'cancelled')",
            name="status_known",
        ),
        CheckConstraint("work_min > 0", name="work_takes_time"),
        CheckConstraint("starts_at < ends_at", name="in_order"),
        CheckConstraint(
            "status IN ('requested', 'cancelled') OR (starts_at IS NOT NULL"
            " AND ends_at IS NOT NULL AND approval_no IS NOT NULL)",
            name="approved_with_slot",
        ),
        Index(
            "ix_shutdown_coming",
            "starts_at",
            postgresql_where=text("status IN ('approved', 'opened')"),
        ),
        Index(
            "ix_shutdown_incident_key",
            "incident_key",
            postgresql_where=text("incident_key IS NOT NULL"),
        ),
    )

    key: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    id: Mapped[str] = mapped_column(Text, Computed("'S-' || key", persisted=True), unique=True)
    reason: Mapped[str] = mapped_column(Text)
    question: Mapped[dict[str, Any]] = mapped_column(JSONB)
    work_min: Mapped[int]
    status: Mapped[str] = mapped_column(Text, server_default="requested")
    starts_at: Mapped[dt.datetime | None] = mapped_column(Moment)
    ends_at: Mapped[dt.datetime | None] = mapped_column(Moment)
    approval_no: Mapped[str | None] = mapped_column(Text)
    approved_by: Mapped[str | None] = mapped_column(Text)
    outage_key: Mapped[int | None] = mapped_column(BigInteger)
    incident_key: Mapped[int | None] = mapped_column(ForeignKey("incident.key"))
    properties_out: Mapped[int]
    critical_out: Mapped[int]
    requested_at: Mapped[dt.datetime] = mapped_column(Moment)
    requested_by: Mapped[str] = mapped_column(Text)
    version: Mapped[int] = mapped_column(BigInteger, server_default="1")
