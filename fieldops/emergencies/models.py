"""Tables of emergency levels; checks stand in the migration."""

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
    SmallInteger,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from fieldops.db import Base

Moment = DateTime(timezone=True)


def _key() -> Mapped[int]:
    return mapped_column(BigInteger, Identity(always=True), primary_key=True)


def _level(*, is_indexed: bool = False) -> Mapped[int]:
    return mapped_column(SmallInteger, ForeignKey("emergency_level.level"), index=is_indexed)


class EmergencyLevel(Base):
    """The times of a level; I is the worst."""

    __tablename__ = "emergency_level"

    level: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    duty_leader: Mapped[str] = mapped_column(Text)
    first_within_min: Mapped[int] = mapped_column(Integer)
    follow_up_every_min: Mapped[int] = mapped_column(Integer)
    final_within_min: Mapped[int] = mapped_column(Integer)


class EmergencyPolicy(Base):
    """When an incident is an emergency of a level."""

    __tablename__ = "emergency_policy"

    key: Mapped[int] = _key()
    level: Mapped[int] = _level()
    measure: Mapped[str] = mapped_column(Text)
    threshold: Mapped[float] = mapped_column(Double)
    least_properties: Mapped[int] = mapped_column(Integer, server_default="0")
    incident_kinds: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    is_active: Mapped[bool] = mapped_column(server_default="true")


class PhoneTreeEntry(Base):
    """Somebody who is called at a level and at all worse ones."""

    __tablename__ = "phone_tree_entry"

    key: Mapped[int] = _key()
    level: Mapped[int] = _level(is_indexed=True)
    rank: Mapped[int] = mapped_column(Integer)
    post: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    phone: Mapped[str] = mapped_column(Text)
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    is_duty_leader: Mapped[bool] = mapped_column(server_default="false")
    within_min: Mapped[int] = mapped_column(Integer, server_default="15")
    is_active: Mapped[bool] = mapped_column(server_default="true")


class EmergencyRow(Base):
    """An incident that reached a level."""

    __tablename__ = "emergency"
    __table_args__ = (
        Index(
            "uq_emergency_incident_key",
            "incident_key",
            unique=True,
            postgresql_where=text("status = 'open'"),
        ),
    )

    key: Mapped[int] = _key()
    id: Mapped[str | None] = mapped_column(
        Text, Computed("'E-' || key", persisted=True), unique=True
    )
    incident_key: Mapped[int] = mapped_column(BigInteger)
    incident_id: Mapped[str] = mapped_column(Text)
    address: Mapped[str | None] = mapped_column(Text)
    level: Mapped[int] = _level()
    worst_level: Mapped[int] = mapped_column(SmallInteger)
    status: Mapped[str] = mapped_column(Text, server_default="open")
    reasons: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    duty_leader: Mapped[str | None] = mapped_column(Text)
    is_drill: Mapped[bool]
    begun_at: Mapped[dt.datetime] = mapped_column(Moment, index=True)
    level_at: Mapped[dt.datetime] = mapped_column(Moment)
    level_by: Mapped[str] = mapped_column(Text)
    level_note: Mapped[str | None] = mapped_column(Text)
    stood_down_at: Mapped[dt.datetime | None] = mapped_column(Moment)
    stood_down_by: Mapped[str | None] = mapped_column(Text)
    stand_down_note: Mapped[str | None] = mapped_column(Text)
    closed_at: Mapped[dt.datetime | None] = mapped_column(Moment)
    version: Mapped[int] = mapped_column(BigInteger, server_default="1")


class EmergencyCall(Base):
    """Somebody to call about an emergency, and whether they know."""

    __tablename__ = "emergency_call"
    __table_args__ = (
        UniqueConstraint("emergency_key", "entry_key"),
        Index(
            "ix_emergency_call_due_at",
            "due_at",
            postgresql_where=text("acknowledged_at IS NULL AND NOT is_overdue_told"),
        ),
    )

    key: Mapped[int] = _key()
    emergency_key: Mapped[int] = mapped_column(BigInteger, ForeignKey("emergency.key"))
    entry_key: Mapped[int] = mapped_column(BigInteger, ForeignKey("phone_tree_entry.key"))
    level: Mapped[int] = mapped_column(SmallInteger)
    rank: Mapped[int] = mapped_column(Integer)
    post: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    phone: Mapped[str] = mapped_column(Text)
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    is_duty_leader: Mapped[bool]
    due_at: Mapped[dt.datetime] = mapped_column(Moment)
    tries: Mapped[int] = mapped_column(Integer, server_default="0")
    last_tried_at: Mapped[dt.datetime | None] = mapped_column(Moment)
    last_tried_by: Mapped[str | None] = mapped_column(Text)
    acknowledged_at: Mapped[dt.datetime | None] = mapped_column(Moment)
    acknowledged_by: Mapped[str | None] = mapped_column(Text)
    note: Mapped[str | None] = mapped_column(Text)
    is_overdue_told: Mapped[bool] = mapped_column(server_default="false")


class EmergencyReport(Base):
    """A report that is due, was sent, or is not needed any more."""

    __tablename__ = "emergency_report"
    __table_args__ = (
        UniqueConstraint("emergency_key", "number"),
        Index(
            "ix_emergency_report_due_at",
            "due_at",
            postgresql_where=text(
                "sent_at IS NULL AND cancelled_at IS NULL AND NOT is_overdue_told"
            ),
        ),
    )

    key: Mapped[int] = _key()
    emergency_key: Mapped[int] = mapped_column(BigInteger, ForeignKey("emergency.key"))
    kind: Mapped[str] = mapped_column(Text)
    number: Mapped[int] = mapped_column(Integer)
    starts_at: Mapped[dt.datetime] = mapped_column(Moment)
    due_at: Mapped[dt.datetime] = mapped_column(Moment)
    sent_at: Mapped[dt.datetime | None] = mapped_column(Moment)
    sent_by: Mapped[str | None] = mapped_column(Text)
    sent_to: Mapped[str | None] = mapped_column(Text)
    text: Mapped[str | None] = mapped_column(Text)
    cancelled_at: Mapped[dt.datetime | None] = mapped_column(Moment)
    is_overdue_told: Mapped[bool] = mapped_column(server_default="false")
