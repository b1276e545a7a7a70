"""SQL about reports, what they may be the same as, and calling back."""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - kept in dataclasses
import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from sqlalchemy import Text, func, insert, literal_column, select, text, update

from fieldops.reports.models import CallBackRow, PublicPost, ReportRow

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import ColumnElement, Row, Select
    from sqlalchemy.orm import Session

METRES_A_DEGREE = 111_320


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


def insert_report(session: Session, values: Mapping[str, Any]) -> Report:
    """Write a report."""
    return _as_report(
        session.execute(insert(ReportRow).values(**values).returning(*_COLUMNS)).one()
    )


def update_report(session: Session, key: int, values: Mapping[str, Any]) -> Report:
    """Change a report and give it as it is then."""
    statement = update(ReportRow).where(ReportRow.key == key).values(**values)
    return _as_report(session.execute(statement.returning(*_COLUMNS)).one())


def fetch_report(session: Session, report_id: str, *, is_locking: bool = False) -> Report | None:
    """Read a report by its id; lock it where it is going to be changed."""
    statement = _select().where(ReportRow.id == report_id)
    if is_locking:
        statement = statement.with_for_update(of=ReportRow)
    row = session.execute(statement).one_or_none()
    return _as_report(row) if row else None


def fetch_by_token(session: Session, token: str, *, is_locking: bool = False) -> Report | None:
    """Read the report that a reporter's own page is about."""
    statement = _select().where(ReportRow.token == token)
    if is_locking:
        statement = statement.with_for_update(of=ReportRow)
    row = session.execute(statement).one_or_none()
    return _as_report(row) if row else None


def fetch_by_client_id(session: Session, client_id: str) -> Report | None:
    """Read the report that a machine has sent before."""
    row = session.execute(_select().where(ReportRow.client_id == client_id)).one_or_none()
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
        .where(ReportRow.phone == phone)
        .order_by(ReportRow.received_at.desc())
        .limit(limit)
    )
    return [_as_report(row) for row in rows]


INTAKE = 0x63616C6C
"""Key of the lock between taking calls and opening outages: "call"."""


def join_intake(session: Session) -> None:
    """Take a call among others; whoever links all at once waits for it, and it for them."""
    session.execute(text("SELECT pg_advisory_xact_lock_shared(:key)"), {"key": INTAKE})


def stop_intake(session: Session) -> None:
    """Wait for the calls that are being taken, and hold up the next ones until the commit."""
    session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": INTAKE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Near:
    """An open record near a place, in its segment or not."""

    subject: str
    key: int
    id: str
    kind: str
    address: str | None
    at: dt.datetime
    distance_m: float | None
    is_in_zone: bool
    is_planned: bool
    is_drill: bool


# One branch for each index; of each only so many, because the best are told from few.
CANDIDATES = """
    WITH here AS (SELECT ST_SetSRID(ST_MakePoint(:lon, :lat), 4326) AS point),
    near AS (
        (SELECT 'incident' AS subject, key FROM incident
         WHERE status = 'open' AND zone_parts @> CAST(:part AS bigint[])
         ORDER BY opened_at DESC LIMIT 20)
        UNION
        (SELECT 'incident', key FROM incident
         WHERE status = 'open' AND geometry && ST_MakeEnvelope(:west, :south, :east, :north, 4326)
               AND opened_at >= :since
         LIMIT 50)
        UNION
        (SELECT 'report', key FROM report
         WHERE status = 'open' AND part_key = ANY(CAST(:zone AS bigint[]))
               AND received_at >= :since
         ORDER BY received_at DESC LIMIT 50)
        UNION
        (SELECT 'report', key FROM report
         WHERE status = 'open' AND geometry && ST_MakeEnvelope(:west, :south, :east, :north, 4326)
               AND received_at >= :since
         LIMIT 200)
    )
    SELECT near.subject, near.key, found.id, found.kind, found.address, found.at,
           ST_DistanceSphere(found.geometry, here.point) AS distance_m, found.is_in_zone,
           found.is_planned, found.is_drill
    FROM here CROSS JOIN near CROSS JOIN LATERAL (
        SELECT id, kind, address, opened_at AS at, geometry, is_planned, is_drill,
               zone_parts @> CAST(:part AS bigint[]) AS is_in_zone
        FROM incident WHERE near.subject = 'incident' AND incident.key = near.key
        UNION ALL
        SELECT id, kind, address, received_at, geometry, false, is_drill,
               coalesce(part_key = ANY(CAST(:zone AS bigint[])), false)
        FROM report WHERE near.subject = 'report' AND report.key = near.key
              AND report.incident_key IS NULL
    ) found
    WHERE found.is_in_zone
          OR ST_DistanceSphere(found.geometry, here.point) <= :most_m
"""


_CANDIDATES = text(CANDIDATES)


def candidate_values(
    place: tuple[float, float],
    part_key: int | None,
    zone_parts: Sequence[int],
    limits: tuple[float, dt.datetime],
) -> dict[str, Any]:
    """Give the values of `CANDIDATES`."""
    (lon, lat), (most_m, since) = place, limits
    up = most_m / METRES_A_DEGREE
    aside = up / max(0.01, math.cos(math.radians(lat)))
    return {
        "lon": lon, "lat": lat, "most_m": most_m, "since": since,
        "west": lon - aside, "east": lon + aside, "south": lat - up, "north": lat + up,
        # Of no segment, nothing lies in the same one: -1 is no part of any pipe.
        "part": [-1 if part_key is None else part_key], "zone": list(zone_parts),
    }  # fmt: skip


