"""Tables of the process: its versions, stages and transitions."""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - SQLAlchemy reads the annotations
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
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


class OrderProcess(Base):
    """A version of the process; every order keeps the one with which it began."""

    __tablename__ = "order_process"

    version: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    made_at: Mapped[dt.datetime] = mapped_column(Moment)
    made_by: Mapped[str] = mapped_column(Text)
    note: Mapped[str] = mapped_column(Text)


class OrderStage(Base):
    """A state of the process; `title` only where a manager named it."""

    __tablename__ = "order_stage"
    __table_args__ = (
        CheckConstraint(
            "holder IN ('crew', 'dispatch', 'service', 'supervision', 'nobody')",
            name="holder_known",
        ),
    )

    process_version: Mapped[int] = mapped_column(
        ForeignKey("order_process.version"), primary_key=True
    )
    state: Mapped[str] = mapped_column(Text, primary_key=True)
    position: Mapped[float] = mapped_column(Double)
    title: Mapped[str | None] = mapped_column(Text)
    holder: Mapped[str] = mapped_column(Text)
    is_open: Mapped[bool]
    is_crew_busy: Mapped[bool]


class OrderTransition(Base):
    """
    What may be done, from where to where, by whom, and what it needs.

    `to_state` is a state, "@same", or "@before_hold"; `only_when` and a need's "when" name
    fields of the order and the values they must have.
    """

    __tablename__ = "order_transition"
    __table_args__ = (Index("ix_order_transition_process_version", "process_version", "position"),)

    key: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    process_version: Mapped[int] = mapped_column(ForeignKey("order_process.version"))
    position: Mapped[float] = mapped_column(Double)
    action: Mapped[str] = mapped_column(Text)
    from_states: Mapped[list[str]] = mapped_column(ARRAY(Text))
    to_state: Mapped[str | None] = mapped_column(Text)
    only_when: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    may: Mapped[list[str]] = mapped_column(ARRAY(Text))
    is_not_for_own_crew: Mapped[bool] = mapped_column(server_default="false")
    needs: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, server_default=text("'[]'"))
    title: Mapped[str | None] = mapped_column(Text)


class OrderPolicy(Base):
    """A number that a manager may change."""

    __tablename__ = "order_policy"
    __table_args__ = (CheckConstraint("value > 0", name="positive"),)

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    value: Mapped[float] = mapped_column(Double)
    note: Mapped[str] = mapped_column(Text)
