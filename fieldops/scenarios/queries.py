"""SQL of invented days: pipes that may break, and who lives beside them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import text

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class Breakable:
    """A pipe that may break; `customers` are fed from it."""

    key: int
    id: str
    length_m: float
    customers: int


def fetch_breakable(session: Session) -> list[Breakable]:
    """Read the pipes of the streets that water flows in, in the order of their keys."""
    rows = session.execute(
        text(
            "SELECT p.key, p.id, p.length_m, (SELECT count(DISTINCT f.customer_key)"
            " FROM customer_feed f WHERE f.pipe_key = p.key)"
            " FROM pipe p WHERE p.class = 'distribution' AND p.status = 'open'"
            " AND p.length_m >= 1 ORDER BY p.key"
        )
    )
    return [Breakable(*row) for row in rows]


def fetch_place(session: Session, pipe_key: int, at_m: float) -> tuple[float, float]:
    """Give the place so many metres along a pipe."""
    row = session.execute(
        text(
            "SELECT ST_X(p), ST_Y(p) FROM (SELECT ST_LineInterpolatePoint(geometry,"
            " least(1.0, :at_m / greatest(length_m, 1e-6))) AS p FROM pipe WHERE key = :key) AS a"
        ),
        {"key": pipe_key, "at_m": at_m},
    ).one()
    return float(row[0]), float(row[1])


def is_anything_open(session: Session) -> bool:
    """Tell whether any incident was ever opened, or any order is open."""
    return bool(
        session.execute(
            text(
                "SELECT EXISTS (SELECT FROM incident)"
                " OR EXISTS (SELECT FROM work_order WHERE is_open)"
            )
        ).scalar_one()
    )
