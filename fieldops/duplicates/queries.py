"""SQL that finds a place by what people call it, and what is known near it."""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - kept in dataclasses
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

METRES_A_DEGREE = 111_320


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
        text(PREMISES.format(condition="id = :id")), {"id": customer.replace("\0", "?")}
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
    tidy = (" " if address.isascii() else "").join(address.replace("\0", "").split())
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
