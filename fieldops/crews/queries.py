"""SQL of crews: where they are, what they may do, and when they work."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, text, update

from fieldops.crews.models import (
    CrewMember,
    CrewPolicy,
    CrewRow,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class CrewDepot:
    """The depot that a crew starts from."""

    key: int
    id: str
    name: str | None
    lon: float
    lat: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """Somebody of a crew; `person_id` is None for one without an account."""

    key: int
    person_id: int | None
    name: str
    phone: str | None
    is_leader: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Crew:
    """
    A crew as it stands at a moment.

    `skills` are those valid that day, `skills_until` with their last day, None for no end.
    `is_position_stale`: too old, never told, or told by a clock that runs ahead: distrust it.
    """

    key: int
    id: str
    name: str
    contractor: str | None
    vehicle: str | None
    phone: str | None
    is_active: bool
    depot: CrewDepot | None
    lon: float | None
    lat: float | None
    position_at: dt.datetime | None
    position_accuracy_m: float | None
    is_position_doubted: bool
    is_position_stale: bool
    skills_until: Mapping[str, dt.date | None]
    on_shift: bool
    shift_ends_at: dt.datetime | None
    on_call_rank: int | None
    members: tuple[Member, ...]
    version: int

    @property
    def skills(self) -> frozenset[str]:
        """What the crew may do today."""
        return frozenset(self.skills_until)

    @property
    def leader(self) -> str:
        """Who is asked for when the crew is called."""
        return next((each.name for each in self.members if each.is_leader), self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class CrewReference:
    """Which crew it is, no more."""

    key: int
    id: str
    name: str
    contractor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedCrew:
    """A crew whose row this transaction holds; `is_member`: the one who asks belongs to it."""

    key: int
    id: str
    name: str
    contractor: str | None
    vehicle: str | None
    phone: str | None
    depot_key: int | None
    is_active: bool
    is_member: bool
    lon: float | None
    lat: float | None
    position_at: dt.datetime | None
    is_position_doubted: bool
    version: int
    changed_in: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The utility's own limits about crews."""

    position_stale_min: int
    clock_ahead_s: int
    expiring_days: int


_CREWS = text("""
SELECT c.key, c.id, c.name, c.contractor, c.vehicle, c.phone, c.is_active, c.lon, c.lat,
    c.position_at, c.position_accuracy_m, c.is_position_doubted, c.version,
    d.key AS depot_key, d.id AS depot_id, d.name AS depot_name,
    ST_X(d.geometry) AS depot_lon, ST_Y(d.geometry) AS depot_lat,
    c.is_position_doubted OR c.position_at IS NULL
        OR c.position_at < :now - make_interval(mins => p.position_stale_min) AS is_position_stale,
    (SELECT max(s.ends_at) FROM shift s WHERE s.crew_key = c.key AND s.kind = 'shift'
        AND s.starts_at <= :now AND s.ends_at > :now) AS shift_ends_at,
    (SELECT min(s.rank) FROM shift s WHERE s.crew_key = c.key AND s.kind = 'on_call'
        AND s.starts_at <= :now AND s.ends_at > :now) AS on_call_rank,
    (SELECT jsonb_agg(jsonb_build_object('key', m.key, 'person_id', m.person_id,
            'name', m.name, 'phone', m.phone, 'is_leader', m.is_leader)
            ORDER BY m.is_leader DESC, m.key)
        FROM crew_member m WHERE m.crew_key = c.key AND m.is_active) AS members,
    (SELECT jsonb_object_agg(v.skill, v.until) FROM (
        SELECT s.skill,
            CASE WHEN bool_and(s.valid_until IS NOT NULL) THEN max(s.valid_until) END AS until
        FROM crew_skill s LEFT JOIN crew_member m ON m.key = s.member_key
        WHERE s.crew_key = c.key AND coalesce(m.is_active, true)
            AND coalesce(s.valid_until >= :today, true)
            AND coalesce((SELECT bool_or(coalesce(e.valid_until >= :today, true))
                FROM crew_equipment e
                WHERE e.crew_key = c.key AND e.for_skill = s.skill), true)
        GROUP BY s.skill) v) AS skills
FROM crew c CROSS JOIN crew_policy p LEFT JOIN depot d ON d.key = c.depot_key
WHERE (c.is_active OR :is_everybody)
    AND (CAST(:id AS text) IS NULL OR c.id = :id)
    AND (CAST(:person_id AS bigint) IS NULL OR EXISTS (SELECT FROM crew_member m
        WHERE m.crew_key = c.key AND m.is_active AND m.person_id = :person_id))
ORDER BY c.is_active DESC, length(c.id), c.id COLLATE "C"
""")


