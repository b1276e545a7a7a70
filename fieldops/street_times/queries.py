"""SQL of street times: roads, and the trips that crews made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import shapely
from sqlalchemy import or_, select, text, update

from fieldops.network.models import Road

if TYPE_CHECKING:
    import datetime as dt

    from numpy.typing import NDArray
    from sqlalchemy.orm import Session

FRESH_MIN = 10
"""A trip begins where the crew was seen so lately, or its length is not known."""


@dataclass(frozen=True, slots=True, eq=False)
class RoadRows:
    """Every road: corners one road after the other, and facts of each road by its key."""

    lon_lat: NDArray[np.float64]
    road: NDArray[np.int64]
    keys: NDArray[np.int64]
    speed_kmh: NDArray[np.float64]
    is_one_way: NDArray[np.bool_]
    is_closed: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class RoadFacts:
    """A road as somebody may close it."""

    key: int
    id: str
    name: str | None
    is_closed: bool


def fetch_roads(session: Session) -> RoadRows | None:
    """Read all roads, or None if there are none."""
    rows = session.execute(
        text("SELECT ST_AsBinary(geometry), key, speed_kmh, one_way, closed FROM road ORDER BY key")
    ).all()
    if not rows:
        return None
    shapes, keys, speeds, one_way, closed = zip(*rows, strict=True)
    corners, road = shapely.get_coordinates(shapely.from_wkb(shapes), return_index=True)
    return RoadRows(
        lon_lat=corners,
        road=road,
        keys=np.array(keys, dtype=np.int64),
        speed_kmh=np.array(speeds, dtype=np.float64),
        is_one_way=np.array(one_way, dtype=np.bool_),
        is_closed=np.array(closed, dtype=np.bool_),
    )


def are_only_closures(session: Session, since: int) -> bool:
    """Tell whether roads changed after a revision in nothing but being closed."""
    return bool(
        session.execute(
            text(
                "SELECT NOT EXISTS (SELECT FROM network_edit e"
                " JOIN network_history h ON h.edit_key = e.key AND h.kind = 'road'"
                " LEFT JOIN road r ON r.key = h.feature_key"
                " WHERE e.revision > :since AND (r.key IS NULL"
                " OR (h.old ->> 'speed_kmh')::double precision IS DISTINCT FROM r.speed_kmh"
                " OR (h.old ->> 'one_way')::boolean <> r.one_way))"
            ),
            {"since": since},
        ).scalar_one()
    )


def fetch_closed_keys(session: Session) -> NDArray[np.int64]:
    """Read the keys of closed roads."""
    keys = session.scalars(select(Road.key).where(Road.closed)).all()
    return np.array(keys, dtype=np.int64)


def lock_road(session: Session, road_id: str) -> RoadFacts | None:
    """Read and lock a road."""
    row = session.execute(
        select(Road.key, Road.id, Road.name, Road.closed)
        .where(Road.id == road_id)
        .with_for_update()
    ).one_or_none()
    return None if row is None else RoadFacts(*row)


def fetch_closed_roads(session: Session) -> list[RoadFacts]:
    """Read the closed roads, by name."""
    rows = session.execute(
        select(Road.key, Road.id, Road.name, Road.closed)
        .where(Road.closed)
        .order_by(Road.name, Road.key)
    )
    return [RoadFacts(*row) for row in rows]


def fetch_roads_like(session: Session, words: str, limit: int) -> list[RoadFacts]:
    """Read the roads whose name or id has some letters in it, by name."""
    like = f"%{words.replace('%', '').replace('_', '')}%"
    rows = session.execute(
        select(Road.key, Road.id, Road.name, Road.closed)
        .where(or_(Road.name.ilike(like), Road.id.ilike(like)))
        .order_by(Road.name, Road.key)
        .limit(limit)
    )
    return [RoadFacts(*row) for row in rows]


def update_closed(session: Session, key: int, *, is_closed: bool) -> None:
    """Record whether a road is closed."""
    session.execute(update(Road).where(Road.key == key).values(closed=is_closed))


def begin_trip(session: Session, order_key: int, departed_at: dt.datetime) -> None:
    """Note that a crew departed, if it is known from where; a second departure begins anew."""
    session.execute(
        text(
            "INSERT INTO dispatch_trip (order_key, crew_key, straight_m, departed_at, is_drill)"
            " SELECT w.key, c.key, ST_DistanceSphere(ST_MakePoint(c.lon, c.lat),"
            " ST_MakePoint(w.lon, w.lat)), :at, w.is_drill"
            " FROM work_order w JOIN crew c ON c.key = w.crew_key"
            " WHERE w.key = :order_key AND c.lon IS NOT NULL AND c.lat IS NOT NULL"
            " AND abs(extract(epoch FROM c.position_at - CAST(:at AS timestamptz)))"
            " <= :fresh_min * 60"
            " ON CONFLICT (order_key, crew_key) WHERE arrived_at IS NULL DO UPDATE SET"
            " straight_m = excluded.straight_m, departed_at = excluded.departed_at"
        ),
        {"order_key": order_key, "at": departed_at, "fresh_min": FRESH_MIN},
    )


def end_trip(session: Session, order_key: int, arrived_at: dt.datetime) -> None:
    """Note that the crew of an order arrived; an arrival before the departure is no trip."""
    session.execute(
        text(
            "UPDATE dispatch_trip t SET arrived_at = :at FROM work_order w"
            " WHERE w.key = :order_key AND t.order_key = w.key AND t.crew_key = w.crew_key"
            " AND t.arrived_at IS NULL AND t.departed_at <= :at"
        ),
        {"order_key": order_key, "at": arrived_at},
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
