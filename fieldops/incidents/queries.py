"""SQL about incidents, and about where a place lies in the network."""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - kept in dataclasses
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, Text, func, literal_column, select, text, update
from sqlalchemy.dialects.postgresql import insert

from fieldops.incidents.models import IncidentRow, IncidentWeight, MaterialSkill, StagePolicy
from fieldops.network.models import Pipe

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Row
    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """One thing that is wrong; None is "not known yet", never "none"."""

    key: int
    id: str
    kind: str
    status: str
    is_planned: bool
    is_drill: bool
    lon: float
    lat: float
    address: str | None
    pipe: str | None
    pipe_key: int | None
    at_m: float | None
    zone_pipe_keys: list[int]
    zone_parts: list[int]
    """Parts of pipes of the isolation segment, as the map's tiles number them."""
    danger: bool
    is_spreading: bool
    score: int
    score_parts: list[dict[str, Any]]
    properties_out: int | None
    people_out: int | None
    critical_out: int | None
    critical_ids: list[str] | None
    hydrants_dry: int | None
    diameter_mm: float | None
    road_name: str | None
    road_kmh: float | None
    fire_service_told_at: dt.datetime | None
    fire_service_told_by: str | None
    opened_at: dt.datetime
    opened_by: str
    opened_by_id: int | None
    closed_at: dt.datetime | None
    closed_by: str | None
    version: int
    changed_in: dict[str, int]

    @property
    def is_open(self) -> bool:
        """Whether it is still under way."""
        return self.status == "open"

    @property
    def is_fire_service_due(self) -> bool:
        """Whether hydrants are dry and the fire service has not been told."""
        is_dry = bool(self.hydrants_dry) and self.is_open
        return is_dry and self.fire_service_told_at is None


_NAMES = [field.name for field in fields(Incident)]
# Written out, because SQLAlchemy would not tie a subquery to the row that an INSERT returns.
_PIPE = literal_column("(SELECT pipe.id FROM pipe WHERE pipe.key = incident.pipe_key)", Text)
_COLUMNS = [
    _PIPE.label("pipe") if name == "pipe" else getattr(IncidentRow, name) for name in _NAMES
]


def _select() -> Select[Any]:
    return select(*_COLUMNS)


def _as_incident(row: Row[Any]) -> Incident:
    return Incident(**row._mapping)  # noqa: SLF001 - its public name


def fetch_incident(
    session: Session, incident_id: str, *, is_locking: bool = False
) -> Incident | None:
    """Read an incident by its id; lock it where it is going to be changed."""
    statement = _select().where(IncidentRow.id == incident_id.replace("\0", "?"))
    if is_locking:
        statement = statement.with_for_update(of=IncidentRow)
    row = session.execute(statement).one_or_none()
    return _as_incident(row) if row else None


def fetch_by_keys(session: Session, keys: Sequence[int]) -> dict[int, Incident]:
    """Read some incidents by their keys."""
    rows = session.execute(_select().where(IncidentRow.key.in_(keys)))
    return {row.key: _as_incident(row) for row in rows}


def fetch_open(session: Session) -> list[Incident]:
    """Read every open incident, the heaviest first."""
    statement = _select().where(IncidentRow.status == "open")
    rows = session.execute(
        statement.order_by(IncidentRow.score.desc(), IncidentRow.opened_at, IncidentRow.key)
    )
    return [_as_incident(row) for row in rows]


def fetch_closed(session: Session, limit: int) -> list[Incident]:
    """Read the incidents that ended last."""
    statement = _select().where(IncidentRow.status == "closed")
    rows = session.execute(statement.order_by(IncidentRow.closed_at.desc()).limit(limit))
    return [_as_incident(row) for row in rows]


def lock_zone(session: Session, zone: int) -> None:
    """Let one after the other tell of something in a segment, or open it; until the commit."""
    session.execute(
        text("SELECT pg_advisory_xact_lock(:space, :zone)"),
        {"space": 0x7A6F6E65, "zone": zone % 2**31},
    )


def fetch_lock_holder(session: Session, zone_lock: str) -> Incident | None:
    """Read the open incident that holds a segment."""
    row = session.execute(
        _select().where(IncidentRow.zone_lock == zone_lock, IncidentRow.status == "open")
    ).one_or_none()
    return _as_incident(row) if row else None


