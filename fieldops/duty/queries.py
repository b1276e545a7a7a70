"""SQL of the desk: handovers, call-outs, promises made, and steps recorded by phone."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert

from fieldops.crews.models import CrewRow
from fieldops.duty.models import CallOut, ShiftHandover

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """What one dispatcher handed to the next; open until the next has signed, too."""

    key: int
    id: str
    leaving_person_id: int
    leaving_name: str
    leaving_signed_at: dt.datetime
    coming_person_id: int | None
    coming_name: str | None
    coming_signed_at: dt.datetime | None
    coming_remarks: str | None
    withdrawn_at: dt.datetime | None
    snapshot: dict[str, Any]
    position: int
    remarks: str | None

    @property
    def is_open(self) -> bool:
        """Tell whether it waits for the second signature."""
        return self.coming_signed_at is None and self.withdrawn_at is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """An attempt to call a crew out."""

    key: int
    crew_id: str
    crew_name: str
    rank: int | None
    incident_id: str | None
    result: str
    spoke_with: str | None
    note: str | None
    is_out_of_turn: bool
    is_drill: bool
    person_name: str
    called_at: dt.datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneStep:
    """A step that somebody at the desk recorded for somebody outside."""

    position: int
    kind: str
    subject: str
    by_phone_for: str
    person_name: str
    occurred_at: dt.datetime
    received_at: dt.datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A caller who was promised something, and still waits."""

    id: str
    status: str
    address: str | None
    incident_id: str | None
    promise: dict[str, Any] | None
    first_contact_by: str | None
    received_at: dt.datetime


def _utc(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {
        name: value.astimezone(dt.UTC) if isinstance(value, dt.datetime) else value
        for name, value in row.items()
    }


_HANDOVER = tuple(getattr(ShiftHandover, name) for name in Handover.__slots__)


def insert_handover(session: Session, **values: object) -> Handover | None:
    """Write a handover that the leaving one has signed; None while another waits."""
    query = upsert(ShiftHandover).values(**values).on_conflict_do_nothing()
    made = session.execute(query.returning(*_HANDOVER)).mappings().one_or_none()
    return None if made is None else Handover(**_utc(made))


def fetch_handover(
    session: Session, handover_id: str, *, is_locking: bool = False
) -> Handover | None:
    """Read one handover."""
    query = select(*_HANDOVER).where(ShiftHandover.id == handover_id)
    if is_locking:
        query = query.with_for_update()
    row = session.execute(query).mappings().one_or_none()
    return None if row is None else Handover(**_utc(row))


def fetch_handovers(session: Session, limit: int) -> list[Handover]:
    """Read the last handovers, the newest first."""
    query = select(*_HANDOVER).order_by(ShiftHandover.key.desc()).limit(limit)
    return [Handover(**_utc(row)) for row in session.execute(query).mappings()]


def update_handover(session: Session, key: int, **values: object) -> None:
    """Write some columns of a handover."""
    session.execute(update(ShiftHandover).where(ShiftHandover.key == key).values(**values))


def count_events_since(session: Session, position: int) -> int:
    """Count what people and rules did since a position; moving vans do not count."""
    query = text(
        "SELECT count(*) FROM event WHERE position > :position"
        " AND subject_kind IN ('incident', 'work_order', 'outage', 'report', 'emergency')"
    )
    return int(session.execute(query, {"position": position}).scalar_one())


def fetch_waiting_callers(session: Session, limit: int = 200) -> list[Told]:
    """Read the callers who were promised something or are to be called back, the oldest first."""
    query = text("""
        SELECT r.id, r.status, r.address, i.id AS incident_id, r.promise, r.first_contact_by,
            r.received_at
        FROM report r LEFT JOIN incident i ON i.key = r.incident_key
        WHERE NOT r.is_drill AND (r.status = 'callback_due'
            OR r.promise IS NOT NULL AND r.status IN ('open', 'linked'))
        ORDER BY r.received_at LIMIT :limit""")
    return [Told(**_utc(row)) for row in session.execute(query, {"limit": limit}).mappings()]


def count_open_orders(session: Session) -> dict[str, int]:
    """Count the open work orders by state, drills left out."""
    rows = session.execute(
        text(
            "SELECT state, count(*) AS number FROM work_order WHERE is_open AND NOT is_drill"
            " GROUP BY state ORDER BY state"
        )
    )
    return {row.state: row.number for row in rows}


def insert_attempt(session: Session, **values: object) -> int:
    """Write an attempt and give its key."""
    query = insert(CallOut).values(**values).returning(CallOut.key)
    return session.execute(query).scalar_one()


def fetch_attempts(session: Session, since: dt.datetime) -> list[Attempt]:
    """Read the attempts since a moment, the newest first."""
    same = (name for name in Attempt.__slots__ if not name.startswith("crew_"))
    query = (
        select(
            CrewRow.id.label("crew_id"),
            CrewRow.name.label("crew_name"),
            *(getattr(CallOut, name) for name in same),
        )
        .join(CrewRow, CrewRow.key == CallOut.crew_key)
        .where(CallOut.called_at >= since)
        .order_by(CallOut.called_at.desc(), CallOut.key.desc())
    )
    return [Attempt(**_utc(row)) for row in session.execute(query).mappings()]


def fetch_phone_steps(session: Session, since: dt.datetime, limit: int = 30) -> list[PhoneStep]:
    """Read the last steps that the desk recorded for somebody outside, the newest first."""
    query = text("""
        SELECT position, kind, coalesce(body ->> 'id', subject_kind) AS subject, by_phone_for,
            person_name, occurred_at, received_at
        FROM event WHERE by_phone_for IS NOT NULL AND received_at >= :since
            AND position > (SELECT position FROM event_head) - 20000
        ORDER BY position DESC LIMIT :limit""")
    rows = session.execute(query, {"since": since, "limit": limit}).mappings()
    return [PhoneStep(**_utc(row)) for row in rows]
