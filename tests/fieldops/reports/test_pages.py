"""The pages of calls and incidents, and the answers to machines."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from tests.fieldops.outages.towns import street
from tests.fieldops.reports.places import at, open_outage_row
from tests.people import bearer, sign_in

if TYPE_CHECKING:
    from flask.testing import FlaskClient
    from sqlalchemy.orm import Session


@pytest.fixture
def town(session: Session) -> Session:
    """Lay the street."""
    street().plant(session)
    return session


def test_a_machine_registers_once_and_is_told_what_is_known(
    client: FlaskClient, town: Session
) -> None:
    """Of two sent with one number there is one; nothing secret is told."""
    head = bearer(town, "service_agent")
    lon, lat = at("P2")
    body = {"kind": "burst", "lon": lon, "lat": lat, "client_id": "scada-1", "phone": "139"}
    first = client.post("/api/v1/reports", json=body, headers=head)
    again = client.post("/api/v1/reports", json=body, headers=head)
    assert (first.status_code, again.status_code) == (201, 200)
    one = first.get_json()
    assert one["report"]["id"] == again.get_json()["report"]["id"]
    assert one["report"]["channel"] == "api"
    assert "token" not in one["report"]
    url = f"/api/v1/reports/{one['report']['id']}"
    opened = client.post(f"{url}/incident", json={}, headers=head)
    assert opened.status_code == 201
    assert [order["kind"] for order in opened.get_json()["orders"]] == ["make_safe", "repair"]
    second = client.post("/api/v1/reports", json=body | {"client_id": "x"}, headers=head)
    assert second.get_json()["linked_incident"]["id"] == opened.get_json()["incident"]["id"]
    assert client.get(url, headers=bearer(town, "crew")).status_code == 403
    listed = client.get("/api/v1/reports?list=latest", headers=head).get_json()["reports"]
    assert len(listed) == 2


def test_a_place_is_asked_about_before_anything_is_registered(
    client: FlaskClient, town: Session
) -> None:
    """The caller in a live outage hears its promise on the same screen."""
    head = bearer(town, "service_agent")
    lon, lat = at("P2")
    body = {"kind": "burst", "lon": lon, "lat": lat, "phone": "139"}
    told = client.post("/api/v1/reports", json=body, headers=head).get_json()
    url = f"/api/v1/reports/{told['report']['id']}/incident"
    incident = client.post(url, json={}, headers=head).get_json()["incident"]
    now = dt.datetime.now(dt.UTC)
    key = open_outage_row(town, incident["id"], "P2", "P3", opened_at=now)
    by = now + dt.timedelta(hours=3)
    town.execute(
        text("UPDATE outage SET promised_by = :by WHERE key = :key"), {"by": by, "key": key}
    )
    known = client.get("/api/v1/reports/at?customer=C103&phone=139", headers=head).get_json()
    assert known["promise"]["by"] is not None
    assert known["links_to"]["id"] == incident["id"]
    assert [one["id"] for one in known["earlier"]] == [told["report"]["id"]]
    assert client.get("/api/v1/reports/at?lon=x", headers=head).status_code == 400
    nowhere = client.get("/api/v1/reports/at?lon=100&lat=20", headers=head).get_json()
    assert nowhere["place"]["pipe"] is None
    assert nowhere["candidates"] == []


def test_a_call_is_taken_on_the_page_and_opens_its_incident(
    client: FlaskClient, town: Session
) -> None:
    """One press, and the page says what became of it."""
    head = sign_in(client, town, "service_agent")
    lon, lat = at("P2")
    assert "接听来电" in client.get("/calls").get_data(as_text=True)
    form = {
        "kind": "burst", "lon": lon, "lat": lat, "phone": "13800000000", "words": "<b>水柱</b>",
        "danger": "1", "then": "incident",
    }  # fmt: skip
    sent = client.post("/calls", data=form, headers=head, follow_redirects=True)
    page = sent.get_data(as_text=True)
    assert "已建立事件" in page
    assert "&lt;b&gt;水柱" in page
    incident = town.execute(text("SELECT id FROM incident")).scalar_one()
    sheet = client.get(f"/incidents/{incident}").get_data(as_text=True)
    assert "险情" in sheet
    assert "W-" in sheet
    assert incident in client.get("/incidents").get_data(as_text=True)
    wrong = client.post("/calls", data={"kind": "burst", "lon": "x"}, headers=head)
    assert wrong.status_code == 400


def test_a_report_is_worked_on_from_the_page(client: FlaskClient, town: Session) -> None:
    """Linked, parted, called back; a refusal is told and changes nothing."""
    head = sign_in(client, town, "dispatcher")
    lon, lat = at("P1", 0.99)
    first = {"kind": "burst", "lon": at("P2")[0], "lat": lat, "then": "incident"}
    client.post("/calls", data=first, headers=head)
    incident = town.execute(text("SELECT id FROM incident")).scalar_one()
    form = {"kind": "no_water", "lon": lon, "lat": lat, "phone": "1380"}
    page = client.post("/calls", data=form, headers=head, follow_redirects=True)
    assert "可能是同一故障" in page.get_data(as_text=True)
    report = town.execute(text("SELECT id FROM report WHERE kind = 'no_water'")).scalar_one()

    def act(action: str, **fields: str) -> str:
        url = f"/calls/{report}/{action}"
        done = client.post(url, data=fields, headers=head, follow_redirects=True)
        return done.get_data(as_text=True)

    assert "已关联到" in act("link", incident=incident)
    assert "先解除关联" in act("incident")
    assert "已解除关联" in act("part")
    assert "已办结" not in act("call-back", result="no_answer", is_incoming="1")
    assert client.post(f"/calls/{report}/burn", headers=head).status_code == 404
    assert "已结束" not in client.get(f"/incidents/{incident}").get_data(as_text=True)
    closing = client.post(f"/incidents/{incident}/close", headers=head, follow_redirects=True)
    assert closing.status_code == 200
    changing = client.post(
        f"/incidents/{incident}/change", data={"danger": "1"}, headers=head, follow_redirects=True
    )
    assert changing.status_code == 200


def test_a_crew_registers_and_sees_no_other_caller(client: FlaskClient, town: Session) -> None:
    """Names and numbers are the desk's."""
    agent = bearer(town, "service_agent")
    lon, lat = at("P2")
    body = {"kind": "leak", "lon": lon, "lat": lat, "name": "李女士", "channel": "phone"}
    other = client.post("/api/v1/reports", json=body, headers=agent).get_json()["report"]
    head = sign_in(client, town, "crew")
    form = {"kind": "visible_leak", "lon": lon, "lat": lat}
    sent = client.post("/calls", data=form, headers=head, follow_redirects=True)
    page = sent.get_data(as_text=True)
    assert "李女士" not in page
    assert "待回访" not in page
    assert client.get(f"/calls?report={other['id']}").status_code == 404
    assert client.post(f"/calls/{other['id']}/take", headers=head).status_code == 403


