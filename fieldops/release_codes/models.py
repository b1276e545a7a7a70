"""The table of codes that dispatchers gave by phone."""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - SQLAlchemy reads the annotations
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, DateTime, ForeignKey, Identity, Index, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from fieldops.db import Base

Moment = DateTime(timezone=True)


class ReleaseCode(Base):
    """A code for one tablet, outage, valve and span of ten minutes; `effect` is what was shown."""

    __tablename__ = "release_code"
    __table_args__ = (
        CheckConstraint("asked_by <> ''", name="asked_by_not_empty"),
        CheckConstraint("(used_at IS NULL) = (used_by IS NULL)", name="used_by_somebody"),
        Index("ix_release_code_device_key", "device_key", "outage_key", "valve"),
    )

    key: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    device_key: Mapped[int] = mapped_column(ForeignKey("device.key"))
    outage_key: Mapped[int] = mapped_column(ForeignKey("outage.key"), index=True)
    valve: Mapped[str] = mapped_column(Text)
    window_number: Mapped[int] = mapped_column(BigInteger)
    asked_by: Mapped[str] = mapped_column(Text)
    given_at: Mapped[dt.datetime] = mapped_column(Moment)
    given_by: Mapped[str] = mapped_column(Text)
    given_by_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    effect: Mapped[dict[str, Any]] = mapped_column(JSONB)
    used_at: Mapped[dt.datetime | None] = mapped_column(Moment)
    used_by: Mapped[str | None] = mapped_column(Text)
