"""Tables of people, their sessions and their tokens."""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - SQLAlchemy reads the annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    Text,
    func,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from fieldops.db import Base

Moment = DateTime(timezone=True)


class Person(Base):
    """Somebody, or a machine, that works with the system. Nobody is ever deleted."""

    __tablename__ = "person"
    __table_args__ = (
        CheckConstraint(
            "roles <@ ARRAY['crew','dispatcher','planner','service_agent','manager','admin']",
            name="roles_known",
        ),
        CheckConstraint("language IN ('zh_CN', 'en')", name="language_known"),
        CheckConstraint("NOT (is_demo AND password_hash IS NOT NULL)", name="demo_no_password"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    login: Mapped[str] = mapped_column(Text, unique=True)
    name: Mapped[str] = mapped_column(Text)
    roles: Mapped[list[str]] = mapped_column(ARRAY(Text))
    password_hash: Mapped[str | None] = mapped_column(Text)
    language: Mapped[str | None] = mapped_column(Text)
    is_active: Mapped[bool] = mapped_column(server_default="true")
    is_demo: Mapped[bool] = mapped_column(server_default="false")
    made_at: Mapped[dt.datetime] = mapped_column(Moment, server_default=func.now())


class PersonSession(Base):
    """A browser in which somebody is signed in; the row gone, the browser is signed out."""

    __tablename__ = "person_session"

    key_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    began_at: Mapped[dt.datetime] = mapped_column(Moment)
    ends_at: Mapped[dt.datetime] = mapped_column(Moment, index=True)


class FailedSignIn(Base):
    """A name and password that did not fit, by the name tried and by the address it came from."""

    __tablename__ = "failed_sign_in"
    __table_args__ = (
        Index("ix_failed_sign_in_login_at", "login", "at"),
        Index("ix_failed_sign_in_address_at", "address", "at"),
        Index("ix_failed_sign_in_at", "at"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    login: Mapped[str] = mapped_column(Text)
    address: Mapped[str] = mapped_column(Text)
    at: Mapped[dt.datetime] = mapped_column(Moment)


class ApiToken(Base):
    """A named key with which a machine acts as a person. Only its hash is kept."""

    __tablename__ = "api_token"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    name: Mapped[str] = mapped_column(Text)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    made_at: Mapped[dt.datetime] = mapped_column(Moment)
    ends_at: Mapped[dt.datetime] = mapped_column(Moment)
    revoked_at: Mapped[dt.datetime | None] = mapped_column(Moment)
    last_used_at: Mapped[dt.datetime | None] = mapped_column(Moment)
