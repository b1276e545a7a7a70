"""Tables of tablets, and of who is signed in on them."""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - SQLAlchemy reads the annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Computed,
    DateTime,
    ForeignKey,
    Identity,
    LargeBinary,
    Text,
)
from sqlalchemy.orm import Mapped, mapped_column

from fieldops.db import Base

Moment = DateTime(timezone=True)


class DeviceRow(Base):
    """A tablet; `person_id` is whoever signed in on it last."""

    __tablename__ = "device"
    __table_args__ = (
        CheckConstraint("name <> ''", name="name_not_empty"),
        CheckConstraint("octet_length(secret) = 32", name="secret_long"),
        CheckConstraint("unsent >= 0", name="unsent_not_negative"),
        CheckConstraint("photos_unsent >= 0", name="photos_unsent_not_negative"),
        CheckConstraint("parked >= 0", name="parked_not_negative"),
        CheckConstraint("wipe IN ('keep-unsent', 'all')", name="wipe_known"),
        CheckConstraint(
            "(revoked_at IS NULL) = (revoked_by IS NULL) AND (revoked_at IS NULL) = (wipe IS NULL)"
            " AND (revoked_at IS NOT NULL OR cleared_at IS NULL)",
            name="revoked_whole",
        ),
    )

    key: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    id: Mapped[str] = mapped_column(Text, Computed("'D-' || key", persisted=True), unique=True)
    name: Mapped[str] = mapped_column(Text)
    district: Mapped[str | None] = mapped_column(Text)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    secret: Mapped[bytes] = mapped_column(LargeBinary)
    made_at: Mapped[dt.datetime] = mapped_column(Moment)
    signed_in_at: Mapped[dt.datetime] = mapped_column(Moment)
    seen_at: Mapped[dt.datetime] = mapped_column(Moment)
    told_at: Mapped[dt.datetime | None] = mapped_column(Moment)
    unsent: Mapped[int | None]
    photos_unsent: Mapped[int | None]
    parked: Mapped[int | None]
    pack_revision: Mapped[int | None] = mapped_column(BigInteger)
    page_version: Mapped[str | None] = mapped_column(Text)
    revoked_at: Mapped[dt.datetime | None] = mapped_column(Moment)
    revoked_by: Mapped[str | None] = mapped_column(Text)
    wipe: Mapped[str | None] = mapped_column(Text)
    cleared_at: Mapped[dt.datetime | None] = mapped_column(Moment)


class DeviceToken(Base):
    """A shift's key with which a tablet acts as a person. Only its hash is kept."""

    __tablename__ = "device_token"

    key: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    device_key: Mapped[int] = mapped_column(ForeignKey("device.key"), index=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    made_at: Mapped[dt.datetime] = mapped_column(Moment)
    ends_at: Mapped[dt.datetime] = mapped_column(Moment)
    ended_at: Mapped[dt.datetime | None] = mapped_column(Moment)