def fetch_crews(
    session: Session,
    now: dt.datetime,
    today: dt.date,
    *,
    crew_id: str | None = None,
    person_id: int | None = None,
    is_everybody: bool = False,
) -> list[Crew]:
    """Read crews as they stand, in one statement; all, one, or those of a person."""
    values = {
        "now": now,
        "today": today,
        "id": crew_id,
        "person_id": person_id,
        "is_everybody": is_everybody,
    }
    return [_as_crew(row) for row in session.execute(_CREWS, values).mappings()]


def _as_crew(row: Mapping[Any, Any]) -> Crew:
    depot = None
    if row["depot_key"] is not None:
        depot = CrewDepot(
            **{name: row[f"depot_{name}"] for name in ("key", "id", "name", "lon", "lat")}
        )
    same = ("key", "id", "name", "contractor", "vehicle", "phone", "is_active", "lon", "lat")
    position = ("position_accuracy_m", "is_position_doubted", "is_position_stale", "version")
    return Crew(
        **{name: row[name] for name in (*same, *position)},
        depot=depot,
        position_at=as_utc(row["position_at"]),
        skills_until={
            skill: None if until is None else dt.date.fromisoformat(until)
            for skill, until in (row["skills"] or {}).items()
        },
        on_shift=row["shift_ends_at"] is not None,
        shift_ends_at=as_utc(row["shift_ends_at"]),
        on_call_rank=row["on_call_rank"],
        members=tuple(Member(**member) for member in row["members"] or ()),
    )


def as_utc(moment: dt.datetime | None) -> dt.datetime | None:
    """Give a moment of the database with the one UTC of Python."""
    return None if moment is None else moment.astimezone(dt.UTC)


def fetch_crews_of_person(session: Session, person_id: int) -> list[CrewReference]:
    """Read to which crews somebody belongs."""
    query = (
        select(CrewRow.key, CrewRow.id, CrewRow.name, CrewRow.contractor)
        .join(CrewMember, CrewMember.crew_key == CrewRow.key)
        .where(CrewMember.person_id == person_id, CrewMember.is_active, CrewRow.is_active)
        .order_by(CrewRow.id)
    )
    return [CrewReference(**row) for row in session.execute(query).mappings()]


def lock_crew(session: Session, crew_id: str, person_id: int | None) -> LockedCrew | None:
    """Read a crew's own row and hold it, and tell whether the person belongs to the crew."""
    is_member = (
        select(CrewMember.key)
        .where(
            CrewMember.crew_key == CrewRow.key,
            CrewMember.is_active,
            CrewMember.person_id == person_id,
        )
        .exists()
    )
    query = (
        select(
            CrewRow.key,
            CrewRow.id,
            CrewRow.name,
            CrewRow.contractor,
            CrewRow.vehicle,
            CrewRow.phone,
            CrewRow.depot_key,
            CrewRow.is_active,
            is_member.label("is_member"),
            CrewRow.lon,
            CrewRow.lat,
            CrewRow.position_at,
            CrewRow.is_position_doubted,
            CrewRow.version,
            CrewRow.changed_in,
        )
        .where(CrewRow.id == crew_id)
        .with_for_update(of=CrewRow)
    )
    row = session.execute(query).mappings().one_or_none()
    return LockedCrew(**row) if row else None


def update_crew(session: Session, key: int, **values: object) -> None:
    """Write some columns of a crew."""
    session.execute(update(CrewRow).where(CrewRow.key == key).values(**values))


def fetch_policy(session: Session) -> Policy:
    """Read the limits."""
    row = session.execute(
        select(CrewPolicy.position_stale_min, CrewPolicy.clock_ahead_s, CrewPolicy.expiring_days)
    )
    return Policy(**row.mappings().one())
