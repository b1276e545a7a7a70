"""Tables of calendars, limits and clocks; the functions that count stand in the migration."""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - SQLAlchemy reads the annotations
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Computed,
    Date,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    Index,
    SmallInteger,
    Text,
    Time,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, TSTZMULTIRANGE
from sqlalchemy.orm import Mapped, mapped_column

from fieldops.db import Base

Moment = DateTime(timezone=True)

NEXT_AT = """
CASE
    WHEN (stopped_at IS NOT NULL) THEN NULL::timestamp with time zone
    WHEN (escalated_percent < 80) THEN due_80_at
    WHEN (escalated_percent < 100) THEN due_at
    WHEN (escalated_percent < 150) THEN due_150_at
    ELSE NULL::timestamp with time zone
END"""


class Calendar(Base):
    """When clocks count: always, or in the working hours of workdays."""

    __tablename__ = "calendar"

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    is_always: Mapped[bool] = mapped_column(server_default="false")
    timezone: Mapped[str] = mapped_column(Text, server_default="Asia/Shanghai")


class WorkingHours(Base):
    """A span of each workday in which a calendar counts."""

    __tablename__ = "working_hours"
    __table_args__ = (CheckConstraint("opens < closes", name="in_order"),)

    key: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    calendar_id: Mapped[str] = mapped_column(ForeignKey("calendar.id"))
    opens: Mapped[dt.time] = mapped_column(Time)
    closes: Mapped[dt.time] = mapped_column(Time)


class CalendarDay(Base):
    """A day known to be a workday or a holiday; one not listed goes by its weekday."""

    __tablename__ = "calendar_day"

    calendar_id: Mapped[str] = mapped_column(ForeignKey("calendar.id"), primary_key=True)
    day: Mapped[dt.date] = mapped_column(Date, primary_key=True)
    is_workday: Mapped[bool]
    title: Mapped[str | None] = mapped_column(Text)
    is_edited: Mapped[bool] = mapped_column(server_default="false")


class TimeClass(Base):
    """A part of the day with limits of its own; it may pass midnight."""

    __tablename__ = "time_class"

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    starts: Mapped[dt.time] = mapped_column(Time)
    ends: Mapped[dt.time] = mapped_column(Time)


class ClockLimit(Base):
    """What was promised, from which moment on, by which document; null fits any."""

    __tablename__ = "clock_limit"
    __table_args__ = (
        CheckConstraint("limit_s > 0", name="positive"),
        CheckConstraint(
            "starts_at IN ('reported', 'aware', 'located', 'assigned', 'arrived')",
            name="start_known",
        ),
        CheckConstraint("valid_to >= valid_from", name="dates_in_order"),
        CheckConstraint("diameter_from_mm <= diameter_to_mm", name="diameters_in_order"),
        Index("ix_clock_limit_clock_kind", "clock_kind"),
    )

    key: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    clock_kind: Mapped[str] = mapped_column(Text)
    work_kind: Mapped[str | None] = mapped_column(Text)
    severity: Mapped[str | None] = mapped_column(Text)
    diameter_from_mm: Mapped[float | None] = mapped_column(Double)
    diameter_to_mm: Mapped[float | None] = mapped_column(Double)
    area_class: Mapped[str | None] = mapped_column(Text)
    time_class: Mapped[str | None] = mapped_column(ForeignKey("time_class.id"))
    limit_s: Mapped[int] = mapped_column(BigInteger)
    starts_at: Mapped[str] = mapped_column(Text)
    calendar_id: Mapped[str] = mapped_column(ForeignKey("calendar.id"), server_default="always")
    is_external: Mapped[bool]
    is_stopped_by_holds: Mapped[bool] = mapped_column(server_default="true")
    source: Mapped[str] = mapped_column(Text)
    valid_from: Mapped[dt.date] = mapped_column(Date)
    valid_to: Mapped[dt.date | None] = mapped_column(Date)


