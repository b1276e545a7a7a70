"""SQL about districts and packs: who is inside, and which pack is current."""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - kept in dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import delete, select, text
from sqlalchemy.dialects.postgresql import insert

from fieldops.packs.models import PackRow

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray
    from sqlalchemy.orm import Session

    Keys = NDArray[np.int64]

WHOLE = "whole"
"""The pack of the whole network, which tablets of no district get."""


@dataclass(frozen=True, slots=True, kw_only=True)
class District:
    """A part of the town; the whole network has no area and was never drawn."""

    id: str
    name: str
    drawn_at: dt.datetime | None = None
    drawn_by: str | None = None
    area_km2: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PackState:
    """The last pack of a district; each of `files` has a name, bytes and sha256."""

    district: str
    geometry_revision: int
    revision: int
    drawn_at: dt.datetime | None
    baked_at: dt.datetime
    files: list[dict[str, Any]]


_DISTRICT = "id, name, drawn_at, drawn_by, ST_Area(area::geography) / 1e6 AS area_km2"


def fetch_districts(session: Session) -> list[District]:
    """List the districts by name."""
    rows = session.execute(text(f"SELECT {_DISTRICT} FROM district ORDER BY name, id"))  # noqa: S608
    return [District(**row._mapping) for row in rows]  # noqa: SLF001 - its public name


def fetch_district(session: Session, district: str) -> District | None:
    """Find a district."""
    row = session.execute(
        text(f"SELECT {_DISTRICT} FROM district WHERE id = :id"),  # noqa: S608 - literals
        {"id": district},
    ).one_or_none()
    return District(**row._mapping) if row else None  # noqa: SLF001 - its public name


_AREA_OF_ZONE = """
    SELECT ST_Multi(ST_Buffer(ST_ConvexHull(ST_Collect(geometry))::geography, 50)::geometry)
    FROM pipe WHERE zone = :zone
"""
_AREA_OF_GEOJSON = """
    SELECT ST_Multi(ST_CollectionExtract(ST_MakeValid(ST_SetSRID(
        ST_GeomFromGeoJSON(:geojson), 4326)), 3))
"""


def read_area(session: Session, *, zone: str | None, geojson: str | None) -> str | None:
    """Give the area around a supply zone or of a GeoJSON geometry as WKB; None if it is empty."""
    statement = _AREA_OF_ZONE if geojson is None else _AREA_OF_GEOJSON
    values = {"zone": zone} if geojson is None else {"geojson": geojson}
    row = session.execute(
        text(
            "SELECT encode(ST_AsEWKB(area), 'hex') FROM"  # noqa: S608 - literals
            f" ({statement}) AS found (area) WHERE area IS NOT NULL AND NOT ST_IsEmpty(area)"
            " AND ST_XMin(area) >= -180 AND ST_XMax(area) <= 180"
            " AND ST_YMin(area) >= -85 AND ST_YMax(area) <= 85"
        ),
        values,
    ).one_or_none()
    return None if row is None else str(row[0])


def fetch_zones(session: Session) -> list[str]:
    """List the supply zones."""
    rows = session.execute(
        text("SELECT DISTINCT zone FROM pipe WHERE zone IS NOT NULL ORDER BY zone")
    )
    return list(rows.scalars())


def insert_district(
    session: Session, name: str, area: str, *, by: str, now: dt.datetime
) -> str | None:
    """Add a district and give its id; None if there is one of this name."""
    return session.execute(
        text(
            "INSERT INTO district (name, area, drawn_at, drawn_by)"
            " VALUES (:name, CAST(:area AS geometry), :now, :by)"
            " ON CONFLICT (name) DO NOTHING RETURNING id"
        ),
        {"name": name, "area": area, "now": now, "by": by},
    ).scalar()


def update_area(session: Session, district: str, area: str, *, by: str, now: dt.datetime) -> None:
    """Draw a district anew."""
    session.execute(
        text(
            "UPDATE district SET area = CAST(:area AS geometry), drawn_at = :now, drawn_by = :by"
            " WHERE id = :id"
        ),
        {"id": district, "area": area, "now": now, "by": by},
    )


def delete_district(session: Session, district: str) -> None:
    """Forget a district and its pack."""
    session.execute(text("DELETE FROM district WHERE id = :id"), {"id": district})
    session.execute(delete(PackRow).where(PackRow.district == district))


def fetch_pack(session: Session, district: str) -> PackState | None:
    """Find the last pack of a district."""
    return next(iter(_read_packs(session, PackRow.district == district)), None)


def fetch_packs(session: Session) -> list[PackState]:
    """List all packs."""
    return _read_packs(session)


def _read_packs(session: Session, *where: Any) -> list[PackState]:  # noqa: ANN401 - SQLAlchemy's
    columns = [getattr(PackRow, name) for name in PackState.__dataclass_fields__]
    rows = session.execute(select(*columns).where(*where))
    return [PackState(**row._mapping) for row in rows]  # noqa: SLF001 - its public name


