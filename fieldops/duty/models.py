"""Tables of the desk: handovers and call-outs; guards stand in the migration."""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - SQLAlchemy reads the annotations
from typing import Any

from sqlalchemy import (
    BigInteger,
    Computed,
    DateTime,
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


class ShiftHandover(Base):
    """What one dispatcher handed to the next: as it stood, signed by both."""

    __tablename__ = "shift_handover"
    __table_args__ = (
        Index(
            "uq_shift_handover_open",
            text("(true)"),
            unique=True,
            postgresql_where=text("coming_signed_at IS NULL AND withdrawn_at IS NULL"),
        ),
    )

    key: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    id: Mapped[str | None] = mapped_column(
        Text, Computed("'H-' || key", persisted=True), unique=True
    )
    leaving_person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    leaving_name: Mapped[str] = mapped_column(Text)
    leaving_signed_at: Mapped[dt.datetime] = mapped_column(Moment)
    coming_person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    coming_name: Mapped[str | None] = mapped_column(Text)
    coming_signed_at: Mapped[dt.datetime | None] = mapped_column(Moment)
    coming_remarks: Mapped[str | None] = mapped_column(Text)
    withdrawn_at: Mapped[dt.datetime | None] = mapped_column(Moment)
    snapshot: Mapped[dict[str, Any]] = mapped_column(JSONB)
    position: Mapped[int] = mapped_column(BigInteger)
    """Newest event that the snapshot knows."""
    remarks: Mapped[str | None] = mapped_column(Text)


class CallOut(Base):
    """An attempt to call a crew out."""

    __tablename__ = "call_out"

    key: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    crew_key: Mapped[int] = mapped_column(BigInteger, ForeignKey("crew.key"), index=True)
    rank: Mapped[int | None] = mapped_column(Integer)
    incident_id: Mapped[str | None] = mapped_column(Text)
    result: Mapped[str] = mapped_column(Text)
    spoke_with: Mapped[str | None] = mapped_column(Text)
    note: Mapped[str | None] = mapped_column(Text)
    is_out_of_turn: Mapped[bool]
    is_drill: Mapped[bool] = mapped_column(server_default="false")
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    person_name: Mapped[str] = mapped_column(Text)
    called_at: Mapped[dt.datetime] = mapped_column(Moment, index=True)
    recorded_at: Mapped[dt.datetime] = mapped_column(Moment)
