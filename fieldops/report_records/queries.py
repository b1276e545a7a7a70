"""SQL about reports and calling back."""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - kept in dataclasses
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from sqlalchemy import Text, func, insert, literal_column, select, text, update

from fieldops.report_records.models import CallBackRow, ReportRow

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import ColumnElement, Row, Select
    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What somebody told, and what became of it."""

    key: int
    id: str
    kind: str
    contact: str
    channel: str
    words: str
    danger: bool
    is_drill: bool
    name: str | None
    phone: str | None
    lon: float | None
    lat: float | None
    address: str | None
    pipe: str | None
    pipe_key: int | None
    at_m: float | None
    part_key: int | None
    customer: str | None
    customer_key: int | None
    incident: str | None
    incident_key: int | None
    link_kind: str | None
    linked_by: str | None
    parted_from: list[int]
    outage_key: int | None
    promise: dict[str, Any] | None
    status: str
    first_contact_id: int | None
    first_contact_by: str | None
    received_at: dt.datetime
    ended_at: dt.datetime | None
    photo_sha256: list[str]
    client_id: str | None
    token: str | None
    version: int
    changed_in: dict[str, int]


# Written out, because SQLAlchemy would not tie a subquery to the row that an INSERT returns.
_NAMED = {
    name: literal_column(
        f"(SELECT {name}.id FROM {name} WHERE {name}.key = report.{name}_key)",  # noqa: S608 - literals
        Text,
    ).label(name)
    for name in ("pipe", "customer", "incident")
}


_COLUMNS = [
    _NAMED[field.name] if field.name in _NAMED else getattr(ReportRow, field.name)
    for field in fields(Report)
]


def _select() -> Select[Any]:
    return select(*_COLUMNS)


def _as_report(row: Row[Any]) -> Report:
    return Report(**row._mapping)  # noqa: SLF001 - its public name


def storable(values: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out the one character that PostgreSQL cannot keep."""
    return {
        name: value.replace("\0", "") if isinstance(value, str) else value
        for name, value in values.items()
    }


def insert_report(session: Session, values: Mapping[str, Any]) -> Report:
    """Write a report."""
    return _as_report(
        session.execute(insert(ReportRow).values(**storable(values)).returning(*_COLUMNS)).one()
    )


def update_report(session: Session, key: int, values: Mapping[str, Any]) -> Report:
    """Change a report and give it as it is then."""
    statement = update(ReportRow).where(ReportRow.key == key).values(**storable(values))
    return _as_report(session.execute(statement.returning(*_COLUMNS)).one())


def fetch_report(session: Session, report_id: str, *, is_locking: bool = False) -> Report | None:
    """Read a report by its id; lock it where it is going to be changed."""
    statement = _select().where(ReportRow.id == report_id.replace("\0", "?"))
    if is_locking:
        statement = statement.with_for_update(of=ReportRow)
    row = session.execute(statement).one_or_none()
    return _as_report(row) if row else None


def fetch_by_token(session: Session, token: str, *, is_locking: bool = False) -> Report | None:
    """Read the report that a reporter's own page is about."""
    statement = _select().where(ReportRow.token == token.replace("\0", "?"))
    if is_locking:
        statement = statement.with_for_update(of=ReportRow)
    row = session.execute(statement).one_or_none()
    return _as_report(row) if row else None


def fetch_by_client_id(session: Session, client_id: str) -> Report | None:
    """Read the report that a machine has sent before."""
    row = session.execute(
        _select().where(ReportRow.client_id == client_id.replace("\0", ""))
    ).one_or_none()
    return _as_report(row) if row else None


def fetch_of_incidents(session: Session, incident_keys: Sequence[int]) -> list[Report]:
    """Read the reports that are linked to some incidents, in the order they came."""
    rows = session.execute(
        _select()
        .where(ReportRow.incident_key.in_(incident_keys))
        .order_by(ReportRow.received_at, ReportRow.key)
    )
    return [_as_report(row) for row in rows]


def fetch_by_status(session: Session, statuses: Sequence[str], limit: int) -> list[Report]:
    """Read reports that stand so, the oldest first."""
    rows = session.execute(
        _select()
        .where(ReportRow.status.in_(statuses))
        .order_by(ReportRow.received_at, ReportRow.key)
        .limit(limit)
    )
    return [_as_report(row) for row in rows]


