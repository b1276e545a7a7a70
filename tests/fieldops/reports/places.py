"""The street of these tests, with people who tell of it."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from fieldops.events.service import SYSTEM, Actor
from fieldops.reports import service
from fieldops.reports.service import ReportDraft
from tests.fieldops.outages.towns import PLACES
from tests.people import make_person

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from fieldops.reports.service import Registered

NOW = dt.datetime(2026, 1, 2, 3, 4, tzinfo=dt.UTC)
"""11:04 in China."""
__all__ = ["NOW", "SYSTEM", "agent", "at", "call", "open_outage_row"]


def at(pipe: str, share: float = 0.5) -> tuple[float, float]:
    """Give a place on a pipe of the street, as a share of its 100 m."""
    starts = {"P1": "A", "P2": "B", "P3": "C"}
    lon, lat = PLACES[starts[pipe]]
    return lon + share * 0.001, lat


def agent(session: Session) -> Actor:
    """Give a service agent."""
    person_id = make_person(session, "service_agent")
    return Actor(name="王芳", person_id=person_id, roles=frozenset({"service_agent"}))


def call(
    session: Session,
    pipe: str = "P2",
    kind: str = "no_water",
    share: float = 0.5,
    **more: Any,  # noqa: ANN401 - any field
) -> Registered:
    """Have somebody on a pipe call."""
    actor, now = more.pop("actor", SYSTEM), more.pop("now", NOW)
    lon, lat = at(pipe, share)
    draft = ReportDraft(**{"kind": kind, "lon": lon, "lat": lat, "phone": "13800000000", **more})
    return service.register_report(session, draft, actor, now)


def open_outage_row(session: Session, incident: str | None, *pipes: str, **more: object) -> int:
    """Write an outage that leaves some pipes dry, as whoever computes outages would."""
    values = {"restored_at": None, "status": "open", "opened_at": NOW, **more}
    key: int = session.execute(
        text(
            "INSERT INTO outage (incident_key, status, question, zone_pipe_keys, aware_at,"
            " restored_at, opened_at, opened_by) VALUES ((SELECT key FROM incident WHERE id = :id),"
            " :status, '{}', (SELECT array_agg(key) FROM pipe WHERE id = ANY(:pipes)), :opened_at,"
            " :restored_at, :opened_at, 'test') RETURNING key"
        ),
        {"id": incident, "pipes": list(pipes), **values},
    ).scalar_one()
    session.execute(
        text(
            "INSERT INTO outage_plan (outage_key, number, status, answer, made_at, made_by)"
            " VALUES (:key, 0, 'approved', '{}', :at, 'test')"
        ),
        {"key": key, "at": NOW},
    )
    return key