def _storable(values: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out the one character that PostgreSQL cannot keep."""
    return {
        name: value.replace("\0", "") if isinstance(value, str) else value
        for name, value in values.items()
    }


def insert_incident(session: Session, values: Mapping[str, Any]) -> Incident | None:
    """Write an incident, or give None where an open one holds the segment already."""
    row = session.execute(
        insert(IncidentRow)
        .values(**_storable(values))
        .on_conflict_do_nothing(index_elements=["zone_lock"], index_where=text("status = 'open'"))
        .returning(*_COLUMNS)
    ).one_or_none()
    return _as_incident(row) if row else None


def update_incident(session: Session, key: int, values: Mapping[str, Any]) -> Incident:
    """Change an incident and give it as it is then."""
    row = session.execute(
        update(IncidentRow)
        .where(IncidentRow.key == key)
        .values(**_storable(values))
        .returning(*_COLUMNS)
    ).one()
    return _as_incident(row)


@dataclass(frozen=True, slots=True)
class Weight:
    """Points of one part of the score: least(most, points * value / per)."""

    part: str
    points: float
    per: float
    most: float


def fetch_weights(session: Session) -> list[Weight]:
    """Read the table of weights, in the order in which the parts are told."""
    rows = session.execute(
        select(
            IncidentWeight.part, IncidentWeight.points, IncidentWeight.per, IncidentWeight.most
        ).order_by(IncidentWeight.rank)
    )
    return [Weight(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class Stage:
    """An order that an incident begins with."""

    rank: int
    order_kind: str
    severity: str
    skills: tuple[str, ...]
    expected_work_min: float
    needs_excavation: bool
    crews_needed: int


def fetch_stages(session: Session, kind: str, pipe_key: int | None) -> list[Stage]:
    """Read which orders an incident of a kind begins with; the pipe's material asks for skills."""
    skill = (
        select(MaterialSkill.skill)
        .join(Pipe, Pipe.material == MaterialSkill.material)
        .where(Pipe.key == pipe_key)
        .scalar_subquery()
    )
    rows = session.execute(
        select(StagePolicy, skill)
        .where(StagePolicy.incident_kind == kind)
        .order_by(StagePolicy.rank)
    )
    return [
        Stage(
            rank=stage.rank,
            order_kind=stage.order_kind,
            severity=stage.severity,
            skills=tuple(
                [*stage.skills, more] if more and stage.order_kind == "repair" else stage.skills
            ),
            expected_work_min=stage.expected_work_min,
            needs_excavation=stage.needs_excavation,
            crews_needed=stage.crews_needed,
        )
        for stage, more in rows
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What lies at a place; pipe and road None where none is near."""

    lon: float
    lat: float
    pipe: str | None
    pipe_key: int | None
    at_m: float | None
    pipe_distance_m: float | None
    diameter_mm: float | None
    road_name: str | None
    road_kmh: float | None


# The nearest in degrees are not quite the nearest in metres: so the best of a few.
_AT_PLACE = """
    WITH here AS (SELECT ST_SetSRID(ST_MakePoint(:lon, :lat), 4326) AS point)
    SELECT :lon AS lon, :lat AS lat, p.id AS pipe, p.key AS pipe_key,
           ST_LineLocatePoint(p.geometry, here.point) * p.length_m AS at_m,
           p.distance_m AS pipe_distance_m, p.diameter_mm, r.name AS road_name,
           r.speed_kmh AS road_kmh
    FROM here
    LEFT JOIN LATERAL (
        SELECT *, ST_Distance(near.geometry::geography, here.point::geography) AS distance_m
        FROM ({pipes}) near
        ORDER BY distance_m LIMIT 1
    ) p ON p.distance_m <= :most_m
    LEFT JOIN LATERAL (
        SELECT name, speed_kmh, geometry FROM road ORDER BY geometry <-> here.point LIMIT 1
    ) r ON ST_Distance(r.geometry::geography, here.point::geography) <= 30
"""
_NEAREST = "SELECT * FROM pipe ORDER BY geometry <-> here.point LIMIT 8"
_NAMED = "SELECT * FROM pipe WHERE key = :pipe_key"


def fetch_surroundings(
    session: Session, lon: float, lat: float, most_m: float, pipe_key: int | None = None
) -> Surroundings:
    """Find the pipe at a place, the nearest or the one that is named, and the road."""
    statement = _AT_PLACE.format(pipes=_NEAREST if pipe_key is None else _NAMED)
    values = {"lon": lon, "lat": lat, "most_m": most_m, "pipe_key": pipe_key}
    if pipe_key is None:
        del values["pipe_key"]
    row = session.execute(text(statement), values).one()
    return Surroundings(**row._mapping)  # noqa: SLF001 - its public name


def fetch_point_of_pipe(
    session: Session, pipe_key: int, at_m: float | None
) -> tuple[float, float] | None:
    """Find where a place on a pipe lies, its middle by default; None if there is no such pipe."""
    share = 0.5 if at_m is None else func.least(1, at_m / func.nullif(Pipe.length_m, 0))
    point = func.ST_LineInterpolatePoint(Pipe.geometry, func.coalesce(share, 0))
    row = session.execute(
        select(func.ST_X(point), func.ST_Y(point)).where(Pipe.key == pipe_key)
    ).one_or_none()
    return row and (row[0], row[1])


def fetch_pipe_key(session: Session, pipe: str) -> int | None:
    """Find a pipe's key."""
    return session.scalar(select(Pipe.key).where(Pipe.id == pipe.replace("\0", "?")))


def read_policy(session: Session) -> dict[str, float]:
    """Read the numbers of the policy of reports, duplicates and calling back."""
    rows = session.execute(text("SELECT name, value FROM report_policy"))
    return {row.name: row.value for row in rows}


def fetch_zone_lock(session: Session, key: int) -> str | None:
    """Read by what name an incident holds its segment."""
    return session.scalar(select(IncidentRow.zone_lock).where(IncidentRow.key == key))
