"""What the public page keeps to hold up a flood."""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - SQLAlchemy reads the annotations

from sqlalchemy import (
    BigInteger,
    DateTime,
    Identity,
    Index,
    Text,
)
from sqlalchemy.orm import Mapped, mapped_column

from fieldops.db import Base

Moment = DateTime(timezone=True)


class PublicPost(Base):
    """That an address sent something to the public page, for as long as it counts."""

    __tablename__ = "public_post"
    __table_args__ = (Index("ix_public_post_sender", "sender", "at"),)

    key: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    sender: Mapped[str] = mapped_column(Text)
    """A keyed hash of the address: enough to count, too little to find anybody."""
    at: Mapped[dt.datetime] = mapped_column(Moment)
