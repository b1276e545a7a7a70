"""Tables of photos."""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - SQLAlchemy reads the annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    Integer,
    LargeBinary,
    Text,
)
from sqlalchemy.orm import Mapped, mapped_column

from fieldops.db import Base

Moment = DateTime(timezone=True)


class PhotoRow(Base):
    """A photo: as it was sent, which is evidence, and as it may be shown."""

    __tablename__ = "photo"
    __table_args__ = (
        CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="sha256_is_hex"),
        CheckConstraint("original_sha256 ~ '^[0-9a-f]{64}$'", name="original_sha256_is_hex"),
    )

    key: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    sha256: Mapped[str] = mapped_column(Text, unique=True)
    media_type: Mapped[str] = mapped_column(Text)
    original: Mapped[bytes] = mapped_column(LargeBinary)
    published: Mapped[bytes] = mapped_column(LargeBinary)
    """A JPEG drawn anew from the pixels, without anything that a camera wrote beside them."""
    width_px: Mapped[int] = mapped_column(Integer)
    height_px: Mapped[int] = mapped_column(Integer)
    claimed_at: Mapped[dt.datetime | None] = mapped_column(Moment)
    claimed_lon: Mapped[float | None] = mapped_column(Double)
    claimed_lat: Mapped[float | None] = mapped_column(Double)
    received_at: Mapped[dt.datetime] = mapped_column(Moment)
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    original_sha256: Mapped[str | None] = mapped_column(Text)
    """The file as the camera wrote it, where a tablet made it smaller before it sent it."""


class PhotoPiece(Base):
    """A piece of a photo whose sending was cut off."""

    __tablename__ = "photo_piece"

    sha256: Mapped[str] = mapped_column(Text, primary_key=True)
    first_byte: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    total_bytes: Mapped[int] = mapped_column(BigInteger)
    data: Mapped[bytes] = mapped_column(LargeBinary)
    received_at: Mapped[dt.datetime] = mapped_column(Moment, index=True)
