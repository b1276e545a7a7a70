"""The desk: a shift handed over by two hands, crews called in turn, and drills."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from fieldops.duty import queries, service
from fieldops.duty.service import CallDraft
from fieldops.emergencies.service import list_live
from fieldops.errors import ConflictError, FieldopsError, ForbiddenError
from fieldops.events.service import SYSTEM, Actor
from fieldops.incidents.service import IncidentDraft, IncidentEffect, open_incident, record_effect
from fieldops.rosters.queries import insert_shifts
from tests.fieldops.crews.making import HOUR, MINUTE, NOW, make_crew
from tests.fieldops.live_outages.jobs import Job
from tests.fieldops.outages.towns import street
from tests.people import make_person

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


@pytest.fixture(autouse=True)
def _town(session: Session) -> None:
    """Lay P1 - (V1) P2 (V2) - P3."""
    street().plant(session)


def dispatcher(session: Session, name: str) -> Actor:
    """Make a dispatcher."""
    person = make_person(session, "dispatcher")
    return Actor(name=name, person_id=person, roles=frozenset({"dispatcher"}))


def test_a_handover_says_what_is_open_shut_and_promised(session: Session) -> None:
    """And stays as it was signed, whatever happens after."""
    incident = open_incident(
        session, IncidentDraft(kind="burst", lon=117.0015, lat=31.0), SYSTEM, NOW
    )
    job = Job(session, "P2", incident_id=incident.id)
    job.close_valve("V1", 10, tag="T-7")
    handover = service.begin_handover(session, "北门钥匙在柜里", dispatcher(session, "林晓"), NOW)
    kept = handover.snapshot
    assert [each["id"] for each in kept["incidents"]] == [incident.id]
    assert [(each["valve"], each["state"], each["tag"]) for each in kept["valves"]] == [
        ("V1", "closed_tight", "T-7")
    ]
    (outage,) = kept["outages"]
    assert outage["promised_by"] or outage["next_news_at"]
    job.close_valve("V2", 20)
    session.commit()
    assert service.find_handover(session, handover.id).snapshot == kept
    assert queries.count_events_since(session, handover.position) > 0


def test_both_sign_each_in_person_and_nothing_changes_after(session: Session) -> None:
    """Nobody takes over from themselves."""
    leaving, coming = dispatcher(session, "林晓"), dispatcher(session, "陈晨")
    handover = service.begin_handover(session, "", leaving, NOW)
    with pytest.raises(ConflictError):
        service.begin_handover(session, "", coming, NOW)
    with pytest.raises(ForbiddenError):
        service.sign_handover(session, handover.id, "", leaving, NOW)
    with pytest.raises(ForbiddenError):
        service.withdraw_handover(session, handover.id, coming, NOW)
    service.sign_handover(session, handover.id, "收到", coming, NOW + MINUTE)
    signed = service.find_handover(session, handover.id)
    assert (signed.leaving_name, signed.coming_name, signed.coming_remarks) == (
        "林晓",
        "陈晨",
        "收到",
    )
    with pytest.raises(ConflictError):
        service.sign_handover(session, handover.id, "", dispatcher(session, "?"), NOW)
    for statement in (
        "UPDATE shift_handover SET remarks = '?'",
        "UPDATE shift_handover SET coming_name = '?'",
        "DELETE FROM shift_handover",
    ):
        with pytest.raises(DBAPIError), session.begin_nested():
            session.execute(text(statement))
    again = service.begin_handover(session, "", coming, NOW + HOUR)
    service.withdraw_handover(session, again.id, coming, NOW + HOUR)
    assert not service.find_handover(session, again.id).is_open


def put_on_call(session: Session, *crews: str) -> None:
    """Put crews on call now, in this order."""
    keys = [make_crew(session, crew, on_shift=False) for crew in crews]
    span = {"kind": "on_call", "starts_at": NOW - HOUR, "ends_at": NOW + 12 * HOUR}
    insert_shifts(
        session, [{**span, "crew_key": key, "rank": at + 1} for at, key in enumerate(keys)]
    )


def test_crews_on_call_are_called_in_turn(session: Session) -> None:
    """Who answers nothing is followed by the next; out of turn needs a reason."""
    desk = dispatcher(session, "林晓")
    put_on_call(session, "C-1", "C-2", "C-3")

    def call(crew: str, result: str, minute: int, **more: str) -> str | None:
        at = NOW + minute * MINUTE
        draft = CallDraft(crew_id=crew, result=result, **more)  # type: ignore[arg-type]
        service.record_call(session, draft, desk, at)
        return service.list_calls(session, at).next_crew

    assert service.list_calls(session, NOW).next_crew == "C-1"
    assert call("C-1", "no_answer", 1) == "C-2"
    with pytest.raises(FieldopsError, match="turn"):
        call("C-3", "coming", 2)
    assert call("C-3", "coming", 2, note="就在附近") == "C-1", "a new round begins"
    assert call("C-1", "declined", 3) == "C-2"
    assert call("C-2", "no_answer", 4) == "C-1", "the order begins anew without who is coming"
    attempts = service.list_calls(session, NOW + HOUR).attempts
    assert [(each.crew_id, each.is_out_of_turn) for each in attempts] == [
        ("C-2", False),
        ("C-1", False),
        ("C-3", True),
        ("C-1", False),
    ]
    assert service.list_calls(session, NOW + 13 * HOUR).attempts == []


def test_a_drill_is_marked_and_ends_with_its_emergency(session: Session) -> None:
    """A call in a drill takes nobody's turn."""
    desk = dispatcher(session, "林晓")
    put_on_call(session, "C-1", "C-2")
    opening = service.begin_drill(session, "burst", "P2", desk, NOW)
    drill = opening.incident
    assert {order.is_drill for order in opening.orders} == {True}
    record_effect(session, drill.id, IncidentEffect(properties_out=5000), NOW)
    assert [each.id for each in service.list_drills(session)] == [drill.id]
    assert [view.emergency.is_drill for view in list_live(session)] == [True]
    draft = CallDraft(crew_id="C-1", result="coming", incident_id=drill.id)
    service.record_call(session, draft, desk, NOW)
    assert service.list_calls(session, NOW).next_crew == "C-1"
    snapshot = service.take_snapshot(session, NOW)
    assert [each["is_drill"] for each in snapshot["incidents"]] == [True]
    service.end_drill(session, drill.id, desk, NOW + HOUR)
    assert list_live(session) == []
    assert service.list_drills(session) == []
    real = open_incident(session, IncidentDraft(kind="burst", lon=117.0, lat=31.0), SYSTEM, NOW)
    with pytest.raises(ConflictError, match="no drill"):
        service.end_drill(session, real.id, desk, NOW)


def test_a_call_of_the_future_is_refused(session: Session) -> None:
    """And one by nobody of the desk."""
    put_on_call(session, "C-1")
    late = CallDraft(crew_id="C-1", result="coming", called_at=NOW + dt.timedelta(hours=1))
    with pytest.raises(FieldopsError, match="future"):
        service.record_call(session, late, dispatcher(session, "?"), NOW)
    with pytest.raises(ForbiddenError):
        service.record_call(session, late, SYSTEM, NOW)
