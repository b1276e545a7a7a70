"""SQL of clocks: which limits apply, when they are reached, and who had what for how long."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert

from fieldops.clocks.models import SupervisionNote

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Mapping

    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class Subject:
    """What is timed: named as in the log, with the id that people know."""

    kind: str
    key: int
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Criteria:
    """What a limit depends on; None where it is not known."""

    work_kind: str
    severity: str | None = None
    diameter_mm: float | None = None
    area_class: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockView:
    """A clock as it stands: `due_at` None where its calendar never gets there."""

    key: int
    subject_kind: str
    subject_key: int
    subject_id: str
    kind: str
    is_external: bool
    limit_s: int
    calendar_id: str
    started_at: dt.datetime
    stopped_at: dt.datetime | None
    due_at: dt.datetime | None
    elapsed_s: float
    escalated_percent: int
    source: str | None

    @property
    def percent(self) -> float:
        """Give how much of the limit is used up."""
        return 100 * self.elapsed_s / self.limit_s


@dataclass(frozen=True, slots=True)
class Hold:
    """A wait, why, and until when it is excused."""

    from_at: dt.datetime
    excused_until: dt.datetime
    ended_at: dt.datetime | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A span in which one holder had it; `ended_at` is now where it still lasts."""

    holder_kind: str
    holder_id: str
    holder_name: str
    started_at: dt.datetime
    ended_at: dt.datetime
    is_last: bool

    @property
    def minutes(self) -> float:
        """Give its length."""
        return (self.ended_at - self.started_at).total_seconds() / 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Escalation:
    """A step of the ladder that was just raised."""

    subject_kind: str
    subject_key: int
    subject_id: str
    clock_kind: str
    is_external: bool
    percent: int
    due_at: dt.datetime
    limit_s: int


@dataclass(frozen=True, slots=True)
class Note:
    """Something to be looked at by those who supervise."""

    subject_kind: str
    subject_id: str
    kind: str
    body: Mapping[str, Any]
    raised_at: dt.datetime


HOLDS = "CASE WHEN {0}is_stopped_by_holds THEN clock_holds(:kind, :key) ELSE '{{}}' END"
DUES = ", ".join(
    f"clock_due({{0}}calendar_id, {{1}}, {{0}}limit_s * {share}, {HOLDS}{{2}})"
    for share in (0.8, 1.0, 1.5)
)
RUNNING_DUES = DUES.format("", "started_at", " + pauses")

# Which rows fit a case; of these counts the one that says most about it; of equals, the newest.
FITS = """valid_from <= local::date AND coalesce(valid_to, local::date) >= local::date
          AND coalesce(work_kind, :work_kind) = :work_kind
          AND (severity IS NULL OR severity = CAST(:severity AS text))
          AND (area_class IS NULL OR area_class = CAST(:area_class AS text))
          AND (diameter_from_mm IS NULL OR diameter_from_mm <= CAST(:diameter_mm AS float))
          AND (diameter_to_mm IS NULL OR diameter_to_mm >= CAST(:diameter_mm AS float))
          AND (time_class IS NULL OR CASE WHEN t.starts < t.ends
               THEN local::time >= t.starts AND local::time < t.ends
               ELSE local::time >= t.starts OR local::time < t.ends END)"""
WEIGHT = """num_nonnulls(work_kind, severity, area_class, time_class)
            + num_nonnulls(diameter_from_mm, diameter_to_mm) / 2.0 DESC, valid_from DESC"""
START_CLOCKS = f"""
    INSERT INTO clock (subject_kind, subject_key, subject_id, kind, is_external, limit_key, limit_s,
        calendar_id, is_stopped_by_holds, started_at, due_80_at, due_at, due_150_at)
    SELECT :kind, :key, :id, clock_kind, is_external, l.key, limit_s, calendar_id,
        is_stopped_by_holds, :at, {DUES.format("l.", ":at", "")}
    FROM (
        SELECT DISTINCT ON (clock_kind, is_external) c.*
        FROM clock_limit AS c
        LEFT JOIN time_class AS t ON t.id = c.time_class
        CROSS JOIN (SELECT CAST(:at AS timestamptz) AT TIME ZONE :timezone AS local) AS clock
        WHERE starts_at = :starts_at AND clock_kind <> ALL (:without)
          AND {FITS}
        ORDER BY clock_kind, is_external, {WEIGHT}, key DESC
    ) AS l
    ON CONFLICT DO NOTHING
"""  # noqa: S608 - only expressions of this module

