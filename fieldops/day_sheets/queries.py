"""SQL of what a crew has to know of a valve before it goes down to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from sqlalchemy.orm import Session

_PLACE = "ST_X(ST_Centroid(geometry)), ST_Y(ST_Centroid(geometry)), extra"
_SELECTS = {
    "valve": f"SELECT 'valve', key, {_PLACE}, turns, closes, valve_type, last_exercised_on,"  # noqa: S608 - our own names
    " diameter_mm, operability, reachable, boundary, is_position_assumed"
    " FROM valve WHERE key = ANY(:valve)",
    "control_valve": f"SELECT 'control_valve', key, {_PLACE}, NULL, NULL, type, NULL, NULL,"  # noqa: S608
    " operability, reachable, boundary, is_position_assumed"
    " FROM control_valve WHERE key = ANY(:control_valve)",
    "pump": f"SELECT 'pump', key, {_PLACE}, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL"  # noqa: S608
    " FROM pump WHERE key = ANY(:pump)",
    "source": f"SELECT 'source', key, {_PLACE}, NULL, NULL, type, NULL, NULL, NULL, NULL, NULL,"  # noqa: S608
    " NULL FROM source WHERE key = ANY(:source)",
}
"""The valves first: PostgreSQL takes the columns' types from there."""


@dataclass(frozen=True, slots=True)
class WorkedDevice:
    """What is recorded of a valve, pump or source; None where nothing is, or it is gone."""

    table: str
    key: int
    lon: float | None = None
    lat: float | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    turns: float | None = None
    closes: str | None = None
    valve_type: str | None = None
    last_exercised_on: str | None = None
    diameter_mm: float | None = None
    operability: str | None = None
    is_reachable: bool | None = None
    is_boundary: bool | None = None
    is_position_assumed: bool | None = None


def fetch_worked(
    session: Session, wanted: Mapping[str, Collection[int]]
) -> dict[tuple[str, int], WorkedDevice]:
    """Read what is recorded of some devices, by table and key, in one statement."""
    asked = {table: list(wanted[table]) for table in _SELECTS if wanted.get(table)}
    if not asked:
        return {}
    # A row of the valves' types first, for where there are only pumps nothing would tell them.
    asked.setdefault("valve", [])
    query = " UNION ALL ".join(_SELECTS[table] for table in _SELECTS if table in asked)
    rows = [WorkedDevice(*row) for row in session.execute(text(query), asked)]
    return {(row.table, row.key): row for row in rows}
