"""Calling back: who told of something hears that it is over, and work never waits for it."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from fieldops.errors import ConflictError, FieldopsError
from fieldops.events.service import Operation
from fieldops.incidents import service as incidents
from fieldops.incidents.service import IncidentDraft
from fieldops.reports import service
from fieldops.reports.service import CallBackDraft
from tests.fieldops.outages.towns import street
from tests.fieldops.reports.places import NOW, SYSTEM, agent, at, call

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from fieldops.report_records.queries import Report

LATER = NOW + dt.timedelta(hours=1)
AT_NIGHT = dt.datetime(2026, 1, 2, 13, 30, tzinfo=dt.UTC)


@pytest.fixture
def town(session: Session) -> Session:
    """Lay the street."""
    street().plant(session)
    return session


def closed(session: Session, **more: Any) -> Report:  # noqa: ANN401 - any field
    """Tell of an incident that is closed afterwards."""
    lon, lat = at("P2")
    draft = IncidentDraft(kind="burst", lon=lon, lat=lat)
    incident = incidents.open_incident(session, draft, SYSTEM, NOW)
    report = call(session, **more).report
    incidents.close_incident(session, incident.id, SYSTEM, NOW)
    return service.find_report(session, report.id)


def try_to_call(
    session: Session,
    report: Report,
    result: str,
    at: dt.datetime = LATER,
    *,
    is_incoming: bool = False,
) -> str:
    """Record a call and give how the report stands then."""
    draft = CallBackDraft(result=result, is_incoming=is_incoming)
    return service.record_call_back(session, report.id, draft, agent(session), at).status


def test_closing_an_incident_makes_its_reporters_due(town: Session) -> None:
    """Without waiting for any of them; who left no number has nobody to call."""
    report = closed(town)
    assert report.status == "callback_due"
    assert [one.id for one in service.list_due(town)] == [report.id]
    nobody = closed(town, phone=None)
    assert nobody.status == "closed"
    assert nobody.incident is not None
    incidents.reopen_incident(town, nobody.incident, SYSTEM, LATER)
    assert service.find_report(town, nobody.id).status == "linked"


def test_a_call_that_reached_ends_the_report_with_time_and_person(town: Session) -> None:
    """And is kept."""
    report = closed(town)
    assert try_to_call(town, report, "reached") == "closed"
    (tried,) = service.list_call_backs(town, [report])[report.key]
    assert (tried.result, tried.at, tried.person_name) == ("reached", LATER, "王芳")
    with pytest.raises(ConflictError):
        try_to_call(town, report, "reached")


def test_a_call_may_come_as_an_operation_too(town: Session) -> None:
    """With the time at which it was made."""
    report = closed(town)
    body = {"result": "reached", "at": LATER.isoformat(), "note": "谢谢"}
    operation = Operation(
        subject_kind="report", subject_id=report.id, action="call_back", body=body
    )
    after = dt.datetime(2026, 1, 2, 5, tzinfo=dt.UTC)
    assert service.apply_operation(town, operation, agent(town), after).state == "closed"
    (tried,) = service.list_call_backs(town, [report])[report.key]
    assert (tried.at, tried.note) == (LATER, "谢谢")


def test_three_failed_tries_half_an_hour_apart_end_it(town: Session) -> None:
    """By policy; those that lie nearer together count as one."""
    report = closed(town)
    minutes = dt.timedelta(minutes=1)
    for after in (0, 1, 2, 29, 30, 59):
        tried = try_to_call(town, report, "no_answer", LATER + after * minutes)
        assert tried == "callback_due", after
    assert try_to_call(town, report, "no_answer", LATER + 60 * minutes) == "closed"


def test_no_silence_ends_a_fault_that_nobody_worked_on(town: Session) -> None:
    """An enquiry ends by it; a fault waits for work, or for a person who is reached."""
    fault, enquiry = call(town, "P1").report, call(town, "P1", contact="enquiry").report
    not_back = closed(town)
    assert try_to_call(town, not_back, "not_back") == "open"
    for hour in range(1, 5):
        moment = NOW + dt.timedelta(hours=hour)
        assert try_to_call(town, fault, "no_answer", moment) == "open"
        assert try_to_call(town, not_back, "no_answer", moment) == "open"
        if hour < 4:
            ended = try_to_call(town, enquiry, "no_answer", moment)
    assert ended == "closed"
    assert try_to_call(town, fault, "reached") == "closed"


def test_no_message_ends_what_belongs_to_nothing_known(town: Session) -> None:
    """Neither an incident nor an outage stands behind it: of what should the message tell."""
    with pytest.raises(ConflictError, match="known incident"):
        try_to_call(town, call(town, "P1").report, "message")


def test_nobody_is_called_at_night(town: Session) -> None:
    """From 21:00 to 08:00, unless they call themselves; policy says when that is."""
    report = closed(town)
    with pytest.raises(ConflictError, match="quiet"):
        try_to_call(town, report, "reached", AT_NIGHT)
    town.execute(text("UPDATE report_policy SET value = 22 WHERE name = 'quiet_from_h'"))
    assert try_to_call(town, report, "reached", AT_NIGHT) == "closed"
    assert try_to_call(town, closed(town), "reached", AT_NIGHT + dt.timedelta(hours=3),
                       is_incoming=True) == "closed"  # fmt: skip


def test_a_call_lies_between_the_report_and_now(town: Session) -> None:
    """Nothing is called back in advance."""
    report = closed(town)
    for moment in (NOW - dt.timedelta(minutes=1), LATER + dt.timedelta(minutes=1)):
        draft = CallBackDraft(result="reached", at=moment)
        with pytest.raises(FieldopsError):
            service.record_call_back(town, report.id, draft, SYSTEM, LATER)


def test_a_delivered_message_counts_for_a_known_outage(town: Session) -> None:
    """But not for a complaint, and not for whose water is not back."""
    assert try_to_call(town, closed(town), "message", AT_NIGHT) == "closed"
    with pytest.raises(ConflictError, match="person"):
        try_to_call(town, closed(town, contact="complaint"), "message")
    report = closed(town)
    assert try_to_call(town, report, "not_back") == "open"
    with pytest.raises(ConflictError, match="person"):
        try_to_call(town, report, "message")


def test_water_that_is_not_back_opens_the_report_again(town: Session) -> None:
    """It stays linked, and is linked again when the incident is opened again."""
    report = closed(town)
    assert try_to_call(town, report, "reached") == "closed"
    assert try_to_call(town, report, "not_back") == "open"
    assert [one.id for one in service.list_waiting(town)] == [report.id]
    assert report.incident is not None
    incidents.reopen_incident(town, report.incident, SYSTEM, LATER)
    assert service.find_report(town, report.id).status == "linked"


def test_an_enquiry_answered_on_the_spot_needs_no_call(town: Session) -> None:
    """A fault is not over by an answer."""
    enquiry = call(town, "P1", contact="enquiry", is_answered=True).report
    assert enquiry.status == "answered"
    with pytest.raises(FieldopsError):
        call(town, "P1", is_answered=True)
    waiting = call(town, "P1", contact="enquiry").report
    assert service.answer_report(town, waiting.id, SYSTEM, LATER).status == "answered"
    fault = call(town, "P1").report
    with pytest.raises(ConflictError):
        service.answer_report(town, fault.id, SYSTEM, LATER)


def test_who_is_called_while_the_work_goes_on_is_called_again(town: Session) -> None:
    """When it is over."""
    lon, lat = at("P2")
    draft = IncidentDraft(kind="burst", lon=lon, lat=lat)
    incident = incidents.open_incident(town, draft, SYSTEM, NOW)
    report = call(town).report
    assert try_to_call(town, report, "reached") == "linked"
    incidents.close_incident(town, incident.id, SYSTEM, LATER)
    assert service.find_report(town, report.id).status == "callback_due"