def write_pack(session: Session, state: PackState) -> None:
    """Make a pack the current one of its district."""
    values: Mapping[str, Any] = {name: getattr(state, name) for name in state.__dataclass_fields__}
    session.execute(
        insert(PackRow)
        .values(**values)
        .on_conflict_do_update(index_elements=["district"], set_=dict(values))
    )


def read_drawing_times(
    session: Session, since: int
) -> tuple[dt.datetime | None, dt.datetime | None]:
    """Tell when the network was first and last edited in more than facts, after a revision."""
    row = session.execute(
        text(
            "SELECT min(at), max(at) FROM network_edit"
            " WHERE (is_geometry OR is_reload) AND revision > :since"
        ),
        {"since": since},
    ).one()
    return row[0], row[1]


def see_one_state(session: Session) -> None:
    """Let all of a transaction see one state; before anything else in it."""
    session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))


def find_inside(session: Session, district: str) -> Keys:
    """Give the keys of the pipes that touch a district, in order."""
    rows = session.execute(
        text(
            "SELECT p.key FROM pipe p JOIN district d ON p.geometry && d.area"
            " AND ST_Intersects(p.geometry, d.area) WHERE d.id = :id ORDER BY p.key"
        ),
        {"id": district},
    )
    return np.array(rows.scalars().all(), dtype=np.int64)


@dataclass(frozen=True, slots=True)
class NamedFacts:
    """The facts of a valve as they are now, by its id."""

    id: str
    position: str
    operability: str
    reachable: bool
    is_assumed: bool


def fetch_facts(session: Session, kind: str, keys: Sequence[int]) -> list[NamedFacts]:
    """Read the facts of these valves, in the order of their keys."""
    rows = session.execute(
        text(
            "SELECT id, position, operability, reachable, is_position_assumed"  # noqa: S608 - literals
            f" FROM {kind} WHERE key = ANY(:keys) ORDER BY key"
        ),
        {"keys": list(keys)},
    )
    return [NamedFacts(*row) for row in rows]


_MIDDLE = "ST_LineInterpolatePoint(f.geometry, 0.5)"
_OF_VALVE = f"CASE GeometryType(f.geometry) WHEN 'POINT' THEN f.geometry ELSE {_MIDDLE} END"
_PIPES_OWN = "(SELECT p.diameter_mm FROM pipe p WHERE p.key = f.pipe_key)"
_CLOSES = "CASE f.closes WHEN 'clockwise' THEN 1 WHEN 'anticlockwise' THEN 2 ELSE 0 END"
_PLACES = {
    "pipe": _MIDDLE,
    "valve": _OF_VALVE,
    "pump": _MIDDLE,
    "control_valve": _MIDDLE,
    "source": "f.geometry",
    "hydrant": "f.geometry",
}
_DETAILS = {
    "pipe": "f.diameter_mm, coalesce(f.material, '') AS material,"
    " coalesce(f.laid_on, '') AS laid_on",
    "valve": f"f.turns, {_CLOSES} AS closes,"
    f" coalesce(f.diameter_mm, {_PIPES_OWN}) AS diameter_mm, coalesce(f.valve_type, '') AS type,"
    " f.is_position_assumed AS is_assumed",
    "pump": "NULL::float8 AS turns, 0 AS closes, NULL::float8 AS diameter_mm, '' AS type,"
    " false AS is_assumed",
    "control_valve": "NULL::float8 AS turns, 0 AS closes, NULL::float8 AS diameter_mm,"
    " coalesce(f.type, '') AS type, f.is_position_assumed AS is_assumed",
    "source": "coalesce(f.type, '') AS type",
    "hydrant": "'' AS nothing",
}


def fetch_details(session: Session, kind: str, keys: Keys) -> dict[str, tuple[Any, ...]]:
    """Read what a pack tells of things of a kind, column by column, in the order of their keys."""
    place = _PLACES[kind]
    found = session.execute(
        text(
            f"SELECT f.id, ST_X({place}) AS lon, ST_Y({place}) AS lat, {_DETAILS[kind]}"  # noqa: S608 - literals
            f" FROM {kind} f WHERE f.key = ANY(:keys) ORDER BY f.key"
        ),
        {"keys": keys.tolist()},
    )
    names = list(found.keys())
    rows = found.all()
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(names)
    return dict(zip(names, columns, strict=True))


def fetch_critical(session: Session, keys: Keys) -> dict[int, str]:
    """Tell what makes customers critical, by their keys; of the others nothing is read."""
    rows = session.execute(
        text("SELECT key, critical FROM customer WHERE key = ANY(:keys) AND critical IS NOT NULL"),
        {"keys": keys.tolist()},
    )
    return {row.key: row.critical for row in rows}


