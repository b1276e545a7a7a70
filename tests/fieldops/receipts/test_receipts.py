"""Receipts: who outside was told what; and a pump stops only when the control room agrees."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from fieldops.errors import ConflictError, FieldopsError, ForbiddenError, NotFoundError
from fieldops.events.service import SYSTEM, Actor, append_event
from fieldops.incidents.service import (
    IncidentDraft,
    IncidentEffect,
    find_incident,
    open_incident,
    record_effect,
)
from fieldops.receipts.service import (
    ReceiptDraft,
    inform,
    is_pump_stop_confirmed,
    list_receipts,
)
from tests.fieldops.live_outages.jobs import Job
from tests.fieldops.outages.towns import Town, street

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

NOW = dt.datetime(2026, 7, 1, 20, 0, tzinfo=dt.UTC)
MINUTE = dt.timedelta(minutes=1)
DESK = Actor(name="林晓", roles=frozenset({"dispatcher"}))


@pytest.fixture
def incident(session: Session) -> str:
    """Open a burst, and give its id."""
    street().plant(session)
    draft = IncidentDraft(kind="burst", lon=117.0005, lat=31.0)
    return open_incident(session, draft, SYSTEM, NOW).id


def make_outage(session: Session, incident: str) -> tuple[int, str]:
    """Make an outage that a pump and a valve are to be shut for; give its key and id."""
    node = session.execute(text("SELECT key FROM node LIMIT 1")).scalar_one()
    session.execute(
        text(
            "INSERT INTO pump (id, geometry, start_node_key, end_node_key) VALUES"
            " ('PU1', ST_GeomFromText('LINESTRING(100 30, 100.001 30)', 4326), :node, :node)"
        ),
        {"node": node},
    )
    key, outage = session.execute(
        text(
            "INSERT INTO outage (incident_key, question, aware_at, opened_at, opened_by)"
            " VALUES (:incident, '{}', :now, :now, '?') RETURNING key, id"
        ),
        {"incident": int(incident.removeprefix("I-")), "now": NOW},
    ).one()
    for table, name in (("pump", "PU1"), ("valve", "V1")):
        session.execute(
            text(
                "INSERT INTO outage_valve"
                " (outage_key, device_table, device_key, valve, role, state)"
                " VALUES (:key, :table, 1, :name, :role, 'to_close')"
            ),
            {
                "key": key,
                "table": table,
                "name": name,
                "role": "pump" if table == "pump" else "close",
            },
        )
    return key, outage


def ask(outage: str, answer: str, **more: object) -> ReceiptDraft:
    """Ask the control room to stop the pump."""
    values = {"topic": "pump_stop", "outage_id": outage, "pump_id": "PU1", **more}
    plain = {"party": "control_room", "how": "phone", "told_to": "中控钱工", "answer": answer}
    return ReceiptDraft(**{**plain, **values})  # type: ignore[arg-type]


def confirm_stop(session: Session, key: int, outage: str, device: str) -> None:
    """Record a device of an outage as stopped."""
    body = {"id": outage, "valve": device, "result": "closed_tight"}
    append_event(session, "outage.valve_confirmed", ("outage", key), by=DESK, now=NOW, body=body)


def test_a_pump_stops_only_when_the_control_room_has_confirmed(
    session: Session, incident: str
) -> None:
    """And its last word counts; valves need no asking."""
    key, outage = make_outage(session, incident)
    confirm_stop(session, key, outage, "V1")
    with pytest.raises(ConflictError, match="PU1 is stopped only when"):
        confirm_stop(session, key, outage, "PU1")
    inform(session, ask(outage, "refused"), DESK, NOW)
    assert not is_pump_stop_confirmed(session, "PU1", outage)
    inform(session, ask(outage, "confirmed"), DESK, NOW + MINUTE)
    assert is_pump_stop_confirmed(session, "PU1", outage)
    assert not is_pump_stop_confirmed(session, "PU1", "O-0")
    confirm_stop(session, key, outage, "PU1")
    inform(session, ask(outage, "refused"), DESK, NOW + 2 * MINUTE)
    assert not is_pump_stop_confirmed(session, "PU1", outage)


def test_a_crew_that_stops_a_pump_too_early_is_refused(session: Session) -> None:
    """At the one door of outages, so a tablet is refused like a page."""
    town = Town().source("S1", "A").pipe("P1", "AB").valve("V1", "P1", 50).pump("PU1", "BC")
    town.pipe("P2", "CD").valve("V2", "P2", 80).pipe("P3", "DE").customer("C1", "P2", 30)
    town.plant(session)
    job = Job(session, "P2")
    early = job.do("confirm_valve", 5, valve="PU1", result="closed_tight")
    assert (early.status, early.params["pump"]) == ("illegal", "PU1")
    assert job.states["PU1"] == ("pump", "to_close")
    inform(session, ask(job.id, "confirmed"), DESK, NOW)
    job.close_valve("PU1", 6)
    assert job.states["PU1"] == ("pump", "closed_tight")


def test_the_fire_service_is_off_the_list_when_it_was_told(session: Session, incident: str) -> None:
    """The receipt says who, when and how."""
    record_effect(session, incident, IncidentEffect(hydrants_dry=2), NOW)
    assert find_incident(session, incident).is_fire_service_due
    told = ReceiptDraft(
        party="fire_service",
        topic="hydrants_dry",
        how="phone",
        told_to="119 指挥中心 孙",
        told_at=NOW - MINUTE,
        incident_id=incident,
    )
    inform(session, told, DESK, NOW)
    assert not find_incident(session, incident).is_fire_service_due
    (receipt,) = list_receipts(session, incident_ids=[incident])
    assert (receipt.told_to, receipt.told_at, receipt.how, receipt.person_name) == (
        "119 指挥中心 孙",
        NOW - MINUTE,
        "phone",
        "林晓",
    )


def test_a_receipt_of_a_drill_is_a_drills(session: Session) -> None:
    """Nobody takes it for the real thing."""
    street().plant(session)
    draft = IncidentDraft(kind="burst", lon=117.0005, lat=31.0, is_drill=True)
    drill = open_incident(session, draft, SYSTEM, NOW).id
    told = ReceiptDraft(
        party="fire_service", topic="outage", how="radio", told_to="?", incident_id=drill
    )
    inform(session, told, DESK, NOW)
    assert list_receipts(session, incident_ids=[drill])[0].is_drill


def test_a_receipt_says_enough_or_is_refused(session: Session, incident: str) -> None:
    """Also in the database, which never changes one."""
    _, outage = make_outage(session, incident)
    plain = {"party": "control_room", "how": "phone", "told_to": "?"}
    with pytest.raises(NotFoundError):
        inform(session, ask(outage, "confirmed", pump_id="PU9"), DESK, NOW)
    with pytest.raises(NotFoundError):
        inform(session, ask("O-0", "confirmed"), DESK, NOW)
    with pytest.raises(ForbiddenError):
        inform(session, ask(outage, "confirmed"), Actor(name="?"), NOW)
    wrong = (
        ask(outage, "informed"),
        ask(outage, "confirmed", topic="outage"),
        ask(outage, "confirmed", told_at=NOW + 10 * MINUTE),
        ReceiptDraft(topic="outage", **plain),  # type: ignore[arg-type]
    )
    for draft in wrong:
        with pytest.raises(FieldopsError):
            inform(session, draft, DESK, NOW)
    inform(session, ask(outage, "confirmed"), DESK, NOW)
    for statement in ("UPDATE receipt SET answer = 'refused'", "DELETE FROM receipt"):
        with pytest.raises(DBAPIError, match="never changed"), session.begin_nested():
            session.execute(text(statement))
