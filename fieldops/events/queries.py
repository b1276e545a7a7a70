"""Reading the log, and writing its next lines."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import event as hooks
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from fieldops.events.models import EventHead, EventRow

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DRAFTS = "events.drafts"
"""Where a session keeps what its transaction has to say, until it commits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """
    Something that happened; `position` is None until its transaction commits.

    `occurred_at` is what the device claims, `received_at` the server's clock.
    """

    kind: str
    subject_kind: str
    subject_key: int
    body: Mapping[str, Any]
    occurred_at: dt.datetime
    received_at: dt.datetime
    person_id: int | None = None
    person_name: str | None = None
    by_phone_for: str | None = None
    device: str | None = None
    op_id: str | None = None
    position: int | None = None


def draft_event(session: Session, event: Event) -> None:
    """Keep an event to be written as the transaction's last statement; a rollback forgets it."""
    transaction = session.get_nested_transaction() or session.get_transaction()
    session.info.setdefault(DRAFTS, []).append((transaction, event))


@hooks.listens_for(Session, "before_commit")
def _write_drafts(session: Session) -> None:
    """Write what the transaction has to say, last of all, so that the head is locked briefly."""
    if session.in_nested_transaction():
        return
    session.flush()
    drafts = session.info.pop(DRAFTS, [])
    if drafts:
        rows = [_as_draft(event) for _, event in drafts]
        session.execute(
            select(func.append_events(text("CAST(:drafts AS jsonb)"))),
            {"drafts": json.dumps(rows, ensure_ascii=False)},
        )


@hooks.listens_for(Session, "after_soft_rollback")
def _forget_drafts(session: Session, previous: object) -> None:
    """Forget what was drafted inside the transaction or savepoint that is rolled back."""
    drafts = session.info.get(DRAFTS)
    if drafts:
        session.info[DRAFTS] = [
            (made_in, event) for made_in, event in drafts if not _is_within(made_in, previous)
        ]


def _is_within(transaction: Any, outer: object) -> bool:  # noqa: ANN401 - SQLAlchemy's own
    while transaction is not None:
        if transaction is outer:
            return True
        transaction = transaction.parent
    return False


def _as_draft(event: Event) -> dict[str, Any]:
    row = asdict(event)
    del row["position"]
    row["occurred_at"] = event.occurred_at.isoformat()
    row["received_at"] = event.received_at.isoformat()
    return row


def fetch_head(session: Session) -> int:
    """Read the newest position; 0 while nothing has happened."""
    return session.execute(select(EventHead.position)).scalar_one()


def fetch_events_after(session: Session, position: int, limit: int = 500) -> list[Event]:
    """Read what happened after a position, in order."""
    rows = session.scalars(
        select(EventRow)
        .where(EventRow.position > position)
        .order_by(EventRow.position)
        .limit(limit)
    )
    return [_as_event(row) for row in rows]


def fetch_events_of(
    session: Session, subject_kind: str, keys: Sequence[int], limit: int = 500
) -> list[Event]:
    """Read what happened to some subjects of a kind, in order."""
    rows = session.scalars(
        select(EventRow)
        .where(EventRow.subject_kind == subject_kind, EventRow.subject_key.in_(keys))
        .order_by(EventRow.position)
        .limit(limit)
    )
    return [_as_event(row) for row in rows]


def _as_event(row: EventRow) -> Event:
    return Event(
        kind=row.kind,
        subject_kind=row.subject_kind,
        subject_key=row.subject_key,
        body=row.body,
        occurred_at=row.occurred_at.astimezone(dt.UTC),
        received_at=row.received_at.astimezone(dt.UTC),
        person_id=row.person_id,
        person_name=row.person_name,
        by_phone_for=row.by_phone_for,
        device=row.device,
        op_id=str(row.op_id) if row.op_id else None,
        position=row.position,
    )
