"""Tables of dispatch."""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - SQLAlchemy reads the annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Computed,
    DateTime,
    Double,
    Identity,
    Index,
    Integer,
    Text,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from fieldops.db import Base

Moment = DateTime(timezone=True)
MODES = ("suggest", "automatic")
PHONE_ANSWERS = ("accepted", "declined", "no_answer")
IS_OPEN = text("status = 'open'")


class DispatchSetting(Base):
    """What a manager may set; one row."""

    __tablename__ = "dispatch_setting"
    __table_args__ = (
        CheckConstraint("is_only", name="is_only"),
        CheckConstraint("mode IN ('suggest', 'automatic')", name="mode_known"),
        CheckConstraint("diversion_s >= 0", name="diversion_not_negative"),
        CheckConstraint("offer_s > 0 AND phone_after_s > 0", name="times_positive"),
        CheckConstraint("automatic_max_diameter_mm >= 0", name="limit_positive"),
        CheckConstraint("stale_penalty_min >= 0", name="penalty_not_negative"),
        CheckConstraint("straight_factor >= 1", name="factor_possible"),
    )

    is_only: Mapped[bool] = mapped_column(primary_key=True, server_default="true")
    mode: Mapped[str] = mapped_column(Text, server_default="suggest")
    diversion_s: Mapped[float] = mapped_column(Double, server_default="600")
    offer_s: Mapped[float] = mapped_column(Double, server_default="300")
    phone_after_s: Mapped[float] = mapped_column(Double, server_default="120")
    automatic_max_diameter_mm: Mapped[float] = mapped_column(Double, server_default="200")
    stale_penalty_min: Mapped[float] = mapped_column(Double, server_default="10")
    straight_factor: Mapped[float] = mapped_column(Double, server_default="1.4")
    straight_trips: Mapped[int] = mapped_column(Integer, server_default="0")
    is_straight_factor_fixed: Mapped[bool] = mapped_column(server_default="false")
    version: Mapped[int] = mapped_column(BigInteger, server_default="1")
    changed_at: Mapped[dt.datetime | None] = mapped_column(Moment)
    changed_by: Mapped[str | None] = mapped_column(Text)


class DispatchOffer(Base):
    """A job that a crew was offered (routine) or ordered to do (emergency)."""

    __tablename__ = "dispatch_offer"
    __table_args__ = (
        CheckConstraint("kind IN ('offered', 'ordered')", name="kind_known"),
        CheckConstraint(
            "status IN ('open', 'accepted', 'declined', 'lapsed', 'withdrawn')",
            name="status_known",
        ),
        CheckConstraint(
            "phone_answer IN ('accepted', 'declined', 'no_answer')", name="phone_answer_known"
        ),
        CheckConstraint("(status = 'open') = (ended_at IS NULL)", name="ended"),
        Index("ix_dispatch_offer_open", "order_key", unique=True, postgresql_where=IS_OPEN),
        Index("ix_dispatch_offer_due_at", "due_at", postgresql_where=IS_OPEN),
        Index("ix_dispatch_offer_order_key", "order_key", "made_at"),
    )

    key: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    id: Mapped[str | None] = mapped_column(
        Text, Computed("'D-' || key", persisted=True), unique=True
    )
    order_key: Mapped[int] = mapped_column(BigInteger)
    crew_key: Mapped[int] = mapped_column(BigInteger)
    kind: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text, server_default="open")
    made_at: Mapped[dt.datetime] = mapped_column(Moment)
    due_at: Mapped[dt.datetime] = mapped_column(Moment)
    phone_asked_at: Mapped[dt.datetime | None] = mapped_column(Moment)
    phoned_at: Mapped[dt.datetime | None] = mapped_column(Moment)
    phone_answer: Mapped[str | None] = mapped_column(Text)
    phone_note: Mapped[str | None] = mapped_column(Text)
    phoned_by: Mapped[str | None] = mapped_column(Text)
    ended_at: Mapped[dt.datetime | None] = mapped_column(Moment)


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
