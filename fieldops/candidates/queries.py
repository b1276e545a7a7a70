"""SQL of candidates: the settings, the jobs, and what happened since they were looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, text, update

from fieldops.candidates.models import DispatchSetting
from fieldops.events.models import EventRow

if TYPE_CHECKING:
    import datetime as dt

    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class Settings:
    """What a manager may set."""

    mode: str
    diversion_s: float
    offer_s: float
    phone_after_s: float
    automatic_max_diameter_mm: float
    stale_penalty_min: float
    call_out_min: float
    straight_factor: float
    straight_trips: int
    is_straight_factor_fixed: bool
    version: int
    changed_at: dt.datetime | None
    changed_by: str | None


@dataclass(frozen=True, slots=True)
class Job:
    """
    An open work order, as far as it matters to who goes there.

    `phase`: waiting for a crew, coming (a crew is ordered there), there, or held.
    `widest_valve_mm` is of the valves that its outages close; None where one is not known.
    """

    key: int
    id: str
    incident_id: str | None
    kind: str
    severity: str
    state: str
    phase: str
    crew_key: int | None
    second_crew_key: int | None
    crews_needed: int
    skills: tuple[str, ...]
    lon: float
    lat: float
    diameter_mm: float | None
    material: str | None
    needs_excavation: bool
    customers_out: int | None
    critical_out: int | None
    weight_floor: float
    expected_work_min: float
    release_at: dt.datetime
    arrive_due_at: dt.datetime | None
    after_order_key: int | None
    reported_at: dt.datetime
    arrived_at: dt.datetime | None
    started_at: dt.datetime | None
    is_pinned: bool
    is_drill: bool
    version: int
    widest_valve_mm: float | None

    @property
    def is_emergency(self) -> bool:
        """Whether crews are ordered there, and called out for it."""
        return self.severity in {"danger", "burst"}

    @property
    def crew_keys(self) -> tuple[int, ...]:
        """Crews that are ordered there or are there."""
        keys = (self.crew_key, self.second_crew_key)
        return tuple(key for key in keys if key is not None)


_SETTING_COLUMNS = [getattr(DispatchSetting, name) for name in Settings.__dataclass_fields__]


def fetch_settings(session: Session, *, is_locked: bool = False) -> Settings:
    """Read the settings."""
    query = select(*_SETTING_COLUMNS)
    row = session.execute(query.with_for_update() if is_locked else query).one()
    return Settings(*row)


def update_settings(session: Session, changes: dict[str, Any]) -> None:
    """Change settings."""
    session.execute(update(DispatchSetting).values(**changes))


_JOBS = """
SELECT w.key, w.id, i.id, w.kind, w.severity, w.state,
    CASE WHEN w.is_on_hold THEN 'held' WHEN s.position < assigned.position THEN 'waiting'
         WHEN s.position < on_site.position THEN 'coming' ELSE 'there' END,
    w.crew_key, w.second_crew_key, w.crews_needed, w.skills, w.lon, w.lat,
    coalesce(w.diameter_mm, p.diameter_mm), p.material, w.needs_excavation,
    w.customers_out, w.critical_out, w.weight_floor, w.expected_work_min, w.release_at,
    w.arrive_due_at, w.after_order_key, w.reported_at, w.arrived_at, w.started_at,
    w.is_pinned, w.is_drill, w.version,
    (SELECT CASE WHEN bool_and(v.diameter_mm IS NOT NULL) THEN max(v.diameter_mm) END
     FROM outage o
     JOIN outage_valve ov ON ov.outage_key = o.key AND ov.role = 'close'
     LEFT JOIN valve v ON ov.device_table = 'valve' AND v.key = ov.device_key
     WHERE o.incident_key = w.incident_key AND o.status <> 'closed')
FROM work_order w
JOIN order_stage s ON s.process_version = w.process_version AND s.state = w.state
JOIN order_stage assigned
    ON assigned.process_version = w.process_version AND assigned.state = 'assigned'
JOIN order_stage on_site
    ON on_site.process_version = w.process_version AND on_site.state = 'on_site'
LEFT JOIN incident i ON i.key = w.incident_key
LEFT JOIN pipe p ON p.key = w.pipe_key
WHERE w.is_open AND (w.is_on_hold OR w.is_crew_busy OR s.position < assigned.position)
ORDER BY w.key
"""


def fetch_jobs(session: Session) -> list[Job]:
    """Read the open orders whose work is not done."""
    jobs = []
    for row in session.execute(text(_JOBS)):
        values: list[Any] = list(row)
        values[10] = tuple(values[10])
        jobs.append(Job(*values))
    return jobs


@dataclass(frozen=True, slots=True)
class PastKind:
    """
    First orders of incidents that were alike, in some days past.

    `wait_s` is from the report until a crew was there, on average; None where none came.
    """

    severity: str
    skills: tuple[str, ...]
    count: int
    customers: float
    wait_s: float | None


def fetch_past_kinds(session: Session, since: dt.datetime, until: dt.datetime) -> list[PastKind]:
    """Count the orders with which incidents began, by what they needed; drills are left out."""
    rows = session.execute(
        text(
            "SELECT severity, skills, count(*), coalesce(avg(customers_out), 0),"
            " avg(extract(epoch FROM arrived_at - reported_at)) FILTER"
            " (WHERE arrived_at >= reported_at)"
            " FROM work_order WHERE after_order_key IS NULL AND NOT is_drill"
            " AND reported_at >= :since AND reported_at < :until"
            " GROUP BY severity, skills ORDER BY severity, skills"
        ),
        {"since": since, "until": until},
    )
    return [
        PastKind(
            row[0], tuple(row[1]), row[2], float(row[3]), None if row[4] is None else float(row[4])
        )
        for row in rows
    ]


def fetch_past_places(
    session: Session, until: dt.datetime, limit: int
) -> list[tuple[float, float]]:
    """Read where the newest incidents began."""
    rows = session.execute(
        text(
            "SELECT lon, lat FROM work_order WHERE after_order_key IS NULL AND NOT is_drill"
            " AND reported_at < :until ORDER BY reported_at DESC, key DESC LIMIT :most"
        ),
        {"until": until, "most": limit},
    )
    return [(row[0], row[1]) for row in rows]


def fetch_events_since(
    session: Session, position: int, limit: int
) -> list[tuple[int, str, dict[str, Any]]]:
    """Read position, kind and body of what happened after a position, in order."""
    rows = session.execute(
        select(EventRow.position, EventRow.kind, EventRow.body)
        .where(EventRow.position > position)
        .order_by(EventRow.position)
        .limit(limit)
    )
    return [(row[0], row[1], row[2]) for row in rows]
