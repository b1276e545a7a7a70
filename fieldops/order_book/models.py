"""Tables of work orders."""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - SQLAlchemy reads the annotations
from typing import Any

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
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

import fieldops.crews.models
import fieldops.incidents.models
import fieldops.order_process.models  # noqa: F401 - orders refer to their tables
from fieldops.db import Base

Moment = DateTime(timezone=True)


class WorkOrderRow(Base):
    """A job. `customers_out` and `critical_out` are null while nobody knows."""

    __tablename__ = "work_order"
    __table_args__ = (
        CheckConstraint(
            "kind IN ('make_safe', 'repair', 'reinstate', 'flush', 'check', 'routine')",
            name="kind_known",
        ),
        CheckConstraint(
            "severity IN ('danger', 'burst', 'leak', 'routine')", name="severity_known"
        ),
        CheckConstraint(
            "NOT is_on_hold OR (hold_reason IS NOT NULL AND resume_by IS NOT NULL)",
            name="hold_has_reason",
        ),
        CheckConstraint("crew_key <> second_crew_key", name="two_crews_differ"),
        CheckConstraint("crews_needed BETWEEN 1 AND 2", name="crews_needed_one_or_two"),
        Index("ix_work_order_open", "key", postgresql_where=text("is_open")),
        Index(
            "ix_work_order_busy_crew",
            "crew_key",
            unique=True,
            postgresql_where=text("is_crew_busy"),
        ),
    )

    key: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    id: Mapped[str] = mapped_column(Text, Computed("'W-' || key", persisted=True), unique=True)
    incident_key: Mapped[int | None] = mapped_column(ForeignKey("incident.key"), index=True)
    outage_key: Mapped[int | None] = mapped_column(BigInteger)
    kind: Mapped[str] = mapped_column(Text)
    severity: Mapped[str] = mapped_column(Text)
    task: Mapped[str | None] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text)
    state_since: Mapped[dt.datetime] = mapped_column(Moment)
    is_open: Mapped[bool]
    is_crew_busy: Mapped[bool]
    is_on_hold: Mapped[bool] = mapped_column(server_default="false")
    held_from: Mapped[str | None] = mapped_column(Text)
    hold_reason: Mapped[str | None] = mapped_column(Text)
    resume_by: Mapped[dt.datetime | None] = mapped_column(Moment)
    crew_key: Mapped[int | None] = mapped_column(ForeignKey("crew.key"), index=True)
    second_crew_key: Mapped[int | None] = mapped_column(ForeignKey("crew.key"), index=True)
    had_crew_keys: Mapped[list[int]] = mapped_column(ARRAY(BigInteger), server_default=text("'{}'"))
    crews_needed: Mapped[int] = mapped_column(Integer, server_default="1")
    skills: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    lon: Mapped[float] = mapped_column(Double)
    lat: Mapped[float] = mapped_column(Double)
    address: Mapped[str | None] = mapped_column(Text)
    area_class: Mapped[str | None] = mapped_column(Text)
    pipe_key: Mapped[int | None] = mapped_column(BigInteger)
    at_m: Mapped[float | None] = mapped_column(Double)
    diameter_mm: Mapped[float | None] = mapped_column(Double)
    needs_excavation: Mapped[bool] = mapped_column(server_default="false")
    customers_out: Mapped[int | None] = mapped_column(Integer)
    critical_out: Mapped[int | None] = mapped_column(Integer)
    weight_floor: Mapped[float] = mapped_column(Double, server_default="0")
    expected_work_min: Mapped[float] = mapped_column(Double)
    release_at: Mapped[dt.datetime] = mapped_column(Moment)
    due_at: Mapped[dt.datetime | None] = mapped_column(Moment)
    arrive_due_at: Mapped[dt.datetime | None] = mapped_column(Moment)
    after_order_key: Mapped[int | None] = mapped_column(ForeignKey("work_order.key"), index=True)
    reported_at: Mapped[dt.datetime] = mapped_column(Moment)
    opened_at: Mapped[dt.datetime] = mapped_column(Moment)
    opened_by: Mapped[str] = mapped_column(Text)
    triaged_at: Mapped[dt.datetime | None] = mapped_column(Moment)
    assigned_at: Mapped[dt.datetime | None] = mapped_column(Moment)
    accepted_at: Mapped[dt.datetime | None] = mapped_column(Moment)
    departed_at: Mapped[dt.datetime | None] = mapped_column(Moment)
    arrived_at: Mapped[dt.datetime | None] = mapped_column(Moment)
    started_at: Mapped[dt.datetime | None] = mapped_column(Moment)
    finished_at: Mapped[dt.datetime | None] = mapped_column(Moment)
    restored_at: Mapped[dt.datetime | None] = mapped_column(Moment)
    verified_at: Mapped[dt.datetime | None] = mapped_column(Moment)
    closed_at: Mapped[dt.datetime | None] = mapped_column(Moment)
    is_pinned: Mapped[bool] = mapped_column(server_default="false")
    pin_reason: Mapped[str | None] = mapped_column(Text)
    process_version: Mapped[int] = mapped_column(ForeignKey("order_process.version"))
    data: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    is_drill: Mapped[bool] = mapped_column(server_default="false")
    version: Mapped[int] = mapped_column(BigInteger, server_default="1")
    changed_in: Mapped[dict[str, int]] = mapped_column(JSONB, server_default=text("'{}'"))


class HandOver(Base):
    """What one stage gave to the next; sent back, it was not right the first time."""

    __tablename__ = "hand_over"
    __table_args__ = (Index("ix_hand_over_order_key", "order_key", "key"),)

    key: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    order_key: Mapped[int] = mapped_column(ForeignKey("work_order.key"))
    action: Mapped[str] = mapped_column(Text)
    crew_key: Mapped[int | None] = mapped_column(ForeignKey("crew.key"))
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    person_name: Mapped[str] = mapped_column(Text)
    at: Mapped[dt.datetime] = mapped_column(Moment)
    sent_back_at: Mapped[dt.datetime | None] = mapped_column(Moment)
    sent_back_by: Mapped[str | None] = mapped_column(Text)
    reason: Mapped[str | None] = mapped_column(Text)
