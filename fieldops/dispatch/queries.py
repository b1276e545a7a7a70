"""SQL of dispatch: who holds a crew, and who sent it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import or_, select

from fieldops.events.models import EventRow
from fieldops.work_orders.models import WorkOrderRow

if TYPE_CHECKING:
    import datetime as dt

    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class LastAct:
    """Who did something to a subject last, and when."""

    person_name: str
    at: dt.datetime


@dataclass(frozen=True, slots=True)
class BusyOrder:
    """The order that a crew is ordered to or at."""

    key: int
    id: str
    state: str
    is_pinned: bool


def fetch_busy_order(session: Session, crew_key: int, except_key: int) -> BusyOrder | None:
    """Read the order that keeps a crew, leaving one order out of sight."""
    row = session.execute(
        select(WorkOrderRow.key, WorkOrderRow.id, WorkOrderRow.state, WorkOrderRow.is_pinned)
        .where(
            WorkOrderRow.is_crew_busy,
            WorkOrderRow.key != except_key,
            or_(WorkOrderRow.crew_key == crew_key, WorkOrderRow.second_crew_key == crew_key),
        )
        .limit(1)
    ).one_or_none()
    return None if row is None else BusyOrder(*row)


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