# The case has changed: what was promised for the new one counts from the same start, if sooner.
RENEW_CLOCKS = f"""
    UPDATE clock SET limit_key = fresh.limit_key, limit_s = fresh.limit_s,
        calendar_id = fresh.calendar_id, is_stopped_by_holds = fresh.is_stopped_by_holds,
        due_80_at = fresh.due_80_at, due_at = fresh.due_at, due_150_at = fresh.due_150_at
    FROM (
        SELECT clock_key, l.key AS limit_key, limit_s, calendar_id, is_stopped_by_holds, dues.*
        FROM (
            SELECT DISTINCT ON (running.key) running.key AS clock_key, running.started_at AS begun,
                running.pauses, c.*
            FROM clock AS running
            CROSS JOIN LATERAL (
                SELECT starts_at AS first_moment FROM clock_limit WHERE key = running.limit_key
            ) AS was
            JOIN clock_limit AS c ON c.clock_kind = running.kind
                AND c.is_external = running.is_external AND c.starts_at = first_moment
            LEFT JOIN time_class AS t ON t.id = c.time_class
            CROSS JOIN LATERAL (SELECT running.started_at AT TIME ZONE :timezone AS local) AS there
            WHERE running.subject_kind = :kind AND running.subject_key = :key
              AND running.stopped_at IS NULL AND {FITS}
            ORDER BY running.key, {WEIGHT}, c.key DESC
        ) AS l
        CROSS JOIN LATERAL (
            SELECT * FROM (SELECT {DUES.format("l.", "begun", " + l.pauses")})
                AS reached (due_80_at, due_at, due_150_at)
        ) AS dues
    ) AS fresh
    WHERE clock.key = fresh.clock_key AND clock.limit_key <> fresh.limit_key
      AND (clock.due_at IS NULL OR fresh.due_at < clock.due_at)
"""  # noqa: S608 - only expressions of this module


def insert_clocks(
    session: Session,
    subject: Subject,
    criteria: Criteria,
    *,
    starts_at: str,
    at: dt.datetime,
    without: Iterable[str],
    timezone: str,
) -> None:
    """Start the clocks of every limit that begins with this moment and fits the case."""
    session.execute(
        text(START_CLOCKS),
        {
            **_of(subject),
            "id": subject.id,
            "starts_at": starts_at,
            "at": at,
            "without": list(without),
            "timezone": timezone,
            **_case(criteria),
        },
    )


def _case(criteria: Criteria) -> dict[str, Any]:
    return {
        "work_kind": criteria.work_kind,
        "severity": criteria.severity,
        "area_class": criteria.area_class,
        "diameter_mm": criteria.diameter_mm,
    }


def update_limits(session: Session, subject: Subject, criteria: Criteria, timezone: str) -> None:
    """Give the running clocks the limits of the case as it is now, where those are stricter."""
    session.execute(text(RENEW_CLOCKS), {**_of(subject), **_case(criteria), "timezone": timezone})


def _of(subject: Subject) -> dict[str, Any]:
    return {"kind": subject.kind, "key": subject.key}


WHERE_RUNNING = "subject_kind = :kind AND subject_key = :key AND stopped_at IS NULL"


def update_stopped(
    session: Session, subject: Subject, kinds: Iterable[str] | None, at: dt.datetime
) -> None:
    """Stop the running clocks of some kinds, or all of them."""
    session.execute(
        text(
            f"UPDATE clock SET stopped_at = greatest(:at, started_at) WHERE {WHERE_RUNNING}"  # noqa: S608
            " AND (CAST(:kinds AS text[]) IS NULL OR kind = ANY(:kinds))"
        ),
        {**_of(subject), "at": at, "kinds": None if kinds is None else list(kinds)},
    )


def update_running_again(
    session: Session, subject: Subject, kinds: Iterable[str], paused_until: dt.datetime | None
) -> None:
    """
    Let the last clock of each kind run on, as if it had never been stopped.

    With `paused_until` the time from its own stop to that moment never counts.
    """
    session.execute(
        text(
            """
            UPDATE clock SET stopped_at = NULL, pauses = pauses + CASE
                WHEN stopped_at < CAST(:until AS timestamptz)
                THEN tstzmultirange(tstzrange(stopped_at, :until)) ELSE '{}' END
            WHERE key IN (
                SELECT DISTINCT ON (kind, is_external) key FROM clock
                WHERE subject_kind = :kind AND subject_key = :key AND kind = ANY(:kinds)
                ORDER BY kind, is_external, key DESC)
            """
        ),
        {**_of(subject), "kinds": list(kinds), "until": paused_until},
    )


def update_dues(session: Session, subject: Subject) -> None:
    """Work out anew when the running clocks of a subject reach their limits."""
    session.execute(
        text(
            "UPDATE clock SET (due_80_at, due_at, due_150_at) ="  # noqa: S608
            f" ROW({RUNNING_DUES}) WHERE {WHERE_RUNNING}"
        ),
        _of(subject),
    )