class Clock(Base):
    """A limit at work on something; the due times are kept, and anew after every event."""

    __tablename__ = "clock"
    __table_args__ = (
        Index("ix_clock_subject_kind", "subject_kind", "subject_key"),
        Index(
            "ix_clock_running",
            "subject_kind",
            "subject_key",
            "kind",
            "is_external",
            unique=True,
            postgresql_where=text("stopped_at IS NULL"),
        ),
        Index("ix_clock_due_at", "due_at", postgresql_where=text("stopped_at IS NULL")),
        Index("ix_clock_next_at", "next_at", postgresql_where=text("next_at IS NOT NULL")),
    )

    key: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    subject_kind: Mapped[str] = mapped_column(Text)
    subject_key: Mapped[int] = mapped_column(BigInteger)
    subject_id: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text)
    is_external: Mapped[bool]
    limit_key: Mapped[int | None] = mapped_column(ForeignKey("clock_limit.key"))
    limit_s: Mapped[int] = mapped_column(BigInteger)
    calendar_id: Mapped[str] = mapped_column(ForeignKey("calendar.id"))
    is_stopped_by_holds: Mapped[bool]
    started_at: Mapped[dt.datetime] = mapped_column(Moment)
    stopped_at: Mapped[dt.datetime | None] = mapped_column(Moment)
    pauses: Mapped[Any] = mapped_column(TSTZMULTIRANGE, server_default=text("'{}'"))
    due_80_at: Mapped[dt.datetime | None] = mapped_column(Moment)
    due_at: Mapped[dt.datetime | None] = mapped_column(Moment)
    due_150_at: Mapped[dt.datetime | None] = mapped_column(Moment)
    escalated_percent: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    next_at: Mapped[dt.datetime | None] = mapped_column(Moment, Computed(NEXT_AT, persisted=True))


class ClockHold(Base):
    """A wait that was excused until a moment said beforehand; null `ended_at`: it lasts."""

    __tablename__ = "clock_hold"
    __table_args__ = (
        CheckConstraint("excused_until >= from_at AND ended_at >= from_at", name="in_order"),
        Index("ix_clock_hold_subject_kind", "subject_kind", "subject_key"),
        Index(
            "ix_clock_hold_open",
            "subject_kind",
            "subject_key",
            unique=True,
            postgresql_where=text("ended_at IS NULL"),
        ),
    )

    key: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    subject_kind: Mapped[str] = mapped_column(Text)
    subject_key: Mapped[int] = mapped_column(BigInteger)
    from_at: Mapped[dt.datetime] = mapped_column(Moment)
    excused_until: Mapped[dt.datetime] = mapped_column(Moment)
    ended_at: Mapped[dt.datetime | None] = mapped_column(Moment)
    reason: Mapped[str] = mapped_column(Text)


class ClockEscalation(Base):
    """A step of the ladder, raised once."""

    __tablename__ = "clock_escalation"

    clock_key: Mapped[int] = mapped_column(ForeignKey("clock.key"), primary_key=True)
    percent: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    due_at: Mapped[dt.datetime] = mapped_column(Moment)
    raised_at: Mapped[dt.datetime] = mapped_column(Moment)


class HolderTurn(Base):
    """Who had it from a moment on: until the next turn of the same thing begins."""

    __tablename__ = "holder_turn"
    __table_args__ = (
        CheckConstraint(
            "holder_kind IN ('crew', 'department', 'person', 'nobody')", name="kind_known"
        ),
    )

    subject_kind: Mapped[str] = mapped_column(Text, primary_key=True)
    subject_key: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    started_at: Mapped[dt.datetime] = mapped_column(Moment, primary_key=True)
    holder_kind: Mapped[str] = mapped_column(Text)
    holder_id: Mapped[str] = mapped_column(Text)
    holder_name: Mapped[str] = mapped_column(Text)


class SupervisionNote(Base):
    """Something that those who supervise should look at; each kind once for a thing."""

    __tablename__ = "supervision_note"
    __table_args__ = (
        UniqueConstraint(
            "subject_kind", "subject_key", "kind", name="uq_supervision_note_subject_kind"
        ),
    )

    key: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    subject_kind: Mapped[str] = mapped_column(Text)
    subject_key: Mapped[int] = mapped_column(BigInteger)
    subject_id: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text)
    body: Mapped[dict[str, Any]] = mapped_column(JSONB)
    raised_at: Mapped[dt.datetime] = mapped_column(Moment)
