"""SQL of street times: roads, and the trips that crews made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import insert, text, update

from fieldops.street_times.models import DispatchTrip

if TYPE_CHECKING:
    import datetime as dt

    from sqlalchemy.orm import Session


def begin_trip(
    session: Session,
    *,
    order_key: int,
    crew_key: int,
    straight_m: float,
    departed_at: dt.datetime,
    is_drill: bool,
) -> None:
    """Note that a crew departed; a second departure begins the trip anew."""
    session.execute(
        text("DELETE FROM dispatch_trip WHERE crew_key = :crew_key AND arrived_at IS NULL"),
        {"crew_key": crew_key},
    )
    session.execute(
        insert(DispatchTrip).values(
            order_key=order_key,
            crew_key=crew_key,
            straight_m=straight_m,
            departed_at=departed_at,
            is_drill=is_drill,
        )
    )


def end_trip(session: Session, order_key: int, crew_key: int, arrived_at: dt.datetime) -> None:
    """Note that a crew arrived; an arrival before the departure is no trip."""
    session.execute(
        update(DispatchTrip)
        .where(
            DispatchTrip.order_key == order_key,
            DispatchTrip.crew_key == crew_key,
            DispatchTrip.arrived_at.is_(None),
            DispatchTrip.departed_at <= arrived_at,
        )
        .values(arrived_at=arrived_at)
    )


def fetch_trips(session: Session, least_m: float, limit: int) -> list[tuple[float, float]]:
    """Read the metres and minutes of the newest trips of some length, without drills."""
    rows = session.execute(
        text(
            "SELECT straight_m, extract(epoch FROM arrived_at - departed_at) / 60"
            " FROM dispatch_trip WHERE arrived_at > departed_at AND straight_m >= :least_m"
            " AND NOT is_drill ORDER BY arrived_at DESC LIMIT :most"
        ),
        {"least_m": least_m, "most": limit},
    )
    return [(float(row[0]), float(row[1])) for row in rows]
