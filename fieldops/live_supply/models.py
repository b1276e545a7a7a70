"""Tables of outages under way; checks and triggers stand in the migration."""

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
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from fieldops.db import Base

Moment = DateTime(timezone=True)


class OutageRow(Base):
    """An outage from the moment somebody opened it; times of stages that happened are facts."""

    __tablename__ = "outage"
    __table_args__ = (
        Index("ix_outage_open", "key", postgresql_where=text("status <> 'closed'")),
        Index(
            "ix_outage_incident_key",
            "incident_key",
            postgresql_where=text("incident_key IS NOT NULL"),
        ),
        Index("ix_outage_opened_at", "opened_at"),
    )

    key: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    id: Mapped[str | None] = mapped_column(
        Text, Computed("'O-' || key", persisted=True), unique=True
    )
    incident_key: Mapped[int | None] = mapped_column(BigInteger)
    is_planned: Mapped[bool] = mapped_column(server_default="false")
    is_drill: Mapped[bool] = mapped_column(server_default="false")
    status: Mapped[str] = mapped_column(Text, server_default="open")
    reason: Mapped[str | None] = mapped_column(Text)
    question: Mapped[dict[str, Any]] = mapped_column(JSONB)
    pipe_key: Mapped[int | None] = mapped_column(BigInteger)
    at_m: Mapped[float | None] = mapped_column(Double)
    lon: Mapped[float | None] = mapped_column(Double)
    lat: Mapped[float | None] = mapped_column(Double)
    zone_pipe_keys: Mapped[list[int]] = mapped_column(
        ARRAY(BigInteger), server_default=text("'{}'")
    )
    """Pipes on the segment and those cut off behind it, by the plan in force."""
    plan_number: Mapped[int] = mapped_column(Integer, server_default="0")
    """The plan in force: a wish takes force when it is approved, a necessity at once."""
    planned_from: Mapped[dt.datetime | None] = mapped_column(Moment)
    planned_until: Mapped[dt.datetime | None] = mapped_column(Moment)
    aware_at: Mapped[dt.datetime] = mapped_column(Moment)
    dispatched_at: Mapped[dt.datetime | None] = mapped_column(Moment)
    on_site_at: Mapped[dt.datetime | None] = mapped_column(Moment)
    water_stopped_at: Mapped[dt.datetime | None] = mapped_column(Moment)
    repaired_at: Mapped[dt.datetime | None] = mapped_column(Moment)
    flushed_at: Mapped[dt.datetime | None] = mapped_column(Moment)
    restored_at: Mapped[dt.datetime | None] = mapped_column(Moment)
    forecast: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    """Stages that have not happened: {stage: {"p10":, "p50":, "p90":}}."""
    promised_by: Mapped[dt.datetime | None] = mapped_column(Moment)
    next_news_at: Mapped[dt.datetime | None] = mapped_column(Moment)
    promised_at: Mapped[dt.datetime | None] = mapped_column(Moment)
    connections: Mapped[int] = mapped_column(Integer, server_default="0")
    """Customers dry or expected to be, who have not got their water back."""
    customers_out: Mapped[int] = mapped_column(Integer, server_default="0")
    """Those of them who are dry now."""
    properties_out: Mapped[int] = mapped_column(Integer, server_default="0")
    people_out: Mapped[int | None] = mapped_column(Integer)
    critical_out: Mapped[int] = mapped_column(Integer, server_default="0")
    opened_at: Mapped[dt.datetime] = mapped_column(Moment)
    opened_by: Mapped[str] = mapped_column(Text)
    closed_at: Mapped[dt.datetime | None] = mapped_column(Moment)
    closed_by: Mapped[str | None] = mapped_column(Text)
    version: Mapped[int] = mapped_column(BigInteger, server_default="1")
    changed_in: Mapped[dict[str, int]] = mapped_column(JSONB, server_default=text("'{}'"))


class OutagePlanRow(Base):
    """One version of an outage's plan, with what it changed in the one before."""

    __tablename__ = "outage_plan"
    __table_args__ = (
        UniqueConstraint("outage_key", "number"),
        Index(
            "ix_outage_plan_live",
            "outage_key",
            "status",
            unique=True,
            postgresql_where=text("status <> 'superseded'"),
        ),
    )

    key: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    outage_key: Mapped[int] = mapped_column(BigInteger, ForeignKey("outage.key"))
    number: Mapped[int] = mapped_column(Integer)
    kind: Mapped[str] = mapped_column(Text, server_default="nearest")
    status: Mapped[str] = mapped_column(Text)
    because: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    wish: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    """Valves to leave open, to close besides and to re-feed by, where somebody chose them."""
    answer: Mapped[dict[str, Any]] = mapped_column(JSONB)
    difference: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    made_at: Mapped[dt.datetime] = mapped_column(Moment)
    made_by: Mapped[str] = mapped_column(Text)
    approved_at: Mapped[dt.datetime | None] = mapped_column(Moment)
    approved_by: Mapped[str | None] = mapped_column(Text)
    executed_at: Mapped[dt.datetime | None] = mapped_column(Moment)


