"""Tables of crews; checks stand in the migration too."""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - SQLAlchemy reads the annotations
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Date,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from fieldops.db import Base

Moment = DateTime(timezone=True)

SKILLS = (
    "valve",
    "general",
    "excavation",
    "welding_pe",
    "leak_detection",
    "traffic_control",
    "confined_space",
)


def _key() -> Mapped[int]:
    return mapped_column(BigInteger, Identity(always=True), primary_key=True)


def _crew_key(*, is_indexed: bool = True) -> Mapped[int]:
    return mapped_column(BigInteger, ForeignKey("crew.key"), index=is_indexed)


class CrewRow(Base):
    """
    A crew and its van, with the last place it told.

    `depot_key` is no foreign key: an import of the network may take a depot away.
    `is_position_doubted`: the device's clock ran ahead, so the time is the server's.
    """

    __tablename__ = "crew"

    key: Mapped[int] = _key()
    id: Mapped[str] = mapped_column(Text, unique=True)
    name: Mapped[str] = mapped_column(Text)
    contractor: Mapped[str | None] = mapped_column(Text)
    depot_key: Mapped[int | None] = mapped_column(BigInteger)
    vehicle: Mapped[str | None] = mapped_column(Text)
    phone: Mapped[str | None] = mapped_column(Text)
    is_active: Mapped[bool] = mapped_column(server_default="true")
    lon: Mapped[float | None] = mapped_column(Double)
    lat: Mapped[float | None] = mapped_column(Double)
    position_at: Mapped[dt.datetime | None] = mapped_column(Moment)
    position_accuracy_m: Mapped[float | None] = mapped_column(Double)
    is_position_doubted: Mapped[bool] = mapped_column(server_default="false")
    version: Mapped[int] = mapped_column(BigInteger, server_default="1")
    changed_in: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))


class CrewMember(Base):
    """Somebody of a crew; without an account known by name alone."""

    __tablename__ = "crew_member"
    __table_args__ = (
        Index(
            "uq_crew_member_person_id",
            "person_id",
            unique=True,
            postgresql_where=text("is_active"),
        ),
    )

    key: Mapped[int] = _key()
    crew_key: Mapped[int] = _crew_key()
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    name: Mapped[str] = mapped_column(Text)
    phone: Mapped[str | None] = mapped_column(Text)
    is_leader: Mapped[bool] = mapped_column(server_default="false")
    is_active: Mapped[bool] = mapped_column(server_default="true")


class CrewSkill(Base):
    """A skill of a crew, or of one of its people, up to a last day."""

    __tablename__ = "crew_skill"

    key: Mapped[int] = _key()
    crew_key: Mapped[int] = _crew_key()
    member_key: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("crew_member.key"))
    skill: Mapped[str] = mapped_column(Text)
    valid_until: Mapped[dt.date | None] = mapped_column(Date)


class CrewEquipment(Base):
    """Equipment of a crew, inspected up to a last day; perhaps what a skill needs."""

    __tablename__ = "crew_equipment"

    key: Mapped[int] = _key()
    crew_key: Mapped[int] = _crew_key()
    name: Mapped[str] = mapped_column(Text)
    for_skill: Mapped[str | None] = mapped_column(Text)
    valid_until: Mapped[dt.date | None] = mapped_column(Date)


class Shift(Base):
    """When a crew works, or is on call and as which."""

    __tablename__ = "shift"
    __table_args__ = (
        CheckConstraint("starts_at < ends_at", name="in_order"),
        Index("ix_shift_crew_key_ends_at", "crew_key", "ends_at"),
        Index("ix_shift_ends_at", "ends_at"),
    )

    key: Mapped[int] = _key()
    crew_key: Mapped[int] = _crew_key(is_indexed=False)
    kind: Mapped[str] = mapped_column(Text)
    starts_at: Mapped[dt.datetime] = mapped_column(Moment)
    ends_at: Mapped[dt.datetime] = mapped_column(Moment)
    rank: Mapped[int | None] = mapped_column(Integer)


class CrewPolicy(Base):
    """The utility's own limits about crews; one row."""

    __tablename__ = "crew_policy"
    __table_args__ = (CheckConstraint("is_only", name="is_only"),)

    is_only: Mapped[bool] = mapped_column(primary_key=True, server_default="true")
    position_stale_min: Mapped[int] = mapped_column(Integer, server_default="15")
    clock_ahead_s: Mapped[int] = mapped_column(Integer, server_default="120")
    expiring_days: Mapped[int] = mapped_column(Integer, server_default="30")
