"""A contractor's crew hears of its own work, and of nothing else."""

from __future__ import annotations

import datetime as dt
import itertools
from typing import TYPE_CHECKING, Any

import pytest

from fieldops.access import Person, Role
from fieldops.events import queries
from fieldops.events.service import SYSTEM, Actor, Event, Operation
from fieldops.incidents.service import IncidentDraft, open_incident
from fieldops.streams import service
from fieldops.work_orders.service import OrderDraft, apply_operation, open_order
from tests.fieldops.crews.making import make_crew
from tests.people import make_person

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.orm import Session

positions = itertools.count(1)
NOW = dt.datetime(2026, 7, 1, 2, 0, tzinfo=dt.UTC)


def person(session: Session, *roles: Role) -> Person:
    """Make somebody."""
    return Person(id=make_person(session, *roles), name="王芳", roles=frozenset(roles))


def crew_person(session: Session, crew_id: str, contractor: str | None) -> Person:
    """Make somebody of a new crew."""
    somebody = person(session, Role.CREW)
    make_crew(session, crew_id, person_id=somebody.id, contractor=contractor)
    return somebody


def event(subject: str, key: int, body: Mapping[str, Any] | None = None) -> Event:
    """Make an event that is not in the log."""
    return Event(
        kind=f"{subject}.changed",
        subject_kind=subject,
        subject_key=key,
        body=body or {},
        occurred_at=NOW,
        received_at=NOW,
        position=next(positions),
    )


def give(session: Session, order: str, crew: str, action: str = "assign") -> None:
    """Give an order to a crew."""
    body = {"crew": crew, "reason": "先处理别处"}
    wanted = Operation(subject_kind="work_order", subject_id=order, action=action, body=body)
    boss = Actor(name="调度", person_id=None, roles=frozenset({"system"}))
    outcome = apply_operation(session, wanted, boss, NOW)
    assert outcome.status == "applied", outcome


def test_only_a_contractors_crew_hears_less(session: Session) -> None:
    """The utility's own crews and everybody with another role hear everything."""
    assert service.crews_to_hear_of(session, person(session, Role.DISPATCHER)) is None
    assert service.crews_to_hear_of(session, crew_person(session, "C-1", None)) is None
    contractor = crew_person(session, "C-2", "华东管道")
    assert service.crews_to_hear_of(session, contractor) == frozenset({"C-2"})
    nobodys = person(session, Role.CREW)
    assert service.crews_to_hear_of(session, nobodys) == frozenset()


def test_a_contractor_hears_of_its_orders_and_what_they_belong_to(session: Session) -> None:
    """Of an order until it is taken away, of the incident meanwhile, of the own position."""
    contractor = crew_person(session, "C-2", "华东管道")
    crew_person(session, "C-1", None)
    crews = service.crews_to_hear_of(session, contractor)
    incident = open_incident(session, IncidentDraft(kind="burst", lon=120.0, lat=30.0), SYSTEM, NOW)
    draft = OrderDraft(
        kind="repair",
        severity="burst",
        lon=120.0,
        lat=30.0,
        incident_key=incident.key,
        is_triaged=True,
    )
    ours, theirs = (open_order(session, draft, SYSTEM, NOW).id for _ in range(2))
    before = queries.fetch_head(session)
    give(session, theirs, "C-1")
    give(session, ours, "C-2")
    session.commit()
    told = queries.fetch_events_after(session, before)
    heard = {each.body["id"] for each in service.choose_heard(session, told, crews)}
    assert heard == {ours, incident.id}
    news = [event("incident", incident.key), event("crew", 9, {"id": "C-1"})]
    own = event("crew", 8, {"id": "C-2"})
    assert service.choose_heard(session, news, crews) == news[:1]
    assert service.choose_heard(session, [own], crews) == [own]

    before = queries.fetch_head(session)
    give(session, ours, "C-2", "withdraw")
    session.commit()
    gone = queries.fetch_events_after(session, before)
    assert "work_order.withdrawn" in {e.kind for e in service.choose_heard(session, gone, crews)}
    assert service.choose_heard(session, news, crews) == []


@pytest.mark.parametrize("kind", ["outage", "duty", "valve", "report"])
def test_what_belongs_to_no_own_order_is_not_heard(session: Session, kind: str) -> None:
    """Unless the event names the crew."""
    assert service.choose_heard(session, [event(kind, 1)], frozenset({"C-2"})) == []
    named = event(kind, 1, {"crew": "C-2"})
    assert service.choose_heard(session, [named], frozenset({"C-2"})) == [named]