def fetch_candidates(
    session: Session,
    place: tuple[float, float],
    part_key: int | None,
    zone_parts: Sequence[int],
    limits: tuple[float, dt.datetime],
) -> list[Near]:
    """Find open incidents and unlinked reports in a segment, or so near (m) and since then."""
    values = candidate_values(place, part_key, zone_parts, limits)
    rows = session.execute(_CANDIDATES, values)
    return [Near(**row._mapping) for row in rows]  # noqa: SLF001 - its public name


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
            " WHERE incident_key = :key AND status IN ('callback_due', 'open') RETURNING key"
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
    session.execute(insert(CallBackRow).values(**values))


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


def count_call_backs(session: Session, report_key: int, result: str) -> int:
    """Count the tries that ended so."""
    return session.execute(
        select(func.count()).where(
            CallBackRow.report_key == report_key, CallBackRow.result == result
        )
    ).scalar_one()


@dataclass(frozen=True, slots=True)
class Premises:
    """Where a customer is, and from which pipe it is fed first."""

    key: int
    lon: float
    lat: float
    address: str | None
    pipe_key: int | None
    at_m: float | None


PREMISES = """
    SELECT c.key, ST_X(c.geometry), ST_Y(c.geometry), c.extra->>'address', f.pipe_key, f.at_m
    FROM customer c
    LEFT JOIN LATERAL (
        SELECT pipe_key, at_m FROM customer_feed
        WHERE customer_key = c.key AND pipe_key IS NOT NULL ORDER BY rank LIMIT 1
    ) f ON true
    WHERE c.{condition}
"""


def fetch_customer(session: Session, customer: str) -> Premises | None:
    """Find a customer by its id."""
    row = session.execute(
        text(PREMISES.format(condition="id = :id")), {"id": customer}
    ).one_or_none()
    return Premises(*row) if row else None


# Exactly so, or else the only one whose address holds these words.
AT_ADDRESS = """
    SELECT key, bool_or(is_exact) AS is_exact FROM (
        SELECT key, true AS is_exact FROM search_text
        WHERE kind = 'customer' AND label = :address
        UNION ALL
        (SELECT key, false FROM search_text
         WHERE kind = 'customer' AND length(:address) >= 4 AND words LIKE :pattern LIMIT 2)
    ) found
    GROUP BY key
"""


def fetch_customer_at(session: Session, address: str) -> Premises | None:
    """Find the customer at an address, where there is only one."""
    # Between Chinese characters a blank means nothing.
    tidy = (" " if address.isascii() else "").join(address.split())
    escaped = "".join(f"\\{one}" if one in r"\%_" else one for one in tidy.lower())
    values = {"address": tidy, "pattern": f"%{escaped}%"}
    rows = session.execute(text(AT_ADDRESS), values).all()
    best = [one for one in rows if one.is_exact] or rows
    if len(best) != 1:
        return None
    row = session.execute(
        text(PREMISES.format(condition="key = :key")), {"key": best[0].key}
    ).one_or_none()
    return Premises(*row) if row else None


# The outages that gave water back since then where the pipe or the customer is.
REOPENED = """
    SELECT o.key, o.id, i.id AS incident, i.key AS incident_key, o.at FROM (
        SELECT key, id, incident_key, greatest(restored_at, (
            SELECT max(reopened_at) FROM outage_valve v WHERE v.outage_key = outage.key
        ), (
            SELECT max(restored_at) FROM outage_interval n
            WHERE n.outage_key = outage.key AND n.customer_key = :customer_key
        )) AS at
        FROM outage
        WHERE opened_at >= CAST(:since AS timestamptz) - interval '14 days'
              AND (zone_pipe_keys @> CAST(:pipe AS bigint[]) OR EXISTS (
                   SELECT FROM outage_interval n
                   WHERE n.outage_key = outage.key AND n.customer_key = :customer_key))
    ) o
    LEFT JOIN incident i ON i.key = o.incident_key
    WHERE o.at >= :since AND o.at <= :now
    ORDER BY o.at DESC LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Reopening:
    """An outage that gave water back a short while ago."""

    outage_key: int
    outage: str
    incident: str | None
    incident_key: int | None
    at: dt.datetime


def fetch_reopening(
    session: Session,
    pipe_key: int | None,
    customer_key: int | None,
    since: dt.datetime,
    now: dt.datetime,
) -> Reopening | None:
    """Find the last outage that gave water back at a pipe or a customer."""
    row = session.execute(
        text(REOPENED),
        {
            "pipe": [-1 if pipe_key is None else pipe_key],
            "customer_key": customer_key,
            "since": since,
            "now": now,
        },
    ).one_or_none()
    return Reopening(*row) if row else None


@dataclass(frozen=True, slots=True)
class Reach:
    """The open incident of an outage, and the pipes that the outage leaves dry."""

    incident_key: int
    pipe_keys: list[int]


def fetch_reach(session: Session, outage_key: int) -> Reach | None:
    """Read how far an outage reaches; None where it belongs to no open incident."""
    row = session.execute(
        text(
            "SELECT i.key, o.zone_pipe_keys FROM outage o JOIN incident i ON i.key = o.incident_key"
            " WHERE o.key = :key AND i.status = 'open'"
        ),
        {"key": outage_key},
    ).one_or_none()
    return Reach(*row) if row else None


def count_posts(session: Session, sender: str, since: dt.datetime) -> int:
    """Count what an address sent to the public page, and forget what no longer counts."""
    session.execute(text("DELETE FROM public_post WHERE at < :since"), {"since": since})
    return session.execute(select(func.count()).where(PublicPost.sender == sender)).scalar_one()


def insert_post(session: Session, sender: str, now: dt.datetime) -> None:
    """Note that an address sent something."""
    session.execute(insert(PublicPost).values(sender=sender, at=now))


def lock_sender(session: Session, sender: str) -> None:
    """Count the posts of one address one after the other."""
    session.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended(:sender, 11))"), {"sender": sender}
    )
