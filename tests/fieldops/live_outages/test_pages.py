"""Outages over HTTP: the API, the pages, the table to take away."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from fieldops.accounts.service import make_token
from fieldops.events.service import SYSTEM
from fieldops.incidents import service as incidents
from fieldops.incidents.service import IncidentDraft
from fieldops.live_outages.forms import say_state
from tests.fieldops.live_outages.towns import three_in_a_row
from tests.fieldops.outages.towns import PLACES
from tests.fieldops.work_orders.orders import make_crew
from tests.people import bearer, sign_in

if TYPE_CHECKING:
    from flask import Flask
    from flask.testing import FlaskClient
    from sqlalchemy.orm import Session
    from werkzeug.test import TestResponse


class Desk:
    """Somebody with these roles, asking by token in English."""

    def __init__(self, client: FlaskClient, session: Session, *roles: str) -> None:
        self.client = client
        self.headers = bearer(session, *roles) | {"Accept-Language": "en"}

    @classmethod
    def of_crew(cls, client: FlaskClient, session: Session) -> Desk:
        """Make a member of one of the utility's own crews."""
        desk = cls(client, session, "crew")
        _, member = make_crew(session)
        assert member.person_id is not None
        now = dt.datetime.now(dt.UTC)
        token = make_token(session, member.person_id, "test", 1, now)
        session.commit()
        desk.headers = desk.headers | {"Authorization": f"Bearer {token}"}
        return desk

    def post(self, path: str, **body: Any) -> TestResponse:  # noqa: ANN401
        """Send something."""
        return self.client.post(f"/api/v1/outages{path}", headers=self.headers, json=body)

    def get(self, path: str = "") -> Any:  # noqa: ANN401
        """Read something."""
        return self.client.get(f"/api/v1/outages{path}", headers=self.headers).json

    def open(self, pipe: str = "P3") -> str:
        """Open an outage and give its address."""
        made = self.post("", pipe=pipe)
        assert made.status_code == 201, made.text
        return f"/{made.json['id']}" if made.json else ""

    def confirm(self, outage: str, valve: str, result: str, **more: Any) -> int:  # noqa: ANN401
        """Say what was found at a valve, with the number of customers that is shown now."""
        more.setdefault("customers", (self.get(outage) or {}).get("connections", 0))
        sent = self.post(f"{outage}/confirm_valve", valve=valve, result=result, **more)
        return sent.status_code


def test_an_outage_is_opened_worked_and_shown(client: FlaskClient, session: Session) -> None:
    """Numbers, valves, plan and what the map recolours."""
    three_in_a_row().plant(session)
    desk = Desk(client, session, "dispatcher")
    outage = desk.open()
    assert desk.confirm(outage, "V2", "will_not_close", customers=2) == 200
    shown = desk.get(f"{outage}?keys=1")

    assert shown["connections"] == 3
    assert shown["proposed"]["because"] == "Valve V2 will not close."
    assert shown["proposed"]["difference"]["valves_added"] == ["V1"]
    assert [one["id"] for one in shown["keys"]["valves_to_close"]] == ["V1"]
    assert len(shown["keys"]["customers_shut"] + shown["keys"]["customers_cut_off"]) == 3
    assert shown["keys"]["parts_restored"] == []
    assert shown["restored"].keys() == {"p10", "p50", "p90"}
    (listed,) = desk.get()["outages"]
    assert (f"/{listed['id']}", listed["plan_status"]) == (outage, "proposed")


def test_what_was_decided_on_other_numbers_is_refused(
    client: FlaskClient, session: Session
) -> None:
    """Somebody else's valve has made the outage larger meanwhile."""
    three_in_a_row().plant(session)
    desk = Desk(client, session, "dispatcher")
    assert desk.post("", pipe="P3", customers=9).status_code == 409
    assert desk.get()["outages"] == []
    outage = desk.open()
    assert desk.confirm(outage, "V2", "not_found") == 200
    late = desk.post(f"{outage}/confirm_valve", valve="V1", result="closed_tight", customers=2)

    assert late.status_code == 409
    assert late.json is not None
    assert late.json["detail"].startswith("2 customers were shown to you; now it is 3.")
    assert desk.post(f"{outage}/close", customers=2).status_code == 409
    assert desk.post(f"{outage}/close").status_code == 400
    assert desk.confirm(outage, "V1", "closed_tight", customers=3) == 200


def test_parts_tell_who_has_water_if_they_are_opened(client: FlaskClient, session: Session) -> None:
    """After the repair, by valve; then they have it."""
    three_in_a_row().plant(session)
    desk = Desk(client, session, "dispatcher")
    outage = desk.open()
    desk.confirm(outage, "V2", "closed_tight")
    assert desk.get(outage)["parts"] == []

    desk.post(f"{outage}/stage", stage="repaired")
    (part,) = desk.get(outage)["parts"]
    assert (part["id"], part["connections"], part["properties"]) == ("valve:V2", 2, 2)

    assert desk.post(f"{outage}/restore_part", part="valve:V2", customers=2).status_code == 200
    after = desk.get(f"{outage}?keys=1")
    assert (after["status"], after["customers_restored"]) == ("restored", 2)
    assert len(after["keys"]["parts_restored"]) == 2
    assert len(after["keys"]["customers_restored"]) == 2
    rows = desk.get(f"{outage}/intervals")["intervals"]
    assert [row["customer"] for row in rows] == ["C3", "C4"]
    assert all(row["restored_at"] for row in rows)