class OutageValveRow(Base):
    """A valve, pump or source that an outage has to do with, and how it stands."""

    __tablename__ = "outage_valve"
    __table_args__ = (
        UniqueConstraint("outage_key", "device_table", "device_key"),
        Index("ix_outage_valve_device_key", "device_key", "device_table"),
    )

    key: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    outage_key: Mapped[int] = mapped_column(BigInteger, ForeignKey("outage.key"))
    device_table: Mapped[str] = mapped_column(Text)
    device_key: Mapped[int] = mapped_column(BigInteger)
    valve: Mapped[str] = mapped_column(Text)
    role: Mapped[str] = mapped_column(Text)
    """Its part in the plan: surplus is closed and no longer needed, stuck could not be closed."""
    number: Mapped[int | None] = mapped_column(Integer)
    state: Mapped[str] = mapped_column(Text)
    position_before: Mapped[str] = mapped_column(Text, server_default="open")
    turns_recorded: Mapped[float | None] = mapped_column(Double)
    turns_counted: Mapped[float | None] = mapped_column(Double)
    accepted_by: Mapped[str | None] = mapped_column(Text)
    """Whoever took the trickle of a valve that passes upon himself."""
    is_gland_leaking: Mapped[bool] = mapped_column(server_default="false")
    expected_closed_at: Mapped[dt.datetime | None] = mapped_column(Moment)
    expected_reopened_at: Mapped[dt.datetime | None] = mapped_column(Moment)
    closed_at: Mapped[dt.datetime | None] = mapped_column(Moment)
    closed_by: Mapped[str | None] = mapped_column(Text)
    reopened_at: Mapped[dt.datetime | None] = mapped_column(Moment)
    reopened_by: Mapped[str | None] = mapped_column(Text)


class ValveTagRow(Base):
    """A numbered tag that hangs on a valve, or hung there."""

    __tablename__ = "valve_tag"
    __table_args__ = (
        Index("ix_valve_tag_outage_key", "outage_key"),
        Index(
            "ix_valve_tag_one_a_job",
            "device_table",
            "device_key",
            "outage_key",
            unique=True,
            postgresql_where=text("taken_off_at IS NULL"),
        ),
        Index(
            "ix_valve_tag_one_place",
            "number",
            unique=True,
            postgresql_where=text("taken_off_at IS NULL"),
        ),
    )

    key: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    outage_key: Mapped[int] = mapped_column(BigInteger, ForeignKey("outage.key"))
    device_table: Mapped[str] = mapped_column(Text)
    device_key: Mapped[int] = mapped_column(BigInteger)
    valve: Mapped[str] = mapped_column(Text)
    number: Mapped[str] = mapped_column(Text)
    hung_at: Mapped[dt.datetime] = mapped_column(Moment)
    hung_by: Mapped[str] = mapped_column(Text)
    hung_photo: Mapped[str | None] = mapped_column(Text)
    taken_off_at: Mapped[dt.datetime | None] = mapped_column(Moment)
    taken_off_by: Mapped[str | None] = mapped_column(Text)
    taken_off_photo: Mapped[str | None] = mapped_column(Text)


class OutageGuardRow(Base):
    """A closed valve that, opened now, would let water into an outage's trench."""

    __tablename__ = "outage_guard"
    __table_args__ = (Index("ix_outage_guard_device_key", "device_key", "device_table"),)

    outage_key: Mapped[int] = mapped_column(BigInteger, ForeignKey("outage.key"), primary_key=True)
    device_table: Mapped[str] = mapped_column(Text, primary_key=True)
    device_key: Mapped[int] = mapped_column(BigInteger, primary_key=True)


class OutageIntervalRow(Base):
    """A customer's own outage: expected, then lost, then restored."""

    __tablename__ = "outage_interval"
    __table_args__ = (
        Index(
            "ix_outage_interval_live",
            "outage_key",
            "customer_key",
            unique=True,
            postgresql_where=text("restored_at IS NULL"),
        ),
        Index("ix_outage_interval_outage_key", "outage_key"),
        Index("ix_outage_interval_customer_key", "customer_key"),
        {"postgresql_with": {"fillfactor": 70}},
    )

    key: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    outage_key: Mapped[int] = mapped_column(BigInteger, ForeignKey("outage.key"))
    customer_key: Mapped[int] = mapped_column(BigInteger)
    customer: Mapped[str] = mapped_column(Text)
    properties: Mapped[int] = mapped_column(Integer)
    people: Mapped[int | None] = mapped_column(Integer)
    is_critical: Mapped[bool]
    cause: Mapped[str] = mapped_column(Text)
    tank_lasts_h: Mapped[float | None] = mapped_column(Double)
    """0 without a building tank; None where its draw is not recorded."""
    lost_at: Mapped[dt.datetime | None] = mapped_column(Moment)
    restored_at: Mapped[dt.datetime | None] = mapped_column(Moment)
    forecast_number: Mapped[int | None] = mapped_column(Integer)
    """Which of the outage's forecasts is the customer's."""


class OutageForecastRow(Base):
    """What is forecast for all customers behind the same valves; number 0: of several jobs."""

    __tablename__ = "outage_forecast"

    outage_key: Mapped[int] = mapped_column(BigInteger, ForeignKey("outage.key"), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    expected_lost_at: Mapped[dt.datetime | None] = mapped_column(Moment)
    restored_p10_at: Mapped[dt.datetime | None] = mapped_column(Moment)
    restored_p50_at: Mapped[dt.datetime | None] = mapped_column(Moment)
    restored_p90_at: Mapped[dt.datetime | None] = mapped_column(Moment)