def fetch_latest(session: Session, limit: int) -> list[Report]:
    """Read the reports that came last."""
    rows = session.execute(_select().order_by(ReportRow.key.desc()).limit(limit))
    return [_as_report(row) for row in rows]


def fetch_by_phone(session: Session, phone: str, limit: int) -> list[Report]:
    """Read what came from a telephone before."""
    rows = session.execute(
        _select()
        .where(ReportRow.phone == phone.replace("\0", ""))
        .order_by(ReportRow.received_at.desc())
        .limit(limit)
    )
    return [_as_report(row) for row in rows]


def link_all_in_zone(
    session: Session,
    incident_key: int,
    zone_parts: Sequence[int],
    kinds: Sequence[str],
    since: dt.datetime,
) -> list[Report]:
    """Link what was told of a segment before anybody opened an incident there."""
    return _link_all(session, incident_key, ReportRow.part_key.in_(zone_parts), kinds, since)


def link_all_on_pipes(
    session: Session,
    incident_key: int,
    pipe_keys: Sequence[int],
    kinds: Sequence[str],
    since: dt.datetime,
) -> list[Report]:
    """Link what was told of pipes that an outage of the incident leaves dry."""
    return _link_all(
        session, incident_key, ReportRow.pipe_key == func.any(list(pipe_keys)), kinds, since
    )


def _link_all(
    session: Session,
    incident_key: int,
    where: ColumnElement[bool],
    kinds: Sequence[str],
    since: dt.datetime,
) -> list[Report]:
    rows = session.execute(
        update(ReportRow)
        .where(
            where,
            ReportRow.status == "open",
            ReportRow.incident_key.is_(None),
            ReportRow.kind.in_(kinds),
            ReportRow.received_at >= since,
            ~ReportRow.parted_from.contains([incident_key]),
        )
        .values(
            incident_key=incident_key,
            link_kind="zone",
            status="linked",
            version=ReportRow.version + 1,
        )
        .returning(*_COLUMNS)
    )
    return [_as_report(row) for row in rows]


def end_linked(session: Session, incident_key: int, now: dt.datetime) -> list[Report]:
    """Make those who told of an incident due to be called back; who left no number is done."""
    rows = session.execute(
        text(
            "UPDATE report SET version = version + 1,"
            " status = CASE WHEN phone IS NULL THEN 'closed' ELSE 'callback_due' END,"
            " ended_at = CASE WHEN phone IS NULL THEN CAST(:now AS timestamptz) END"
            " WHERE incident_key = :key AND status = 'linked' RETURNING key"
        ),
        {"key": incident_key, "now": now},
    ).scalars()
    return _fetch_keys(session, list(rows))


def resume_linked(session: Session, incident_key: int) -> list[Report]:
    """Link again those who wait for a call about an incident that was not over."""
    rows = session.execute(
        text(
            "UPDATE report SET version = version + 1, status = 'linked', ended_at = NULL"
            " WHERE incident_key = :key AND (status IN ('callback_due', 'open')"
            " OR (status = 'closed' AND phone IS NULL)) RETURNING key"
        ),
        {"key": incident_key},
    ).scalars()
    return _fetch_keys(session, list(rows))


def _fetch_keys(session: Session, keys: list[int]) -> list[Report]:
    if not keys:
        return []
    rows = session.execute(_select().where(ReportRow.key.in_(keys)).order_by(ReportRow.key))
    return [_as_report(row) for row in rows]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallBack:
    """A try to call somebody back."""

    result: str
    note: str
    at: dt.datetime
    person_name: str


def insert_call_back(session: Session, values: Mapping[str, Any]) -> None:
    """Write down a try to call back."""
    session.execute(insert(CallBackRow).values(**storable(values)))


def fetch_call_backs(session: Session, report_keys: Sequence[int]) -> dict[int, list[CallBack]]:
    """Read the tries to call some reporters back."""
    rows = session.scalars(
        select(CallBackRow).where(CallBackRow.report_key.in_(report_keys)).order_by(CallBackRow.key)
    )
    found: dict[int, list[CallBack]] = {}
    for row in rows:
        tried = CallBack(result=row.result, note=row.note, at=row.at, person_name=row.person_name)
        found.setdefault(row.report_key, []).append(tried)
    return found


def lock_client(session: Session, client_id: str) -> None:
    """Take what comes with one number one after the other."""
    session.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended(:client, 11))"),
        {"client": client_id.replace("\0", "")},
    )
