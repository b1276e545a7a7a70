"""Tables of stock; checks and the guard of the movements stand in the migration."""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - SQLAlchemy reads the annotations
from decimal import Decimal  # noqa: TC003

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Computed,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Numeric,
    Text,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from fieldops.db import Base

Moment = DateTime(timezone=True)
Amount = Numeric(12, 2)


class StockPlace(Base):
    """The van of a crew, or the store of a depot."""

    __tablename__ = "stock_place"
    __table_args__ = (
        Index("uq_stock_place_crew_key", "crew_key", unique=True),
        Index("uq_stock_place_depot_key", "depot_key", unique=True),
    )

    key: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    id: Mapped[str | None] = mapped_column(
        Text, Computed("'SP-' || key", persisted=True), unique=True
    )
    kind: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    crew_key: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("crew.key"))
    depot_key: Mapped[int | None] = mapped_column(BigInteger)
    is_active: Mapped[bool] = mapped_column(server_default="true")


class StockItem(Base):
    """Material by nominal and outside diameter and by the pipes it fits; null fits any."""

    __tablename__ = "stock_item"
    __table_args__ = (Index("ix_stock_item_dn", "dn"),)

    key: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    id: Mapped[str | None] = mapped_column(
        Text, Computed("'SI-' || key", persisted=True), unique=True
    )
    code: Mapped[str] = mapped_column(Text, unique=True)
    name: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text)
    unit: Mapped[str] = mapped_column(Text)
    dn: Mapped[int | None] = mapped_column(Integer)
    de_from_mm: Mapped[float | None] = mapped_column(Double)
    de_to_mm: Mapped[float | None] = mapped_column(Double)
    material: Mapped[str | None] = mapped_column(Text)


class StockLevel(Base):
    """How much of an item lies at a place; never below zero."""

    __tablename__ = "stock_level"
    __table_args__ = (CheckConstraint("quantity >= 0", name="not_negative"),)

    place_key: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("stock_place.key"), primary_key=True
    )
    item_key: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("stock_item.key"), primary_key=True, index=True
    )
    quantity: Mapped[Decimal] = mapped_column(Amount)
    low_at: Mapped[Decimal] = mapped_column(Amount, server_default=text("0"))


class StockMovement(Base):
    """What moved, from where, to where, and for which work order. Never changed."""

    __tablename__ = "stock_movement"
    __table_args__ = (
        CheckConstraint("quantity > 0", name="quantity_positive"),
        Index("ix_stock_movement_item_key", "item_key", "key"),
        Index("ix_stock_movement_order_id", "order_id"),
    )

    key: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    item_key: Mapped[int] = mapped_column(BigInteger, ForeignKey("stock_item.key"))
    from_place_key: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("stock_place.key"))
    to_place_key: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("stock_place.key"))
    quantity: Mapped[Decimal] = mapped_column(Amount)
    order_id: Mapped[str | None] = mapped_column(Text)
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    person_name: Mapped[str] = mapped_column(Text)
    note: Mapped[str | None] = mapped_column(Text)
    at: Mapped[dt.datetime] = mapped_column(Moment)