def test_crews_work_valves_and_plan_nothing(client: FlaskClient, session: Session) -> None:
    """The API refuses, not only a screen."""
    three_in_a_row().plant(session)
    outage = Desk(client, session, "dispatcher").open()
    crew = Desk.of_crew(client, session)
    nobody = Desk(client, session, "crew")

    assert nobody.confirm(outage, "V2", "passing") == 403
    assert crew.post("", pipe="P3").status_code == 403
    assert crew.post(f"{outage}/shrink").status_code == 403
    assert crew.confirm(outage, "V2", "half") == 400
    assert crew.confirm("/O-0", "V2", "passing") == 404
    assert crew.post(f"{outage}/dance").status_code == 409
    assert crew.confirm(outage, "V2", "closed_tight") == 200


def test_the_ways_to_stop_the_water_can_be_compared(client: FlaskClient, session: Session) -> None:
    """In a street without a second feed there is only one."""
    three_in_a_row().plant(session)
    desk = Desk(client, session, "dispatcher")
    (choice,) = desk.get(f"{desk.open()}/choices")["choices"]

    assert (choice["kind"], choice["valves_to_close"]) == ("nearest", ["V2"])
    assert choice["properties"] == 2


def test_the_pages_show_plans_valves_stages_and_customers(
    client: FlaskClient, session: Session
) -> None:
    """In Chinese, for a service agent who may change nothing."""
    three_in_a_row().plant(session)
    outage = Desk(client, session, "dispatcher").open()
    Desk.of_crew(client, session).confirm(outage, "V2", "will_not_close")
    sign_in(client, session, "service_agent")
    listed = client.get("/outages").text
    page = client.get(f"/outages{outage}").text

    assert f'data-outage="{outage[1:]}"' in listed
    for word in ("停水户数", "关不动", "必关阀门", "V1", "C2", "方案 2", "待批准"):
        assert word in page, word
    assert '<form method="post" action="/outages' not in page
    table = client.get(f"/outages{outage}/customers.csv")
    assert table.text.startswith("\ufeff")
    assert "C4" in table.text


def test_a_valve_that_nobody_has_to_close_is_not_said_to_be_closed(app: Flask) -> None:
    """Its part in the plan and how it stands are in one line, and agree."""
    with app.test_request_context("/?lang=en"):
        said = {role: say_state(role, "to_close") for role in ("close", "optional", "verify_shut")}
        assert said == {
            "close": "to close",
            "optional": "may stay open",
            "verify_shut": "to be checked",
        }
        assert say_state("optional", "closed_tight") == "closed tight"


def test_a_plan_is_approved_on_the_page(client: FlaskClient, session: Session) -> None:
    """With the number of customers that it shows."""
    three_in_a_row().plant(session)
    outage = Desk(client, session, "dispatcher").open()
    Desk.of_crew(client, session).confirm(outage, "V2", "will_not_close")
    headers = sign_in(client, session, "dispatcher")
    assert 'name="customers" value="3"' in client.get(f"/outages{outage}").text

    wish = {"plan": "2", "customers": "3"}
    sent = client.post(f"/outages{outage}/approve_plan", data=wish, headers=headers)
    assert sent.status_code == 302
    shown = client.get(f"/api/v1/outages{outage}").json
    assert shown is not None
    assert (shown["plan"]["status"], shown["proposed"]) == ("approved", None)


def test_minutes_are_asked_for_by_period(client: FlaskClient, session: Session) -> None:
    """Nobody was dry: no share can be told of nothing."""
    desk = Desk(client, session, "manager")
    found = desk.get("/minutes?from=2026-03-01T00:00:00Z&to=2026-04-01T00:00:00Z")

    assert (found["property_minutes"], found["share_long"]) == (0, None)
    assert (
        desk.client.get("/api/v1/outages/minutes?from=yesterday", headers=desk.headers).status_code
        == 400
    )


def test_the_page_counts_on_while_customers_are_dry_and_leads_to_its_incident(
    client: FlaskClient, session: Session
) -> None:
    """In minutes so far; and the incident's page leads back."""
    three_in_a_row().plant(session)
    desk = Desk(client, session, "dispatcher")
    lon, lat = PLACES["B"]
    draft = IncidentDraft(kind="burst", lon=lon, lat=lat)
    now = dt.datetime.now(dt.UTC)
    incident = incidents.open_incident(session, draft, SYSTEM, now)
    session.commit()
    made = desk.post("", pipe="P3", incident=incident.id)
    assert made.json is not None
    outage = made.json["id"]
    valves = desk.get(f"/{outage}")["valves"]
    for valve in valves:
        assert desk.confirm(f"/{outage}", valve["valve"], "closed_tight") == 200
    moved = "UPDATE outage_interval SET lost_at = :at WHERE lost_at IS NOT NULL"
    done = session.execute(text(moved), {"at": now - dt.timedelta(minutes=42.5)})
    assert done.rowcount > 0  # type: ignore[attr-defined]
    session.commit()
    sign_in(client, session, "dispatcher")
    page = client.get(f"/outages/{outage}").text
    assert "至今 42" in page
    assert f'href="/incidents/{incident.id}"' in page
    about = client.get(f"/incidents/{incident.id}").text
    assert about.count(f'href="/outages/{outage}"') > 1
