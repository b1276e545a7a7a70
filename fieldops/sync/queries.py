"""What was answered and written before, and what a transaction may lose against."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg
from sqlalchemy import or_, select
from sqlalchemy.exc import DataError, DBAPIError, OperationalError

from fieldops.events.models import EventRow, OperationRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

CONTENTION = (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure)


@dataclass(frozen=True, slots=True)
class Change:
    """Who last wrote a field, and when."""

    person_name: str | None
    by_phone_for: str | None
    occurred_at: dt.datetime


def fetch_last_change(session: Session, kind: str, key: int | None, field: str) -> Change | None:
    """Read who last wrote a field of a subject; a valve's is named "valve:V-1"."""
    body = EventRow.body
    row = session.execute(
        select(EventRow.person_name, EventRow.by_phone_for, EventRow.occurred_at)
        .where(
            EventRow.subject_kind == kind,
            EventRow.subject_key == key,
            or_(
                body["changed"].has_key(field),
                body["valve"].as_string() == field.removeprefix("valve:"),
                body.has_key(f"{field}_before"),
            ),
        )
        .order_by(EventRow.position.desc())
        .limit(1)
    ).one_or_none()
    return (
        Change(row.person_name, row.by_phone_for, row.occurred_at.astimezone(dt.UTC))
        if row
        else None
    )


def fetch_answered(session: Session, op_ids: Sequence[str]) -> frozenset[str]:
    """Tell which of these operations were answered before."""
    wanted = [uuid.UUID(each) for each in op_ids]
    found = session.scalars(select(OperationRow.op_id).where(OperationRow.op_id.in_(wanted)))
    return frozenset(str(each) for each in found)


def is_contention(error: Exception) -> bool:
    """Tell whether a transaction only lost against another one, and may be tried again."""
    return isinstance(error, DBAPIError) and isinstance(error.orig, CONTENTION)


def is_outage_of_database(error: Exception) -> bool:
    """Tell whether the database itself is gone."""
    return isinstance(error, OperationalError) and not is_contention(error)


def is_unkeepable(error: Exception) -> bool:
    """Tell whether a value is of a kind that the database cannot keep, however often it comes."""
    return isinstance(error, DataError)