def fetch_dues(session: Session, subject: Subject) -> dict[str, dt.datetime]:
    """Give when the first running clock of each kind is due."""
    rows = session.execute(
        text(
            f"SELECT kind, min(due_at) FROM clock WHERE {WHERE_RUNNING}"  # noqa: S608
            " AND due_at IS NOT NULL GROUP BY kind"
        ),
        _of(subject),
    )
    return {row[0]: row[1] for row in rows}


def insert_hold(
    session: Session, subject: Subject, from_at: dt.datetime, until: dt.datetime, reason: str
) -> None:
    """Begin a hold."""
    session.execute(
        text(
            "INSERT INTO clock_hold (subject_kind, subject_key, from_at, excused_until, reason)"
            " VALUES (:kind, :key, :from_at, greatest(:from_at, :until), :reason)"
        ),
        {**_of(subject), "from_at": from_at, "until": until, "reason": reason},
    )


def update_hold_ended(session: Session, subject: Subject, at: dt.datetime) -> None:
    """End the hold that lasts, if one does."""
    session.execute(
        text(
            "UPDATE clock_hold SET ended_at = greatest(:at, from_at)"
            " WHERE subject_kind = :kind AND subject_key = :key AND ended_at IS NULL"
        ),
        {**_of(subject), "at": at},
    )


def update_hold_until(session: Session, subject: Subject, until: dt.datetime) -> None:
    """Change until when the hold that lasts is excused."""
    session.execute(
        text(
            "UPDATE clock_hold SET excused_until = greatest(:until, from_at)"
            " WHERE subject_kind = :kind AND subject_key = :key AND ended_at IS NULL"
        ),
        {**_of(subject), "until": until},
    )


def fetch_holds(session: Session, subject: Subject) -> list[Hold]:
    """Give the holds of a subject, the first first."""
    rows = session.execute(
        text(
            "SELECT from_at, excused_until, ended_at, reason FROM clock_hold"
            " WHERE subject_kind = :kind AND subject_key = :key ORDER BY key"
        ),
        _of(subject),
    )
    return [Hold(*row) for row in rows]


VIEW = """
    SELECT clock.key, clock.subject_kind, clock.subject_key, clock.subject_id, clock.kind,
        clock.is_external, clock.limit_s, clock.calendar_id, clock.started_at, clock.stopped_at,
        clock.due_at,
        clock_elapsed_s(clock.calendar_id, clock.started_at, coalesce(clock.stopped_at, :now),
            CASE WHEN clock.is_stopped_by_holds
            THEN clock_holds(clock.subject_kind, clock.subject_key) ELSE '{}' END + clock.pauses)
            AS elapsed_s,
        clock.escalated_percent, clock_limit.source
    FROM clock LEFT JOIN clock_limit ON clock_limit.key = clock.limit_key
"""


def fetch_clocks(session: Session, subject: Subject, now: dt.datetime) -> list[ClockView]:
    """Give all clocks of a subject, the first first."""
    rows = session.execute(
        text(f"{VIEW} WHERE subject_kind = :kind AND subject_key = :key ORDER BY clock.key"),
        {**_of(subject), "now": now},
    )
    return [ClockView(**row) for row in rows.mappings()]


def fetch_overdue(
    session: Session, subject_kind: str, now: dt.datetime, limit: int
) -> list[ClockView]:
    """Give the running clocks of a kind of subject that are past their limit, the worst first."""
    rows = session.execute(
        text(
            f"{VIEW} WHERE stopped_at IS NULL AND due_at < :now AND subject_kind = :kind"
            " ORDER BY due_at LIMIT :limit"
        ),
        {"kind": subject_kind, "now": now, "limit": limit},
    )
    return [ClockView(**row) for row in rows.mappings()]


RAISE = """
    WITH due AS (
        SELECT key, next_at,
            CASE WHEN escalated_percent < 80 THEN 80 WHEN escalated_percent < 100 THEN 100
                 ELSE 150 END AS percent
        FROM clock
        WHERE next_at <= :now
          AND (CAST(:kind AS text) IS NULL OR subject_kind = :kind AND subject_key = :key)
        ORDER BY next_at LIMIT :limit FOR UPDATE SKIP LOCKED
    ), raised AS (
        INSERT INTO clock_escalation (clock_key, percent, due_at, raised_at)
        SELECT key, percent, next_at, :raised_at FROM due
        ON CONFLICT DO NOTHING
    )
    UPDATE clock SET escalated_percent = due.percent FROM due WHERE clock.key = due.key
    RETURNING clock.subject_kind, clock.subject_key, clock.subject_id, clock.kind AS clock_kind,
        clock.is_external, due.percent, due.next_at AS due_at, clock.limit_s
"""