# What is drawn. Feature ids are those of the map of the desk: keys, and for a part of a pipe the
# pipe's key times 64 and the number of the part.
_PIPE_PARTS = """
    SELECT p.key * 64 + least(c.part, 63) AS fid, p.diameter_mm AS width, json_build_object(
               'id', p.id, 'diameter_mm', p.diameter_mm, 'material', p.material,
               'status', p.status, 'part', c.part) AS told,
           CASE WHEN p.cuts_m IS NULL THEN p.geometry
                ELSE ST_LineSubstring(p.geometry, c.since, greatest(c.since, c.until))
           END AS geometry
    FROM pipe p
    CROSS JOIN LATERAL (
        SELECT part,
               least(1, coalesce(p.cuts_m[part] / nullif(p.length_m, 0), 0)) AS since,
               least(1, coalesce(p.cuts_m[part + 1] / nullif(p.length_m, 0), 1)) AS until
        FROM generate_series(0, coalesce(cardinality(p.cuts_m), 0)) AS part
    ) c
    WHERE p.key = ANY(:keys)
"""
_DRAWN = {
    "valve": ("valves", 13, "'boundary', f.boundary, 'type', f.valve_type", _OF_VALVE),
    "pump": ("pumps", 12, "'status', f.status", "f.geometry"),
    "control_valve": ("control_valves", 12, "'status', f.status, 'type', f.type", "f.geometry"),
    "source": ("sources", 0, "'type', f.type, 'name', f.extra->>'name'", "f.geometry"),
    "hydrant": ("hydrants", 14, "'nothing', NULL", "f.geometry"),
}
_AROUND = {
    "road": ("roads", 12, "'name', f.name"),
    "depot": ("depots", 0, "'name', f.name"),
    "customer": ("customers", 13, "'critical', f.critical"),
}
_FEATURE = """
    SELECT json_build_object(
        'type', 'Feature', 'id', fid, 'properties', json_strip_nulls(told),
        'tippecanoe', json_build_object('layer', {layer}, 'minzoom', {zoom}),
        'geometry', ST_AsGeoJSON(geometry, 7)::json)::text
    FROM ({rows}) AS thing
"""
_DIAMETERS = """
    SELECT percentile_disc(ARRAY[0.97, 0.85, 0.5]) WITHIN GROUP (ORDER BY diameter_mm)
    FROM pipe WHERE key = ANY(:keys)
"""
SMALL_NETWORK = 20_000
"""So many pipes are drawn at every zoom."""


def stream_drawing(
    session: Session, keys: Mapping[str, Keys], district: str | None
) -> Iterator[str]:
    """Give what is drawn of a pack, one GeoJSON feature a line."""
    pipes = keys["pipe"].tolist()
    widest, wide, middling = session.execute(text(_DIAMETERS), {"keys": pipes}).scalar_one() or (
        [0, 0, 0]
    )
    if len(pipes) <= SMALL_NETWORK:
        widest = wide = middling = 0
    zoom = (
        f"CASE WHEN width >= {widest} THEN 0 WHEN width >= {wide} THEN 9"
        f" WHEN width >= {middling} THEN 11 ELSE 12 END"
    )
    statement = _FEATURE.format(layer="'pipes'", zoom=zoom, rows=_PIPE_PARTS)
    yield from _stream(session, f"{statement} WHERE ST_Length(geometry) > 0", {"keys": pipes})
    for kind, (layer, least, told, shape) in _DRAWN.items():
        rows = (
            f"SELECT f.key AS fid, json_build_object('id', f.id, {told}) AS told,"  # noqa: S608 - literals
            f" {shape} AS geometry FROM {kind} f WHERE f.key = ANY(:keys)"
        )
        statement = _FEATURE.format(layer=f"'{layer}'", zoom=least, rows=rows)
        yield from _stream(session, statement, {"keys": keys[kind].tolist()})
    near = "true" if district is None else "d.id = :district AND f.geometry && d.area"
    for kind, (layer, least, told) in _AROUND.items():
        # Of customers only those are drawn whom a break must not surprise.
        where = "f.critical IS NOT NULL" if kind == "customer" else "true"
        source = kind if district is None else f"{kind} f, district d"
        rows = (
            f"SELECT f.key AS fid, json_build_object('id', f.id, {told}) AS told, f.geometry"  # noqa: S608 - literals
            f" FROM {source}{' f' if district is None else ''} WHERE {near} AND {where}"
        )
        statement = _FEATURE.format(layer=f"'{layer}'", zoom=least, rows=rows)
        yield from _stream(session, statement, {} if district is None else {"district": district})


def _stream(session: Session, statement: str, values: dict[str, Any]) -> Iterator[str]:
    rows = session.execute(text(statement), values, execution_options={"yield_per": 2000})
    yield from rows.scalars()
