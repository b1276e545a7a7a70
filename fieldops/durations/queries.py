"""Reading and adding repairs that are over."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from fieldops.durations.models import RepairRecord

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """When the stages of a repair happened; those between the ends may be unknown."""

    reported_at: dt.datetime
    restored_at: dt.datetime
    dispatched_at: dt.datetime | None = None
    on_site_at: dt.datetime | None = None
    water_stopped_at: dt.datetime | None = None
    repaired_at: dt.datetime | None = None
    source: str = "file"
    outage_key: int | None = None

    @property
    def hours(self) -> float:
        """From report to all normal."""
        return (self.restored_at - self.reported_at).total_seconds() / 3600


MOMENTS = (
    "reported_at",
    "dispatched_at",
    "on_site_at",
    "water_stopped_at",
    "repaired_at",
    "restored_at",
)


def fetch_newest(session: Session) -> tuple[int, int]:
    """Tell how many repairs there are, and the newest key: both change with any addition."""
    row = session.execute(select(func.count(), func.coalesce(func.max(RepairRecord.key), 0))).one()
    return row[0], row[1]


def fetch_repairs(session: Session, limit: int) -> list[Repair]:
    """Read the last repairs to be reported, in that order."""
    rows = session.scalars(
        select(RepairRecord).order_by(RepairRecord.reported_at.desc()).limit(limit)
    )
    found = [
        Repair(
            source=row.source,
            outage_key=row.outage_key,
            **{name: _utc(getattr(row, name)) for name in MOMENTS},
        )
        for row in rows
    ]
    return found[::-1]


def _utc(moment: dt.datetime | None) -> Any:  # noqa: ANN401 - None only where the column allows it
    return moment and moment.astimezone(dt.UTC)


def insert_repairs(session: Session, repairs: Sequence[Repair]) -> int:
    """Add repairs, and tell how many were new."""
    if not repairs:
        return 0
    rows = [
        {name: getattr(repair, name) for name in (*MOMENTS, "source", "outage_key")}
        for repair in repairs
    ]
    added = session.execute(
        insert(RepairRecord).on_conflict_do_nothing().returning(RepairRecord.key), rows
    )
    return len(added.all())
