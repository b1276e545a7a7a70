"""Tables of repairs that are over."""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - SQLAlchemy reads the annotations
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    Identity,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from fieldops.db import Base

Moment = DateTime(timezone=True)


class RepairRecord(Base):
    """A repair that is over: of an outage here, or of a file with older ones."""

    __tablename__ = "repair_record"
    __table_args__ = (
        CheckConstraint("source IN ('outage', 'file')", name="source_known"),
        CheckConstraint("restored_at > reported_at", name="takes_time"),
        UniqueConstraint("reported_at", "restored_at", "source"),
    )

    key: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    outage_key: Mapped[int | None] = mapped_column(BigInteger, unique=True)
    source: Mapped[str] = mapped_column(Text)
    reported_at: Mapped[dt.datetime] = mapped_column(Moment)
    dispatched_at: Mapped[dt.datetime | None] = mapped_column(Moment)
    on_site_at: Mapped[dt.datetime | None] = mapped_column(Moment)
    water_stopped_at: Mapped[dt.datetime | None] = mapped_column(Moment)
    repaired_at: Mapped[dt.datetime | None] = mapped_column(Moment)
    restored_at: Mapped[dt.datetime] = mapped_column(Moment)
    extra: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
