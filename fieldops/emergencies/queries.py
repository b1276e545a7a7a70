"""SQL of emergency levels: which rules an incident meets, who is called, which reports are due."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert

from fieldops.emergencies.models import (
    EmergencyCall,
    EmergencyLevel,
    EmergencyPolicy,
    EmergencyReport,
    EmergencyRow,
    PhoneTreeEntry,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """The times of a level, in minutes; `duty_leader` the post that leads."""

    level: int
    duty_leader: str
    first_within_min: int
    follow_up_every_min: int
    final_within_min: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """When an incident is an emergency of a level."""

    key: int
    level: int
    measure: str
    threshold: float
    least_properties: int
    incident_kinds: list[str] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Met:
    """A rule that an incident meets, with the value that met it."""

    incident_id: str
    address: str | None
    is_drill: bool
    level: int
    measure: str
    threshold: float
    value: float

    def as_reason(self) -> dict[str, Any]:
        """Give it as a reason that can be kept and translated."""
        return {
            "level": self.level,
            "measure": self.measure,
            "threshold": self.threshold,
            "value": round(self.value, 1),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Somebody who is called at a level and at all worse ones."""

    key: int
    level: int
    rank: int
    post: str
    name: str
    phone: str
    person_id: int | None
    is_duty_leader: bool
    within_min: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """Somebody to call about an emergency, and whether they know."""

    key: int
    emergency_key: int
    level: int
    rank: int
    post: str
    name: str
    phone: str
    person_id: int | None
    is_duty_leader: bool
    due_at: dt.datetime
    tries: int
    last_tried_at: dt.datetime | None
    last_tried_by: str | None
    acknowledged_at: dt.datetime | None
    acknowledged_by: str | None
    note: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A report that is due, was sent, or is not needed any more."""

    key: int
    emergency_key: int
    kind: str
    number: int
    starts_at: dt.datetime
    due_at: dt.datetime
    sent_at: dt.datetime | None
    sent_by: str | None
    sent_to: str | None
    text: str | None
    cancelled_at: dt.datetime | None

    @property
    def is_pending(self) -> bool:
        """Tell whether somebody still has to send it."""
        return self.sent_at is None and self.cancelled_at is None

    @property
    def is_late(self) -> bool:
        """Tell whether it was sent after its time."""
        return self.sent_at is not None and self.sent_at > self.due_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Emergency:
    """An incident that reached a level; 1 is the worst."""

    key: int
    id: str
    incident_key: int
    incident_id: str
    address: str | None
    level: int
    worst_level: int
    status: str
    reasons: list[dict[str, Any]]
    duty_leader: str | None
    is_drill: bool
    begun_at: dt.datetime
    level_at: dt.datetime
    level_by: str
    level_note: str | None
    stood_down_at: dt.datetime | None
    stood_down_by: str | None
    stand_down_note: str | None
    closed_at: dt.datetime | None
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Overdue:
    """A call or a report that nobody made in time."""

    kind: str
    key: int
    emergency_key: int
    emergency_id: str
    is_drill: bool
    what: str
    due_at: dt.datetime


_MET = text("""
SELECT i.id AS incident_id, i.is_drill,
    coalesce(i.address, (SELECT pipe.id FROM pipe WHERE pipe.key = i.pipe_key)) AS address,
    p.level, p.measure, p.threshold, f.value
