"""Emergency levels: begun and raised by rules, lowered and ended by people, with their clocks."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from fieldops.emergencies import queries
from fieldops.emergencies import service as emergencies
from fieldops.emergencies.queries import Entry
from fieldops.emergencies.service import EmergencyView, find_emergency, list_live
from fieldops.errors import ConflictError, FieldopsError, ForbiddenError
from fieldops.events.service import SYSTEM, Actor
from fieldops.incidents.service import (
    IncidentDraft,
    IncidentEffect,
    close_incident,
    open_incident,
    record_effect,
)
from tests.fieldops.outages.towns import street
from tests.people import make_person

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from fieldops.incidents.service import Incident

NOW = dt.datetime(2026, 7, 1, 20, 0, tzinfo=dt.UTC)
MINUTE = dt.timedelta(minutes=1)
DESK = Actor(name="林晓", roles=frozenset({"dispatcher"}))
MANAGER = Actor(name="赵主任", roles=frozenset({"manager"}))


@pytest.fixture(autouse=True)
def _town(session: Session) -> None:
    """Lay a street."""
    street().plant(session)


def add_entry(session: Session, level: int, name: str, **values: object) -> None:
    """Put somebody into the phone tree."""
    fields = {
        "key": 0,
        "level": level,
        "rank": 1,
        "post": "值班领导",
        "name": name,
        "phone": "1380000",
        "person_id": None,
        "is_duty_leader": False,
        "within_min": 15,
        **values,
    }
    emergencies.add_entry(session, Entry(**fields), MANAGER, NOW)  # type: ignore[arg-type]


def begin(session: Session, properties: int = 0, **draft: object) -> Incident:
    """Open a burst that takes the water of some properties."""
    lon, lat = 117.0005, 31.0
    values = {"kind": "burst", "lon": lon, "lat": lat, **draft}
    incident = open_incident(session, IncidentDraft(**values), SYSTEM, NOW)  # type: ignore[arg-type]
    if properties:
        record_effect(session, incident.id, IncidentEffect(properties_out=properties), NOW)
    return incident


def only(session: Session) -> EmergencyView:
    """Give the one emergency there is."""
    (view,) = list_live(session)
    return view


def test_an_incident_below_every_rule_is_no_emergency(session: Session) -> None:
    """At the rule it is one, with the reason."""
    incident = begin(session, 999)
    assert list_live(session) == []
    record_effect(session, incident.id, IncidentEffect(properties_out=1000), NOW)
    emergency = only(session).emergency
    assert (emergency.level, emergency.incident_id) == (4, incident.id)
    assert emergency.reasons == [
        {"level": 4, "measure": "customers", "threshold": 1000.0, "value": 1000.0}
    ]


def test_a_level_rises_by_itself_and_falls_by_people_alone(session: Session) -> None:
    """What somebody lowered stays so until it grows worse than it ever was."""
    incident = begin(session, 3500)
    assert only(session).emergency.level == 3
    record_effect(session, incident.id, IncidentEffect(properties_out=500), NOW)
    assert only(session).emergency.level == 3
    emergency = only(session).emergency.id
    with pytest.raises(FieldopsError, match="why"):
        emergencies.set_level(session, emergency, 4, "", DESK, NOW)
    emergencies.set_level(session, emergency, 4, "已转供", DESK, NOW)
    record_effect(session, incident.id, IncidentEffect(properties_out=4000), NOW)
    assert only(session).emergency.level == 4
    record_effect(session, incident.id, IncidentEffect(properties_out=12_000), NOW)
    assert (only(session).emergency.level, only(session).emergency.level_by) == (2, "fieldops")


def test_a_hospital_without_water_counts_and_a_clinic_does_not(session: Session) -> None:
    """By the kind of critical customer that the network records."""
    incident = begin(session)
    ids = list(session.execute(text("SELECT id FROM customer ORDER BY id LIMIT 2")).scalars())
    session.execute(
        text("UPDATE customer SET critical = CASE id WHEN :one THEN 'school' ELSE 'hospital' END"),
        {"one": ids[0]},
    )
    record_effect(session, incident.id, IncidentEffect(critical_ids=ids[:1]), NOW)
    assert list_live(session) == []
    record_effect(session, incident.id, IncidentEffect(critical_ids=ids), NOW)
    assert [reason["measure"] for reason in only(session).emergency.reasons] == ["hospital"]


def test_what_comes_on_top_is_kept_as_a_reason(session: Session) -> None:
    """Also where it does not raise the level."""
    incident = begin(session, 3500)
    record_effect(session, incident.id, IncidentEffect(diameter_mm=600), NOW)
    emergency = only(session).emergency
    assert emergency.level == 3
    assert [reason["measure"] for reason in emergency.reasons] == ["customers", "diameter"]


def test_planned_work_is_no_emergency_and_a_drill_is_marked(session: Session) -> None:
    """The drill runs through the same steps, and no figure counts it."""
    begin(session, 5000, is_planned=True)
    assert list_live(session) == []
    drill = begin(session, 5000, is_drill=True)
    view = only(session)
    assert (view.emergency.is_drill, view.emergency.incident_id) == (True, drill.id)
    emergencies.send_report(session, view.emergency.id, "演练", "", DESK, NOW)
    assert queries.count_punctual(session, NOW - MINUTE) == (0, 0, 0)


def test_each_level_calls_its_own_people_and_those_of_milder_ones(session: Session) -> None:
    """Raised, it calls those who come on top, and nobody twice."""
    boss = make_person(session, "manager")
    add_entry(session, 4, "值班主任", is_duty_leader=True)
    add_entry(session, 2, "副总", is_duty_leader=True, person_id=boss, within_min=10)
    incident = begin(session, 1000)
    assert [call.name for call in only(session).calls] == ["值班主任"]
    emergency = only(session).emergency.id
    emergencies.acknowledge(session, emergency, only(session).calls[0].key, "", DESK, NOW)
    assert only(session).emergency.duty_leader == "值班主任"
    record_effect(session, incident.id, IncidentEffect(properties_out=20_000), NOW + 5 * MINUTE)
    first, second = only(session).calls
    assert [call.name for call in only(session).unacknowledged] == ["副总"]
    assert (first.due_at, second.name) == (NOW + 15 * MINUTE, "值班主任")
    assert second.acknowledged_by == "林晓"
    stranger = Actor(name="?", person_id=make_person(session, "crew"), roles=frozenset({"crew"}))
    with pytest.raises(ForbiddenError):
        emergencies.acknowledge(session, emergency, first.key, "", stranger, NOW)
    emergencies.record_try(session, emergency, first.key, "占线", DESK, NOW)
    own = Actor(name="副总", person_id=boss, roles=frozenset({"manager"}))
    emergencies.acknowledge(session, emergency, first.key, "", own, NOW)
    assert only(session).emergency.duty_leader == "副总"
    assert (only(session).calls[0].tries, only(session).calls[0].note) == (1, "占线")
    with pytest.raises(ConflictError):
        emergencies.acknowledge(session, emergency, first.key, "", DESK, NOW)


def test_reports_follow_one_another_until_the_final_one(session: Session) -> None:
    """First, follow-ups from the last one sent, and a final one after the stand-down."""
    begin(session, 1000)
    emergency = only(session).emergency.id
    pending = only(session).pending
    assert pending is not None
    assert (pending.kind, pending.due_at) == ("first", NOW + 120 * MINUTE)
    with pytest.raises(ConflictError, match="first report"):
        emergencies.stand_down(session, emergency, "已恢复供水", DESK, NOW)
    emergencies.send_report(session, emergency, "爆管", "市水务局", DESK, NOW + 10 * MINUTE)
    pending = only(session).pending
    assert pending is not None
    assert (pending.kind, pending.due_at) == ("follow_up", NOW + 490 * MINUTE)
    emergencies.stand_down(session, emergency, "已恢复供水", DESK, NOW + 60 * MINUTE)
    assert [report.kind for report in only(session).reports if report.is_pending] == ["final"]
    with pytest.raises(ConflictError):
        emergencies.set_level(session, emergency, 1, "?", DESK, NOW)
    emergencies.send_report(session, emergency, "总结", "", DESK, NOW + 90 * MINUTE)
    assert list_live(session) == []
    closed = find_emergency(session, emergency)
    assert closed.emergency.status == "closed"
    assert [(report.kind, report.sent_by) for report in closed.reports] == [
        ("first", "林晓"),
        ("follow_up", None),
        ("final", "林晓"),
    ]
    with pytest.raises(ConflictError):
        emergencies.send_report(session, emergency, "再报", "", DESK, NOW)


def test_what_people_have_ended_begins_again_only_if_it_grows_worse(session: Session) -> None:
    """A customer more or less does not call the whole tree out of bed again."""
    incident = begin(session, 1500)
    first = only(session).emergency
    emergencies.send_report(session, first.id, "爆管", "市水务局", DESK, NOW)
    emergencies.stand_down(session, first.id, "已恢复供水", DESK, NOW)

    record_effect(session, incident.id, IncidentEffect(properties_out=1499), NOW)
    assert [view.emergency.status for view in list_live(session)] == ["stood_down"]

    record_effect(session, incident.id, IncidentEffect(properties_out=500_000), NOW)
    (again,) = [view.emergency for view in list_live(session) if view.emergency.status == "open"]
    assert again.id != first.id
    assert again.level < first.worst_level


def test_a_worse_level_brings_the_report_forward(session: Session) -> None:
    """Never back."""
    incident = begin(session, 1000)
    record_effect(session, incident.id, IncidentEffect(properties_out=30_000), NOW + 10 * MINUTE)
    pending = only(session).pending
    assert pending is not None
    assert pending.due_at == NOW + 40 * MINUTE


def test_what_nobody_did_in_time_is_told_once(session: Session) -> None:
    """After a pause of the server, too."""
    add_entry(session, 4, "值班主任")
    begin(session, 1000)
    assert emergencies.raise_overdue(session, NOW + 14 * MINUTE) == 0
    assert emergencies.raise_overdue(session, NOW + 15 * MINUTE) == 1
    assert emergencies.raise_overdue(session, NOW + 1000 * MINUTE) == 1
    assert emergencies.raise_overdue(session, NOW + 2000 * MINUTE) == 0
    session.commit()
    kinds = session.execute(text("SELECT kind FROM event WHERE kind LIKE 'emergency.%overdue'"))
    assert sorted(kinds.scalars()) == ["emergency.call_overdue", "emergency.report_overdue"]


def test_a_dispatcher_declares_what_no_rule_has_found(session: Session) -> None:
    """With a reason, and for an open incident only."""
    incident = begin(session)
    with pytest.raises(ForbiddenError):
        emergencies.declare(session, incident.id, 3, "!", Actor(name="?"), NOW)
    emergencies.declare(session, incident.id, 3, "邻近化工厂", DESK, NOW)
    assert only(session).emergency.level_note == "邻近化工厂"
    with pytest.raises(ConflictError, match="already"):
        emergencies.declare(session, incident.id, 2, "!", DESK, NOW)
    other = open_incident(
        session, IncidentDraft(kind="cover_defect", lon=117.0, lat=31.0), SYSTEM, NOW
    )
    close_incident(session, other.id, SYSTEM, NOW)
    with pytest.raises(ConflictError, match="closed"):
        emergencies.declare(session, other.id, 2, "!", DESK, NOW)


def test_an_incident_that_meets_no_rule_costs_one_statement(
    session: Session, statements: list[str]
) -> None:
    """Two hundred reports come in ten minutes."""
    incident = begin(session, 100)
    statements.clear()
    emergencies.judge_incident(session, incident.key, NOW)
    assert len(statements) == 1
