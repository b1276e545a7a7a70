"""Reading the log, and writing its next lines."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from sqlalchemy import event as hooks
from sqlalchemy import func, insert, select, text
from sqlalchemy.orm import Session

from fieldops.events.models import EventHead, EventRow, OperationRow

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TABLES = {
    "work_order": "work_order",
    "incident": "incident",
    "outage": "outage",
    "report": "report",
    "crew": "crew",
    "valve": "valve",
    "shutdown": "shutdown",
    "map_proposal": "map_proposal",
    "track": "track",
}
"""Where subjects with a text id stand."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """
    An operation with the answer that was given; `result` is as it was, before translation.

    `digest` covers all that was sent, so that another thing under the same op_id is found out.
    """

    op_id: str
    device: str
    sequence: int | None
    subject: str
    action: str
    digest: bytes
    result: Mapping[str, Any]
    person_id: int
    occurred_at: dt.datetime
    received_at: dt.datetime
    skew_s: float | None


@dataclass(frozen=True, slots=True)
class Chain:
    """What the verification of the log found; `broken_at` is the first position that is wrong."""

    count: int
    head: int
    hash: bytes
    broken_at: int | None


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
    session: Session,
    subject_kind: str,
    keys: Sequence[int],
    limit: int = 500,
    *,
    kind: str | None = None,
) -> list[Event]:
    """Read what happened to some subjects of a kind, in order; `kind`: only these events."""
    wanted = [EventRow.subject_kind == subject_kind, EventRow.subject_key.in_(keys)]
    if kind is not None:
        wanted.append(EventRow.kind == kind)
    rows = session.scalars(select(EventRow).where(*wanted).order_by(EventRow.position).limit(limit))
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


def fetch_key(session: Session, kind: str, subject_id: str) -> int | None:
    """Read the key of a subject by its kind and text id, None if there is none."""
    table = TABLES.get(kind)
    if table is None:
        return int(subject_id) if subject_id.isascii() and subject_id.isdigit() else None
    query = text(f'SELECT key FROM "{table}" WHERE id = :id')  # noqa: S608 - one of ours
    key: int | None = session.execute(query, {"id": subject_id}).scalar_one_or_none()
    return key


def lock_operation(session: Session, op_id: str) -> None:
    """Make whoever sends the same operation wait until this transaction has ended."""
    session.execute(
        select(func.pg_advisory_xact_lock(func.hashtextextended(f"fieldops.operation {op_id}", 0)))
    )


def fetch_answer(session: Session, op_id: str) -> Answered | None:
    """Read how an operation was answered, None if it never came."""
    row = session.get(OperationRow, uuid.UUID(op_id))
    if row is None:
        return None
    names = (each.name for each in fields(Answered))
    return Answered(**{name: getattr(row, name) for name in names} | {"op_id": str(row.op_id)})


def insert_answer(session: Session, answered: Answered) -> None:
    """Keep an answer for whoever asks again."""
    values = asdict(answered) | {"op_id": uuid.UUID(answered.op_id)}
    session.execute(insert(OperationRow).values(values))


LONGEST_SHIFT = 1000
"""So many operations of a device are looked through for what it did to one subject."""


def fetch_own_versions(
    session: Session, *, device: str, subject: str, after: int
) -> frozenset[int]:
    """Read the versions of a subject that a device itself has made, of late."""
    recent = (
        select(OperationRow.subject, OperationRow.result)
        .where(OperationRow.device == device, OperationRow.sequence.is_not(None))
        .order_by(OperationRow.sequence.desc())
        .limit(LONGEST_SHIFT)
        .subquery()
    )
    version = recent.c.result["version"].as_integer()
    done = recent.c.result["status"].as_string().in_(["applied", "applied_with_conflict"])
    query = select(version).where(recent.c.subject == subject, done, version > after)
    return frozenset(session.scalars(query))


VERIFICATION = text("""
    WITH chain AS (
        SELECT *, lag(position, 1, 0::bigint) OVER w AS position_before,
            lag(hash, 1, ''::bytea) OVER w AS hash_before
        FROM event WINDOW w AS (ORDER BY position)
    )
    SELECT count(*), min(position) FILTER (
        WHERE position <> position_before + 1
            OR hash <> event_hash(
                hash_before, position, kind, subject_kind, subject_key, body, person_id,
                person_name, by_phone_for, device, op_id, occurred_at, received_at)
    ) FROM chain
""")


def fetch_chain(session: Session) -> Chain:
    """Reckon the whole chain again, and hold its end against what the head says."""
    # One snapshot, or what is appended meanwhile would look like a wrong end.
    session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
    count, broken_at = session.execute(VERIFICATION).one()
    head, head_hash = session.execute(select(EventHead.position, EventHead.hash)).one()
    last = session.execute(
        select(EventRow.position, EventRow.hash).order_by(EventRow.position.desc()).limit(1)
    ).one_or_none()
    if broken_at is None and (head, head_hash) != (tuple(last) if last else (0, b"")):
        # Something was taken off the end, or put there: the first that does not agree.
        broken_at = min(head, last.position if last else 0) + 1
        if last and last.position == head:
            broken_at = head
    return Chain(count, head, bytes(head_hash), broken_at)