FROM incident i CROSS JOIN LATERAL (VALUES
    ('customers', i.properties_out::float8),
    ('diameter', i.diameter_mm),
    ('hospital', (SELECT count(*) FROM customer c
        WHERE c.id = ANY(i.critical_ids) AND c.critical IN ('hospital', 'dialysis'))::float8),
    ('road', i.road_kmh),
    ('forecast', (SELECT max(extract(epoch FROM (o.forecast #>> '{restored,p90}')::timestamptz
            - coalesce(o.water_stopped_at, o.aware_at)) / 3600)::float8
        FROM outage o WHERE o.incident_key = i.key AND o.status = 'open'))
) AS f (measure, value)
JOIN emergency_policy p ON p.measure = f.measure AND p.is_active AND f.value >= p.threshold
WHERE i.key = :incident AND i.status = 'open' AND NOT i.is_planned
    AND (p.least_properties = 0 OR coalesce(i.properties_out, 0) >= p.least_properties)
    AND (p.incident_kinds IS NULL OR i.kind = ANY(p.incident_kinds))
ORDER BY p.level, p.measure, p.threshold DESC
""")


def fetch_met_rules(session: Session, incident_key: int) -> list[Met]:
    """Read which rules an open unplanned incident meets, the worst level first."""
    rows = session.execute(_MET, {"incident": incident_key}).mappings()
    return [Met(**row) for row in rows]


def _columns(table: type, record: type) -> list[Any]:
    return [getattr(table, name) for name in record.__slots__]  # type: ignore[attr-defined]


def _utc(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {
        name: value.astimezone(dt.UTC) if isinstance(value, dt.datetime) else value
        for name, value in row.items()
    }


def fetch_emergencies(
    session: Session,
    *,
    emergency_id: str | None = None,
    open_of_incident: int | None = None,
    of_incident: int | None = None,
    is_live: bool = False,
    is_locking: bool = False,
    limit: int = 100,
) -> list[Emergency]:
    """Read emergencies: one, that of an incident, those not closed yet, or the last."""
    query = select(*_columns(EmergencyRow, Emergency))
    if emergency_id is not None:
        query = query.where(EmergencyRow.id == emergency_id)
    if open_of_incident is not None:
        query = query.where(
            EmergencyRow.incident_key == open_of_incident, EmergencyRow.status == "open"
        )
    if of_incident is not None:
        query = query.where(EmergencyRow.incident_key == of_incident)
    if is_live:
        query = query.where(EmergencyRow.status != "closed")
    order = (EmergencyRow.level, EmergencyRow.key) if is_live else (EmergencyRow.key.desc(),)
    query = query.order_by(*order).limit(limit)
    if is_locking:
        query = query.with_for_update()
    return [Emergency(**_utc(row)) for row in session.execute(query).mappings()]


def insert_emergency(session: Session, **values: object) -> Emergency | None:
    """Write a new emergency; None if the incident has an open one."""
    query = upsert(EmergencyRow).values(**values)
    query = query.on_conflict_do_nothing(
        index_elements=["incident_key"], index_where=text("status = 'open'")
    )
    row = session.execute(query.returning(*_columns(EmergencyRow, Emergency))).mappings()
    made = row.one_or_none()
    return None if made is None else Emergency(**_utc(made))


def update_emergency(session: Session, key: int, **values: object) -> None:
    """Write some columns of an emergency."""
    session.execute(update(EmergencyRow).where(EmergencyRow.key == key).values(**values))


def fetch_levels(session: Session) -> dict[int, Level]:
    """Read the times of the levels."""
    query = select(*_columns(EmergencyLevel, Level)).order_by(EmergencyLevel.level)
    return {row["level"]: Level(**row) for row in session.execute(query).mappings()}


def update_level(session: Session, level: Level) -> None:
    """Write the times of a level."""
    session.execute(
        update(EmergencyLevel)
        .where(EmergencyLevel.level == level.level)
        .values(
            duty_leader=level.duty_leader,
            first_within_min=level.first_within_min,
            follow_up_every_min=level.follow_up_every_min,
            final_within_min=level.final_within_min,
        )
    )


def fetch_rules(session: Session) -> list[Rule]:
    """Read the rules in force."""
    query = (
        select(*_columns(EmergencyPolicy, Rule))
        .where(EmergencyPolicy.is_active)
        .order_by(EmergencyPolicy.measure, EmergencyPolicy.level)
    )
    return [Rule(**row) for row in session.execute(query).mappings()]


def insert_rule(session: Session, **values: object) -> int:
    """Write a rule and give its key."""
    query = insert(EmergencyPolicy).values(**values).returning(EmergencyPolicy.key)
    return session.execute(query).scalar_one()


def end_rule(session: Session, key: int) -> bool:
    """Take a rule out of force; False if there is none."""
    query = (
        update(EmergencyPolicy)
        .where(EmergencyPolicy.key == key, EmergencyPolicy.is_active)
        .values(is_active=False)
        .returning(EmergencyPolicy.key)
    )
    return session.execute(query).one_or_none() is not None


def fetch_tree(session: Session, level: int = 1) -> list[Entry]:
    """Read who is called at a level: its own people and those of all milder ones."""
    query = (
        select(*_columns(PhoneTreeEntry, Entry))
        .where(PhoneTreeEntry.is_active, PhoneTreeEntry.level >= level)
        .order_by(PhoneTreeEntry.level, PhoneTreeEntry.rank, PhoneTreeEntry.key)
    )
    return [Entry(**row) for row in session.execute(query).mappings()]


def insert_entry(session: Session, **values: object) -> int:
    """Write somebody into the phone tree and give the key."""
    query = insert(PhoneTreeEntry).values(**values).returning(PhoneTreeEntry.key)
    return session.execute(query).scalar_one()


def end_entry(session: Session, key: int) -> bool:
    """Take somebody out of the phone tree; False if there is none."""
    query = (
        update(PhoneTreeEntry)
        .where(PhoneTreeEntry.key == key, PhoneTreeEntry.is_active)
        .values(is_active=False)
        .returning(PhoneTreeEntry.key)
    )
    return session.execute(query).one_or_none() is not None


def insert_calls(session: Session, rows: Sequence[Mapping[str, object]]) -> None:
    """Write whom to call; those of the list already stay as they are."""
    if rows:
        query = upsert(EmergencyCall).values([dict(row) for row in rows])
        session.execute(query.on_conflict_do_nothing())


def fetch_calls(session: Session, emergency_keys: Sequence[int]) -> list[Call]:
    """Read whom to call about some emergencies, in order."""
    query = (
        select(*_columns(EmergencyCall, Call))
        .where(EmergencyCall.emergency_key.in_(emergency_keys))
        .order_by(EmergencyCall.level, EmergencyCall.rank, EmergencyCall.key)
    )
    return [Call(**_utc(row)) for row in session.execute(query).mappings()]


def update_call(session: Session, key: int, **values: object) -> None:
    """Write some columns of a call."""
    session.execute(update(EmergencyCall).where(EmergencyCall.key == key).values(**values))


def fetch_reports(session: Session, emergency_keys: Sequence[int]) -> list[Report]:
    """Read the reports of some emergencies, in order."""
    query = (
        select(*_columns(EmergencyReport, Report))
        .where(EmergencyReport.emergency_key.in_(emergency_keys))
        .order_by(EmergencyReport.emergency_key, EmergencyReport.number)
    )
    return [Report(**_utc(row)) for row in session.execute(query).mappings()]


def insert_report(session: Session, **values: object) -> None:
    """Write a report that is due."""
    session.execute(insert(EmergencyReport).values(**values))


def update_report(session: Session, key: int, **values: object) -> None:
    """Write some columns of a report."""
    session.execute(update(EmergencyReport).where(EmergencyReport.key == key).values(**values))


def take_overdue(session: Session, now: dt.datetime) -> list[Overdue]:
    """Mark the calls and reports that nobody made in time, and give each once."""
    query = text("""
        WITH calls AS (
            UPDATE emergency_call c SET is_overdue_told = true FROM emergency e
            WHERE e.key = c.emergency_key AND e.status = 'open' AND c.acknowledged_at IS NULL
                AND NOT c.is_overdue_told AND c.due_at <= :now
            RETURNING 'call' AS kind, c.key, c.emergency_key, e.id AS emergency_id, e.is_drill,
                c.name AS what, c.due_at
        ), reports AS (
            UPDATE emergency_report r SET is_overdue_told = true FROM emergency e
            WHERE e.key = r.emergency_key AND r.sent_at IS NULL AND r.cancelled_at IS NULL
                AND NOT r.is_overdue_told AND r.due_at <= :now
            RETURNING 'report', r.key, r.emergency_key, e.id, e.is_drill, r.kind, r.due_at
        )
        SELECT * FROM calls UNION ALL SELECT * FROM reports ORDER BY due_at""")
    return [Overdue(**_utc(row)) for row in session.execute(query, {"now": now}).mappings()]


def count_punctual(session: Session, since: dt.datetime) -> tuple[int, int, int]:
    """Count since a moment, drills left out: emergencies, reports due, reports sent in time."""
    query = text("""
        SELECT (SELECT count(*) FROM emergency WHERE NOT is_drill AND begun_at >= :since),
            count(*), count(*) FILTER (WHERE r.sent_at <= r.due_at)
        FROM emergency_report r JOIN emergency e ON e.key = r.emergency_key
        WHERE NOT e.is_drill AND r.due_at >= :since AND r.cancelled_at IS NULL
            AND (r.sent_at IS NOT NULL OR r.due_at <= now())""")
    emergencies, due, in_time = session.execute(query, {"since": since}).one()
    return emergencies, due, in_time
