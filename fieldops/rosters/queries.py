"""SQL that keeps who belongs to crews, what they may do, and when they work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert

from fieldops.crews.models import (
    CrewEquipment,
    CrewMember,
    CrewPolicy,
    CrewRow,
    CrewSkill,
    Shift,
)

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    from sqlalchemy.orm import Session

    from fieldops.crews.queries import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Qualification:
    """A skill or a piece of equipment, and its last day; `person` whose skill it is."""

    key: int
    kind: str
    name: str
    person: str | None
    valid_until: dt.date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedShift:
    """A time of work or of being on call."""

    key: int
    crew_id: str
    crew_name: str
    kind: str
    starts_at: dt.datetime
    ends_at: dt.datetime
    rank: int | None


def insert_crew(session: Session, **values: object) -> int | None:
    """Write a new crew and give its key; None if its id is taken."""
    query = upsert(CrewRow).values(**values).on_conflict_do_nothing(index_elements=["id"])
    return session.execute(query.returning(CrewRow.key)).scalars().one_or_none()


def insert_member(session: Session, crew_key: int, **values: object) -> int:
    """Write a new member and give the key."""
    query = insert(CrewMember).values(crew_key=crew_key, **values).returning(CrewMember.key)
    return session.execute(query).scalar_one()


def fetch_member_crew_of(session: Session, person_id: int) -> str | None:
    """Read in which crew somebody already is."""
    query = (
        select(CrewRow.name)
        .join(CrewMember, CrewMember.crew_key == CrewRow.key)
        .where(CrewMember.person_id == person_id, CrewMember.is_active)
    )
    return session.execute(query).scalars().one_or_none()


def is_member(session: Session, crew_key: int, member_key: int) -> bool:
    """Tell whether somebody belongs to a crew."""
    query = select(CrewMember.key).where(
        CrewMember.key == member_key, CrewMember.crew_key == crew_key, CrewMember.is_active
    )
    return session.execute(query).one_or_none() is not None


def end_member(session: Session, crew_key: int, member_key: int) -> str | None:
    """Take somebody out of a crew and give the name; None if there is no such member."""
    query = (
        update(CrewMember)
        .where(CrewMember.key == member_key, CrewMember.crew_key == crew_key, CrewMember.is_active)
        .values(is_active=False)
        .returning(CrewMember.name)
    )
    return session.execute(query).scalars().one_or_none()


def insert_skill(session: Session, crew_key: int, **values: object) -> int:
    """Write a skill and give its key."""
    query = insert(CrewSkill).values(crew_key=crew_key, **values).returning(CrewSkill.key)
    return session.execute(query).scalar_one()


def insert_equipment(session: Session, crew_key: int, **values: object) -> int:
    """Write a piece of equipment and give its key."""
    query = insert(CrewEquipment).values(crew_key=crew_key, **values).returning(CrewEquipment.key)
    return session.execute(query).scalar_one()


def delete_qualification(session: Session, crew_key: int, kind: str, key: int) -> str | None:
    """Take a skill or a piece of equipment away and give its name; None if there is none."""
    table, name = (
        (CrewSkill, CrewSkill.skill) if kind == "skill" else (CrewEquipment, CrewEquipment.name)
    )
    query = delete(table).where(table.key == key, table.crew_key == crew_key).returning(name)
    return session.execute(query).scalars().one_or_none()


def fetch_qualifications(session: Session, crew_key: int) -> list[Qualification]:
    """Read every skill and piece of equipment of a crew, the first to expire first."""
    query = text("""
        SELECT s.key, 'skill' AS kind, s.skill AS name, m.name AS person, s.valid_until
        FROM crew_skill s LEFT JOIN crew_member m ON m.key = s.member_key
        WHERE s.crew_key = :crew AND coalesce(m.is_active, true)
        UNION ALL
        SELECT e.key, 'equipment', e.name, e.for_skill, e.valid_until
        FROM crew_equipment e WHERE e.crew_key = :crew
        ORDER BY valid_until NULLS LAST, kind, name""")
    rows = session.execute(query, {"crew": crew_key}).mappings()
    return [Qualification(**row) for row in rows]


def count_expiring(session: Session, today: dt.date) -> dict[int, int]:
    """Count by crew the skills and equipment that have expired or soon will."""
    query = text("""
        SELECT crew_key, count(*) AS number FROM (
            SELECT s.crew_key, s.valid_until FROM crew_skill s
            LEFT JOIN crew_member m ON m.key = s.member_key WHERE coalesce(m.is_active, true)
            UNION ALL SELECT e.crew_key, e.valid_until FROM crew_equipment e) q, crew_policy p
        WHERE q.valid_until <= :today + p.expiring_days GROUP BY crew_key""")
    rows = session.execute(query, {"today": today}).all()
    return {row.crew_key: row.number for row in rows}


def insert_shifts(session: Session, rows: Sequence[Mapping[str, object]]) -> None:
    """Write shifts."""
    if rows:
        session.execute(insert(Shift), [dict(row) for row in rows])


def fetch_clash(
    session: Session,
    crew_key: int,
    kind: str,
    rank: int | None,
    spans: Sequence[tuple[dt.datetime, dt.datetime]],
) -> tuple[str, dt.datetime] | None:
    """Name the crew whose time new ones would double, and when: its own, or another's rank."""
    query = text("""
        SELECT c.name, n.starts_at
        FROM unnest(CAST(:starts AS timestamptz[]), CAST(:ends AS timestamptz[]))
            AS n (starts_at, ends_at)
        JOIN shift s ON s.kind = :kind AND s.starts_at < n.ends_at AND s.ends_at > n.starts_at
            AND (s.crew_key = :crew OR s.rank = CAST(:rank AS integer))
        JOIN crew c ON c.key = s.crew_key
        ORDER BY n.starts_at, s.crew_key <> :crew LIMIT 1""")
    values = {
        "starts": [span[0] for span in spans],
        "ends": [span[1] for span in spans],
        "kind": kind,
        "crew": crew_key,
        "rank": rank,
    }
    row = session.execute(query, values).one_or_none()
    return None if row is None else (row.name, row.starts_at)