def test_what_the_database_cannot_keep_is_left_out_or_not_found(
    client: FlaskClient, town: Session
) -> None:
    """And is no fault of ours, wherever it stands."""
    head = bearer(town, "service_agent")
    lon, lat = at("P2")
    body = {
        "kind": "leak", "lon": lon, "lat": lat, "words": "a\0b", "name": "\0", "phone": "1\0",
        "address": "\0x", "client_id": "\0c",
    }  # fmt: skip
    told = client.post("/api/v1/reports", json=body, headers=head)
    assert told.get_json()["report"]["words"] == "ab"
    url = f"/api/v1/reports/{told.get_json()['report']['id']}"
    call = {"result": "no_answer", "note": "\0", "is_incoming": True}
    assert client.post(f"{url}/call-back", json=call, headers=head).status_code == 200
    for path in (
        "reports/R-1%00",
        "incidents/%00",
        "reports/at?customer=%00",
        "reports/at?pipe=%00",
    ):
        assert client.get(f"/api/v1/{path}", headers=head).status_code == 404
    assert client.get("/api/v1/reports/at?phone=%00&lon=1&lat=1", headers=head).status_code == 200
    wrong = client.post("/api/v1/incidents", json=body | {"pipe": "\0"}, headers=head)
    assert wrong.status_code == 404