def raise_escalations(
    session: Session,
    until: dt.datetime,
    raised_at: dt.datetime,
    subject: Subject | None = None,
    limit: int = 200,
) -> list[Escalation]:
    """Raise the next step of every clock that reached it, of one subject or of all."""
    rows = session.execute(
        text(RAISE),
        {
            "now": until,
            "raised_at": raised_at,
            "limit": limit,
            "kind": subject and subject.kind,
            "key": subject and subject.key,
        },
    )
    return [Escalation(**row) for row in rows.mappings()]


def insert_turn(
    session: Session, subject: Subject, at: dt.datetime, holder: tuple[str, str, str]
) -> None:
    """
    Begin a turn, unless this holder has it already.

    Two turns at the same instant are one, the later holder's.
    """
    session.execute(
        text(
            """
            INSERT INTO holder_turn
                (subject_kind, subject_key, started_at, holder_kind, holder_id, holder_name)
            SELECT :kind, :key, :at, :holder_kind, :holder_id, :name
            WHERE (CAST(:holder_kind AS text), CAST(:holder_id AS text)) IS DISTINCT FROM (
                SELECT (holder_kind, holder_id) FROM holder_turn
                WHERE subject_kind = :kind AND subject_key = :key AND started_at <= :at
                ORDER BY started_at DESC LIMIT 1)
            ON CONFLICT ON CONSTRAINT pk_holder_turn DO UPDATE SET
                holder_kind = excluded.holder_kind, holder_id = excluded.holder_id,
                holder_name = excluded.holder_name
            """
        ),
        {
            **_of(subject),
            "at": at,
            "holder_kind": holder[0],
            "holder_id": holder[1],
            "name": holder[2],
        },
    )


def fetch_turns(session: Session, subject: Subject, now: dt.datetime) -> list[Turn]:
    """Give the turns of a subject in order; those of nobody are left out."""
    rows = session.execute(
        text(
            """
            SELECT * FROM (
                SELECT holder_kind, holder_id, holder_name, started_at,
                    coalesce(lead(started_at) OVER later, greatest(:now, started_at)) AS ended_at,
                    lead(started_at) OVER later IS NULL AS is_last
                FROM holder_turn WHERE subject_kind = :kind AND subject_key = :key
                WINDOW later AS (ORDER BY started_at)
            ) AS turns WHERE holder_kind <> 'nobody' ORDER BY started_at
            """
        ),
        {**_of(subject), "now": now},
    )
    return [Turn(**row) for row in rows.mappings()]


def insert_note(
    session: Session, subject: Subject, kind: str, body: Mapping[str, Any], now: dt.datetime
) -> bool:
    """Raise a note once, and tell whether it is new."""
    query = (
        insert(SupervisionNote)
        .values(
            subject_kind=subject.kind,
            subject_key=subject.key,
            subject_id=subject.id,
            kind=kind,
            body=dict(body),
            raised_at=now,
        )
        .on_conflict_do_nothing()
        .returning(SupervisionNote.key)
    )
    return session.execute(query).first() is not None


def fetch_notes(session: Session, subject: Subject | None = None) -> list[Note]:
    """Give the notes of a subject, or the newest of all."""
    rows = session.execute(
        text(
            "SELECT subject_kind, subject_id, kind, body, raised_at FROM supervision_note"
            " WHERE CAST(:kind AS text) IS NULL OR subject_kind = :kind AND subject_key = :key"
            " ORDER BY key DESC LIMIT 200"
        ),
        {"kind": subject and subject.kind, "key": subject and subject.key},
    )
    return [Note(*row) for row in rows]


def update_dues_of_calendar(session: Session, calendar_id: str) -> int:
    """Work out anew when the running clocks of a calendar reach their limits, and count them."""
    holds = (
        "CASE WHEN is_stopped_by_holds THEN clock_holds(subject_kind, subject_key) ELSE '{}' END"
        " + pauses"
    )
    dues = ", ".join(
        f"clock_due(calendar_id, started_at, limit_s * {share}, {holds})"
        for share in (0.8, 1.0, 1.5)
    )
    query = (
        f"WITH changed AS (UPDATE clock SET (due_80_at, due_at, due_150_at) = ROW({dues})"  # noqa: S608
        " WHERE stopped_at IS NULL AND calendar_id = :calendar RETURNING key)"
        " SELECT count(*) FROM changed"
    )
    return int(session.execute(text(query), {"calendar": calendar_id}).scalar_one())
