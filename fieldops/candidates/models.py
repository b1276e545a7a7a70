"""The settings of dispatch."""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - SQLAlchemy reads the annotations

from sqlalchemy import BigInteger, CheckConstraint, DateTime, Double, Integer, Text
from sqlalchemy.orm import Mapped, mapped_column

from fieldops.db import Base

Moment = DateTime(timezone=True)
MODES = ("suggest", "automatic")


class DispatchSetting(Base):
    """What a manager may set; one row."""

    __tablename__ = "dispatch_setting"
    __table_args__ = (
        CheckConstraint("is_only", name="is_only"),
        CheckConstraint("mode IN ('suggest', 'automatic')", name="mode_known"),
        CheckConstraint("diversion_s >= 0", name="diversion_not_negative"),
        CheckConstraint("offer_s > 0 AND phone_after_s > 0", name="times_positive"),
        CheckConstraint("automatic_max_diameter_mm >= 0", name="limit_positive"),
        CheckConstraint("stale_penalty_min >= 0", name="penalty_not_negative"),
        CheckConstraint("call_out_min >= 0", name="call_out_not_negative"),
        CheckConstraint("straight_factor >= 1", name="factor_possible"),
    )

    is_only: Mapped[bool] = mapped_column(primary_key=True, server_default="true")
    mode: Mapped[str] = mapped_column(Text, server_default="suggest")
    diversion_s: Mapped[float] = mapped_column(Double, server_default="300")
    offer_s: Mapped[float] = mapped_column(Double, server_default="300")
    phone_after_s: Mapped[float] = mapped_column(Double, server_default="120")
    automatic_max_diameter_mm: Mapped[float] = mapped_column(Double, server_default="200")
    stale_penalty_min: Mapped[float] = mapped_column(Double, server_default="10")
    call_out_min: Mapped[float] = mapped_column(Double, server_default="15")
    straight_factor: Mapped[float] = mapped_column(Double, server_default="1.4")
    straight_trips: Mapped[int] = mapped_column(Integer, server_default="0")
    is_straight_factor_fixed: Mapped[bool] = mapped_column(server_default="false")
    version: Mapped[int] = mapped_column(BigInteger, server_default="1")
    changed_at: Mapped[dt.datetime | None] = mapped_column(Moment)
    changed_by: Mapped[str | None] = mapped_column(Text)
