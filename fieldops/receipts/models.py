"""Table of receipts; checks and the guard stand in the migration."""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - SQLAlchemy reads the annotations

from sqlalchemy import BigInteger, DateTime, ForeignKey, Identity, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from fieldops.db import Base

Moment = DateTime(timezone=True)


class ReceiptRow(Base):
    """Somebody outside was told something, and answered. Never changed."""

    __tablename__ = "receipt"
    __table_args__ = (Index("ix_receipt_outage_id", "outage_id", "pump_id"),)

    key: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    party: Mapped[str] = mapped_column(Text)
    topic: Mapped[str] = mapped_column(Text)
    incident_id: Mapped[str | None] = mapped_column(Text, index=True)
    outage_id: Mapped[str | None] = mapped_column(Text)
    pump_id: Mapped[str | None] = mapped_column(Text)
    answer: Mapped[str] = mapped_column(Text)
    how: Mapped[str] = mapped_column(Text)
    told_to: Mapped[str] = mapped_column(Text)
    told_at: Mapped[dt.datetime] = mapped_column(Moment)
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    person_name: Mapped[str] = mapped_column(Text)
    note: Mapped[str | None] = mapped_column(Text)
    is_drill: Mapped[bool] = mapped_column(server_default="false")
    recorded_at: Mapped[dt.datetime] = mapped_column(Moment)