def delete_shift(session: Session, crew_key: int, shift_key: int) -> str | None:
    """Take a shift away and give its kind; None if there is no such."""
    query = (
        delete(Shift)
        .where(Shift.key == shift_key, Shift.crew_key == crew_key)
        .returning(Shift.kind)
    )
    return session.execute(query).scalars().one_or_none()


def fetch_shifts(
    session: Session, since: dt.datetime, until: dt.datetime, crew_key: int | None = None
) -> list[PlannedShift]:
    """Read the shifts that touch a time, in order."""
    query = (
        select(
            Shift.key,
            CrewRow.id.label("crew_id"),
            CrewRow.name.label("crew_name"),
            Shift.kind,
            Shift.starts_at,
            Shift.ends_at,
            Shift.rank,
        )
        .join(CrewRow, CrewRow.key == Shift.crew_key)
        .where(Shift.ends_at > since, Shift.starts_at < until)
        .order_by(Shift.starts_at, Shift.kind.desc(), Shift.rank, CrewRow.id)
    )
    if crew_key is not None:
        query = query.where(Shift.crew_key == crew_key)
    return [PlannedShift(**row) for row in session.execute(query).mappings()]


def update_policy(session: Session, policy: Policy) -> None:
    """Write the limits."""
    session.execute(
        update(CrewPolicy).values(
            position_stale_min=policy.position_stale_min,
            clock_ahead_s=policy.clock_ahead_s,
            expiring_days=policy.expiring_days,
        )
    )


def list_depots(session: Session) -> list[tuple[int, str, str | None]]:
    """Read key, id and name of every depot of the network."""
    rows = session.execute(text('SELECT key, id, name FROM depot ORDER BY id COLLATE "C"'))
    return [(key, depot_id, name) for key, depot_id, name in rows]
