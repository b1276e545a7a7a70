"""The table of proposals to the map; checks stand in the migration."""

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
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from fieldops.db import Base

Moment = DateTime(timezone=True)


class ProposalRow(Base):
    """Something that somebody saw to be otherwise than drawn; `facts` are what it should say."""

    __tablename__ = "map_proposal"
    __table_args__ = (
        CheckConstraint("(kind = 'missing') = (feature_id IS NULL)", name="feature"),
        Index("ix_map_proposal_status", "status", "received_at"),
        Index("ix_map_proposal_proposed_by_id", "proposed_by_id", "received_at"),
    )

    key: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    id: Mapped[str] = mapped_column(
        Text, Computed("'MP-'::text || key::text", persisted=True), unique=True
    )
    client_id: Mapped[str] = mapped_column(Text, unique=True)
    kind: Mapped[str] = mapped_column(Text)
    feature_kind: Mapped[str] = mapped_column(Text)
    feature_id: Mapped[str | None] = mapped_column(Text)
    lon: Mapped[float | None] = mapped_column(Double)
    lat: Mapped[float | None] = mapped_column(Double)
    accuracy_m: Mapped[float | None] = mapped_column(Double)
    was_lon: Mapped[float | None] = mapped_column(Double)
    was_lat: Mapped[float | None] = mapped_column(Double)
    """Where it was drawn when the proposal came."""
    facts: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    note: Mapped[str] = mapped_column(Text, server_default="")
    photo_sha256: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    order_id: Mapped[str | None] = mapped_column(Text)
    geometry_revision: Mapped[int | None] = mapped_column(BigInteger)
    """Of the map that the person had before their eyes."""
    device: Mapped[str | None] = mapped_column(Text)
    proposed_by_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    proposed_by: Mapped[str] = mapped_column(Text)
    occurred_at: Mapped[dt.datetime] = mapped_column(Moment)
    received_at: Mapped[dt.datetime] = mapped_column(Moment)
    status: Mapped[str] = mapped_column(Text, server_default="open")
    decided_by_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    decided_by: Mapped[str | None] = mapped_column(Text)
    decided_at: Mapped[dt.datetime | None] = mapped_column(Moment)
    reason: Mapped[str | None] = mapped_column(Text)
    edit_key: Mapped[int | None] = mapped_column(BigInteger)
    """Key of the `NetworkEdit` that followed from it."""
