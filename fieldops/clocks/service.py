"""
Limits at work: started, held, stopped, and escalated once at each step of the ladder.

Nothing is counted up: what has elapsed and when it is due is worked out in the database from
spans of time, whenever something happens, and kept as a moment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fieldops.clocks import queries
from fieldops.clocks.queries import (
    ClockView,
    Criteria,
    Escalation,
    Hold,
    Note,
    Subject,
    Turn,
)
from fieldops.events.service import SYSTEM, append_event
from fieldops.language import TIMEZONE

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Mapping
    from typing import Any

    from sqlalchemy.orm import Session

__all__ = [
    "ClockView",
    "Criteria",
    "Escalation",
    "Hold",
    "Note",
    "Subject",
    "Turn",
]


def start_clocks(
    session: Session,
    subject: Subject,
    criteria: Criteria,
    *,
    starts_at: str,
    at: dt.datetime,
    without: Iterable[str] = (),
) -> None:
    """Start the clocks that begin with a moment, as "reported"; one that runs already runs on."""
    queries.insert_clocks(
        session,
        subject,
        criteria,
        starts_at=starts_at,
        at=at,
        without=without,
        timezone=TIMEZONE,
    )


def stop_clocks(
    session: Session,
    subject: Subject,
    *,
    at: dt.datetime,
    now: dt.datetime,
    kinds: Iterable[str] | None = None,
) -> None:
    """Stop clocks of some kinds, or all; a step that was passed unseen is raised before."""
    escalate(session, now, until=at, subject=subject)
    queries.update_stopped(session, subject, kinds, at)


def renew_limits(session: Session, subject: Subject, criteria: Criteria) -> None:
    """Hold running clocks to what is promised for the case as it is known now, if stricter."""
    queries.update_limits(session, subject, criteria, TIMEZONE)


def continue_clocks(
    session: Session,
    subject: Subject,
    kinds: Iterable[str],
    *,
    paused_until: dt.datetime | None = None,
) -> None:
    """
    Let stopped clocks run on: what had stopped them was sent back.

    With `paused_until` nobody was to do anything from then on when each stopped to that moment.
    """
    queries.update_running_again(session, subject, kinds, paused_until)
    queries.update_dues(session, subject)


def hold_clocks(
    session: Session, subject: Subject, *, from_at: dt.datetime, until: dt.datetime, reason: str
) -> None:
    """Begin a hold: it excuses until it ends, and no longer than it was said to last."""
    queries.insert_hold(session, subject, from_at, until, reason)
    queries.update_dues(session, subject)


def extend_hold(session: Session, subject: Subject, until: dt.datetime) -> None:
    """Change until when the hold that lasts is excused."""
    queries.update_hold_until(session, subject, until)
    queries.update_dues(session, subject)


def end_hold(session: Session, subject: Subject, at: dt.datetime) -> None:
    """End the hold that lasts, if one does."""
    queries.update_hold_ended(session, subject, at)
    queries.update_dues(session, subject)


def read_dues(session: Session, subject: Subject) -> dict[str, dt.datetime]:
    """Give when the first running clock of each kind is due."""
    return queries.fetch_dues(session, subject)


def list_clocks(session: Session, subject: Subject, now: dt.datetime) -> list[ClockView]:
    """Give all clocks of a subject, stopped ones too."""
    return queries.fetch_clocks(session, subject, now)


def list_holds(session: Session, subject: Subject) -> list[Hold]:
    """Give the holds of a subject."""
    return queries.fetch_holds(session, subject)


def list_overdue(
    session: Session, subject_kind: str, now: dt.datetime, limit: int = 500
) -> list[ClockView]:
    """Give the clocks past their limit, the worst first; held subjects stay on the list."""
    return queries.fetch_overdue(session, subject_kind, now, limit)


def escalate(
    session: Session,
    now: dt.datetime,
    *,
    until: dt.datetime | None = None,
    subject: Subject | None = None,
) -> int:
    """Raise every step that was reached and not raised yet, and count them."""
    count = 0
    while found := queries.raise_escalations(session, until or now, now, subject):
        for each in found:
            _tell(session, each, now)
        count += len(found)
    return count


def _tell(session: Session, escalation: Escalation, now: dt.datetime) -> None:
    append_event(
        session,
        f"{escalation.subject_kind}.escalated",
        (escalation.subject_kind, escalation.subject_key),
        by=SYSTEM,
        now=now,
        occurred_at=min(now, escalation.due_at),
        body={
            "id": escalation.subject_id,
            "clock": escalation.clock_kind,
            "percent": escalation.percent,
            "reached_at": escalation.due_at.isoformat(),
            "limit_s": escalation.limit_s,
            "is_external": escalation.is_external,
        },
    )


def begin_turn(
    session: Session, subject: Subject, at: dt.datetime, kind: str, holder_id: str, name: str
) -> None:
    """Note who has it from now on; what the one before had ends here."""
    queries.insert_turn(session, subject, at, (kind, holder_id, name))


def list_turns(session: Session, subject: Subject, now: dt.datetime) -> list[Turn]:
    """Give who had it, and for how long; every minute is in exactly one turn."""
    return queries.fetch_turns(session, subject, now)


def raise_note(
    session: Session, subject: Subject, kind: str, body: Mapping[str, Any], now: dt.datetime
) -> None:
    """Tell those who supervise of something, once for a subject and kind."""
    if queries.insert_note(session, subject, kind, body, now):
        append_event(
            session,
            f"{subject.kind}.noted_by_supervision",
            (subject.kind, subject.key),
            by=SYSTEM,
            now=now,
            body={"id": subject.id, "note": kind, **body},
        )


def list_notes(session: Session, subject: Subject | None = None) -> list[Note]:
    """Give the notes of a subject, or the newest of all."""
    return queries.fetch_notes(session, subject)


def recount_calendar(session: Session, calendar_id: str) -> int:
    """Work out anew when the running clocks of a calendar are due, and count them."""
    return queries.update_dues_of_calendar(session, calendar_id)
