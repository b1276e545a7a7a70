"""SQL of dispatch: who sent a crew."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select

from fieldops.events.models import EventRow

if TYPE_CHECKING:
    import datetime as dt

    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class LastAct:
    """Who did something to a subject last, and when."""

    person_name: str
    at: dt.datetime


def fetch_last_act(session: Session, order_key: int) -> LastAct | None:
    """Tell who sent a crew to an order last, and when."""
    row = session.execute(
        select(EventRow.person_name, EventRow.received_at)
        .where(
            EventRow.subject_kind == "work_order",
            EventRow.subject_key == order_key,
            EventRow.kind.in_(("work_order.assigned", "work_order.transferred")),
        )
        .order_by(EventRow.position.desc())
        .limit(1)
    ).one_or_none()
    return None if row is None else LastAct(row[0] or "?", row[1])
