"""The desk's pages, as a dispatcher works them at night."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest

from fieldops.duty import queries
from fieldops.emergencies.queries import fetch_tree
from fieldops.emergencies.service import list_live
from fieldops.events.service import SYSTEM
from fieldops.incidents.service import (
    IncidentDraft,
    IncidentEffect,
    find_incident,
    open_incident,
    record_effect,
)
from fieldops.rosters.queries import insert_shifts
from tests.fieldops.crews.making import HOUR, make_crew
from tests.fieldops.live_outages.jobs import Job
from tests.fieldops.outages.towns import Town, street
from tests.people import bearer, make_person, sign_in, sign_in_as

if TYPE_CHECKING:
    from flask.testing import FlaskClient
    from sqlalchemy.orm import Session


@pytest.fixture
def incident(session: Session) -> str:
    """Open a burst that takes 1,200 properties' water and two hydrants', and give its id."""
    street().plant(session)
    now = dt.datetime.now(dt.UTC)
    draft = IncidentDraft(kind="burst", lon=117.0015, lat=31.0, address="中山路 8 号")
    opened = open_incident(session, draft, SYSTEM, now)
    record_effect(session, opened.id, IncidentEffect(properties_out=1200, hydrants_dry=2), now)
    return opened.id


def post(
    client: FlaskClient, headers: dict[str, str], path: str, expected: int = 302, /, **form: object
) -> str:
    """Send a form."""
    answer = client.post(path, data=form, headers=headers)
    assert answer.status_code == expected, answer.text
    return answer.text


def test_an_emergency_is_worked_through_by_page(
    client: FlaskClient, session: Session, incident: str
) -> None:
    """From the phone tree to the final report."""
    manager = sign_in(client, session, "manager")
    entry: dict[str, Any] = {
        "level": 4,
        "rank": 1,
        "post": "值班领导",
        "name": "赵主任",
        "phone": "13800001111",
    }
    post(client, manager, "/duty/policy/entry", **entry, is_duty_leader="on")
    rule: dict[str, Any] = {"level": 3, "measure": "customers", "threshold": 1100}
    post(client, manager, "/duty/policy/rule", **rule)
    times = {"first_within_min": 20, "follow_up_every_min": 60, "final_within_min": 60}
    post(client, manager, "/duty/policy/times", level=3, duty_leader="主任", **times)
    assert "值班领导" in client.get("/duty/policy", headers=manager).text
    (view,) = list_live(session)
    emergency = f"/duty/emergencies/{view.emergency.id}"
    assert "该等级未登记通知名单" in client.get(emergency, headers=manager).text
    record_effect(session, incident, IncidentEffect(properties_out=1300), dt.datetime.now(dt.UTC))
    (view,) = list_live(session)
    assert view.emergency.level == 3
    call = view.calls[0].key
    desk = sign_in(client, session, "dispatcher")
    post(client, desk, f"{emergency}/try", call=call, note="占线")
    post(client, desk, f"{emergency}/acknowledge", call=call)
    post(client, desk, f"{emergency}/report", text="爆管 已关阀", sent_to="市水务局")
    post(client, desk, f"{emergency}/level", level=4, note="范围缩小")
    post(client, desk, f"{emergency}/stand_down", note="已恢复供水")
    page = client.get(emergency, headers=desk).text
    for words in (
        "值班领导",
        "赵主任",
        "首报",
        "市水务局",
        "待终报",
        "停水户数 1300 ≥ 1100",
    ):
        assert words in page
    post(client, desk, f"{emergency}/report", text="总结")
    post(client, desk, f"{emergency}/report", 409, text="再报")
    post(client, desk, "/duty/policy/times", 403, level=3, duty_leader="?", **times)
    assert "报告 2 份" in client.get("/duty", headers=desk).text


def test_who_is_of_the_phone_tree_acknowledges_in_person(
    client: FlaskClient, session: Session, incident: str
) -> None:
    """Somebody else of the staff does not."""
    planner = make_person(session, "planner", login="he")
    manager = sign_in(client, session, "manager")
    person = {"level": 3, "rank": 1, "post": "总工", "name": "何工", "phone": "1", "login": "he"}
    post(client, manager, "/duty/policy/entry", **person)
    record_effect(session, incident, IncidentEffect(properties_out=4000), dt.datetime.now(dt.UTC))
    assert fetch_tree(session)[0].name == "何工"
    (view,) = list_live(session)
    path = f"/duty/emergencies/{view.emergency.id}"
    stranger = sign_in(client, session, "service_agent")
    post(client, stranger, f"{path}/acknowledge", 403, call=view.calls[0].key)
    own = sign_in_as(client, session, planner)
    assert "我已知悉" in client.get(path, headers=own).text
    post(client, own, f"{path}/acknowledge", call=view.calls[0].key)


def test_the_desk_hands_over_calls_out_and_keeps_receipts(
    client: FlaskClient, session: Session, incident: str
) -> None:
    """All that the night brings, on one page."""
    key = make_crew(session, "C-1", on_shift=False, phone="13911112222")
    now = dt.datetime.now(dt.UTC)
    span = {"kind": "on_call", "starts_at": now - HOUR, "ends_at": now + HOUR, "rank": 1}
    insert_shifts(session, [{**span, "crew_key": key}])
    leaving = sign_in(client, session, "dispatcher")
    page = client.get("/duty", headers=leaving).text
    for words in ("现在呼叫", "13911112222", "2 个消火栓无水", "首报 应于"):
        assert words in page
    post(client, leaving, "/duty/calls", crew_id="C-1", result="coming", incident_id=incident)
    told = {"party": "fire_service", "topic": "hydrants_dry", "how": "phone", "told_to": "孙"}
    post(client, leaving, "/duty/receipts", **told, incident_id=incident)
    assert not find_incident(session, incident).is_fire_service_due
    post(client, leaving, "/duty/drills", pipe="P1", kind="collapse")
    page = client.get("/duty", headers=leaving).text
    for words in ("出动", "已告知", "不对外发送"):
        assert words in page
    post(client, leaving, "/duty/handovers", remarks="注意中山路")
    (handover,) = queries.fetch_handovers(session, 5)
    path = f"/duty/handovers/{handover.id}"
    assert "您已签字" in client.get(path, headers=leaving).text
    post(client, leaving, f"{path}/sign", 403)
    coming = sign_in(client, session, "dispatcher")
    assert "中山路 8 号" in client.get(path, headers=coming).text
    post(client, coming, f"{path}/sign", remarks="收到")
    assert "收到" in client.get(path, headers=coming).text
    drill = next(each for each in handover.snapshot["incidents"] if each["is_drill"])["id"]
    post(client, coming, "/duty/drills/end", incident=drill)
    declared = {"incident": incident, "level": 2, "note": "!"}
    post(client, coming, "/duty/emergencies", 409, **declared)


def test_a_token_signs_no_handover(client: FlaskClient, session: Session) -> None:
    """A signature is somebody's own, at a browser."""
    headers = bearer(session, "dispatcher")
    assert client.post("/duty/handovers", headers=headers).status_code == 403
    crew = bearer(session, "crew")
    assert client.get("/duty", headers=crew).status_code == 403


def test_the_desk_asks_the_control_room_before_a_pump_stops(
    client: FlaskClient, session: Session
) -> None:
    """The pump is listed until the control room has confirmed."""
    town = Town().source("S1", "A").pipe("P1", "AB").pump("PU1", "BC").pipe("P2", "CD")
    town.valve("V2", "P2", 80).pipe("P3", "DE").customer("C1", "P2", 30).plant(session)
    job = Job(session, "P2")
    desk = sign_in(client, session, "dispatcher")
    told = {"party": "control_room", "topic": "pump_stop", "how": "phone", "told_to": "钱工"}
    asked = {**told, "outage_id": job.id, "pump_id": "PU1"}
    assert "须停泵 PU1" in client.get("/duty", headers=desk).text
    post(client, desk, "/duty/receipts", **asked, answer="refused")
    assert "须停泵 PU1" in client.get("/duty", headers=desk).text
    post(client, desk, "/duty/receipts", **asked, answer="confirmed")
    assert "须停泵 PU1" not in client.get("/duty", headers=desk).text
