"""SQL of what wants a dispatcher's eye: limits that were escalated, facts that came late."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.orm import Session

MOST_FACTS = 200


@dataclass(frozen=True, slots=True)
class Escalated:
    """The worst step that a running limit of a work order has reached."""

    order_key: int
    clock: str
    percent: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LateFact:
    """What somebody did that came when it could no longer change anything, and nobody has read."""

    position: int
    subject_kind: str
    subject_id: str
    incident_id: str | None
    body: Mapping[str, Any]
    by: str | None
    occurred_at: dt.datetime
    received_at: dt.datetime


_ESCALATED = text("""
SELECT DISTINCT ON (subject_key) subject_key, kind, escalated_percent
FROM clock
WHERE subject_kind = 'work_order' AND stopped_at IS NULL AND escalated_percent > 0
ORDER BY subject_key, escalated_percent DESC, due_at
""")

_LATE = text("""
SELECT fact.position, fact.subject_kind, fact.subject_key, fact.body, fact.occurred_at,
    fact.received_at, coalesce(fact.by_phone_for, fact.person_name) AS by,
    coalesce(fact.body ->> 'id', fact.subject_key::text) AS subject_id,
    coalesce(of_order.id, of_outage.id,
        CASE WHEN fact.subject_kind = 'incident' THEN fact.body ->> 'id' END) AS incident_id
FROM event AS fact
LEFT JOIN work_order ON fact.subject_kind = 'work_order' AND work_order.key = fact.subject_key
LEFT JOIN incident AS of_order ON of_order.key = work_order.incident_key
LEFT JOIN outage ON fact.subject_kind = 'outage' AND outage.key = fact.subject_key
LEFT JOIN incident AS of_outage ON of_outage.key = outage.incident_key
WHERE fact.kind IN ('work_order.late_fact', 'outage.late_fact', 'incident.late_fact',
        'report.late_fact', 'crew.late_fact')
    AND NOT EXISTS (
        SELECT FROM event AS reading
        WHERE reading.subject_kind = fact.subject_kind AND reading.subject_key = fact.subject_key
            AND reading.position > fact.position
            AND reading.kind = fact.subject_kind || '.late_fact_read'
            AND (reading.body ->> 'fact')::bigint = fact.position)
    AND (CAST(:position AS bigint) IS NULL OR fact.position = :position)
ORDER BY fact.position DESC LIMIT :most
""")


def fetch_escalated(session: Session) -> dict[int, Escalated]:
    """Read the worst step of each work order whose limits were escalated, by its key."""
    rows = session.execute(_ESCALATED)
    return {row[0]: Escalated(*row) for row in rows}


def fetch_unread(session: Session, position: int | None = None) -> list[tuple[int, LateFact]]:
    """Read the late facts that nobody has marked as read, with their subjects' keys."""
    rows = session.execute(_LATE, {"position": position, "most": MOST_FACTS}).mappings()
    found = []
    for row in rows:
        values: dict[str, Any] = dict(row)
        key = values.pop("subject_key")
        for name in ("occurred_at", "received_at"):
            values[name] = values[name].astimezone(dt.UTC)
        found.append((key, LateFact(**values)))
    return found
