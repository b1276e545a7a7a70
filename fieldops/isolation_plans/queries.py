"""SQL of isolation plans: the shapes of what an answer names by key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from geoalchemy2 import functions as postgis
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    any_,
    cast,
    func,
    literal,
    null,
    select,
    union_all,
)
from sqlalchemy.dialects.postgresql import JSONB

from fieldops.network.models import ControlValve, Customer, Hydrant, Pipe, Pump, Source, Valve

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from sqlalchemy import Select
    from sqlalchemy.orm import Session

    Line = list[tuple[float, float]]
    Box = tuple[float, float, float, float]

DIGITS = 7
TABLES: dict[str, Any] = {
    "customer": Customer,
    "hydrant": Hydrant,
    "source": Source,
    "control_valve": ControlValve,
}


@dataclass(frozen=True, slots=True)
class DrawnPipe:
    """A pipe as drawn, and where valves divide it."""

    key: int
    id: str
    length_m: float
    cuts_m: list[float]
    diameter_mm: float
    material: str | None
    line: Line


@dataclass(frozen=True, slots=True)
class DrawnPoint:
    """Where something stands. Nobody's name, telephone or address."""

    table: str
    key: int
    id: str
    lon: float
    lat: float
    is_critical: bool


def fetch_pipes(session: Session, keys: Collection[int]) -> list[DrawnPipe]:
    """Read the drawings of some pipes."""
    wanted = literal(list(keys), ARRAY(BigInteger))
    return _read_pipes(session, _select_pipes().where(Pipe.key == any_(wanted)))


def fetch_pipes_around(
    session: Session, box: Box, leave_out: Collection[int], limit: int
) -> list[DrawnPipe]:
    """Read the drawings of up to `limit` other pipes in a box (west, south, east, north)."""
    area = func.ST_MakeEnvelope(*box, 4326)
    known = literal(list(leave_out), ARRAY(BigInteger))
    query = (
        _select_pipes()
        .where(Pipe.geometry.op("&&")(area), ~(Pipe.key == any_(known)))
        .order_by(Pipe.diameter_mm.desc(), Pipe.key)
        .limit(limit)
    )
    return _read_pipes(session, query)


def fetch_links_around(session: Session, box: Box, limit: int) -> list[tuple[str, str, Line]]:
    """Read the drawings of up to `limit` links between nodes in a box: table, id and line."""
    area = func.ST_MakeEnvelope(*box, 4326)
    selects = [
        select(
            literal(table),
            model.id,
            cast(postgis.ST_AsGeoJSON(model.geometry, DIGITS), JSONB),
        ).where(model.geometry.op("&&")(area), func.GeometryType(model.geometry) == "LINESTRING")
        for table, model in (("valve", Valve), ("pump", Pump), ("control_valve", ControlValve))
    ]
    return [
        (table, text_id, _line(shape))
        for table, text_id, shape in session.execute(union_all(*selects).limit(limit))
    ]


def fetch_points(
    session: Session, wanted: Mapping[str, Collection[int]]
) -> dict[tuple[str, int], DrawnPoint]:
    """Read where some things stand, by table and key, in one statement."""
    selects = []
    for table, keys in wanted.items():
        if not keys:
            continue
        model = TABLES[table]
        critical = getattr(model, "critical", None)
        selects.append(
            select(
                literal(table),
                model.key,
                model.id,
                postgis.ST_X(model.geometry),
                postgis.ST_Y(model.geometry),
                cast(null(), Boolean) if critical is None else critical.is_not(None),
            ).where(model.key == any_(literal(list(keys), ARRAY(BigInteger))))
        )
    if not selects:
        return {}
    points = [DrawnPoint(*row) for row in session.execute(union_all(*selects))]
    return {(point.table, point.key): point for point in points}


def _select_pipes() -> Select[Any]:
    return select(
        Pipe.key,
        Pipe.id,
        Pipe.length_m,
        Pipe.cuts_m,
        Pipe.diameter_mm,
        Pipe.material,
        cast(postgis.ST_AsGeoJSON(Pipe.geometry, DIGITS), JSONB),
    )


def _read_pipes(session: Session, query: Select[Any]) -> list[DrawnPipe]:
    return [
        DrawnPipe(key, text_id, length_m, cuts_m or [], diameter_mm, material, _line(shape))
        for key, text_id, length_m, cuts_m, diameter_mm, material, shape in session.execute(query)
    ]


def _line(shape: dict[str, Any]) -> Line:
    return [(x, y) for x, y in shape["coordinates"]]
