"""Offers to crews, and orders."""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - SQLAlchemy reads the annotations

from sqlalchemy import BigInteger, CheckConstraint, Computed, DateTime, Identity, Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from fieldops.db import Base

Moment = DateTime(timezone=True)
PHONE_ANSWERS = ("accepted", "declined", "no_answer")
IS_OPEN = text("status = 'open'")


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
