"""What screens ask of dispatch."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from fieldops.rosters import queries as rosters
from tests.fieldops.dispatch.boards import LAT, LON, lay_streets, open_job, place_crew
from tests.people import bearer, sign_in

if TYPE_CHECKING:
    from flask.testing import FlaskClient
    from sqlalchemy.orm import Session

CHINESE = {"Accept-Language": "zh-CN"}


def set_stage(session: Session) -> str:
    """Lay streets, place two crews that work today, open a burst, and give its order."""
    lay_streets(session)
    now = dt.datetime.now(dt.UTC)
    hour = dt.timedelta(hours=1)
    for number in (1, 2):
        key = place_crew(session, f"C-{number}", None)
        shift = {"crew_key": key, "kind": "shift", "rank": None}
        rosters.insert_shifts(
            session, [{**shift, "starts_at": now - hour, "ends_at": now + 8 * hour}]
        )
    order = open_job(session, 0.02, severity="burst", customers_out=40)
    session.commit()
    return order.id


def tell_place(client: FlaskClient, headers: dict[str, str], crew: str, x: float) -> None:
    """Have a dispatcher record a crew's place."""
    body = {"lon": LON + x, "lat": LAT, "at": dt.datetime.now(dt.UTC).isoformat()}
    answer = client.post(f"/api/v1/crews/{crew}/position", json=body, headers=headers)
    assert answer.status_code == 200, answer.json


def test_a_screen_gets_suggestions_candidates_and_one_assignment(
    client: FlaskClient, session: Session
) -> None:
    """The second try says in Chinese who was quicker."""
    order = set_stage(session)
    headers = bearer(session, "dispatcher") | CHINESE
    tell_place(client, headers, "C-1", 0.0)
    tell_place(client, headers, "C-2", 0.015)
    shown = client.get("/api/v1/dispatch/suggestions", headers=headers).json
    assert shown is not None
    (suggestion,) = shown["suggestions"]
    assert (suggestion["order"], suggestion["crew"]) == (order, "C-2")
    assert suggestion["runner_up"]["crew"] == "C-1"
    assert "40 户停水" in [each["text"] for each in suggestion["reasons"]]
    compared = client.get(f"/api/v1/orders/{order}/candidates", headers=headers).json
    assert compared is not None
    assert [each["crew"] for each in compared["candidates"]] == ["C-2", "C-1"]
    sent = client.post(f"/api/v1/orders/{order}/assign", json={"crew": "C-2"}, headers=headers)
    assert sent.status_code == 200
    assert sent.json is not None
    assert sent.json["state"] == "assigned"
    lost = client.post(f"/api/v1/orders/{order}/assign", json={"crew": "C-1"}, headers=headers)
    assert lost.status_code == 409
    assert lost.json is not None
    assert "派给C-2班" in lost.json["detail"]
    offers = client.get("/api/v1/dispatch/offers", headers=headers).json
    assert offers is not None
    assert [each["kind"] for each in offers["offers"]] == ["ordered"]
    answered = client.post(
        f"/api/v1/orders/{order}/phone-answer",
        json={"answer": "accepted", "note": "马上走"},
        headers=headers,
    )
    assert answered.status_code == 200
    assert answered.json is not None
    assert answered.json["state"] == "accepted"


def test_a_dispatcher_closes_and_opens_a_road(client: FlaskClient, session: Session) -> None:
    """Every screen can list what is closed."""
    lay_streets(session)
    session.commit()
    headers = bearer(session, "dispatcher")
    path = "/api/v1/roads/R-西桥/closed"
    assert client.post(path, json={"closed": True}, headers=headers).status_code == 200
    closed = client.get("/api/v1/roads/closed", headers=headers).json
    assert closed is not None
    assert [each["name"] for each in closed["roads"]] == ["西桥"]
    assert client.post(path, json={"closed": False}, headers=headers).status_code == 200
    missing = client.post("/api/v1/roads/R-无/closed", json={"closed": True}, headers=headers)
    assert missing.status_code == 404


def test_a_skill_that_is_lacking_is_named_in_words(client: FlaskClient, session: Session) -> None:
    """Not by its code."""
    place_crew(session, "C-1", 0.0, skills=("general",))
    order = open_job(session, 0.01, skills=["excavation"]).id
    session.commit()
    headers = bearer(session, "dispatcher") | CHINESE
    answer = client.post(f"/api/v1/orders/{order}/assign", json={"crew": "C-1"}, headers=headers)
    assert answer.status_code == 409
    assert answer.json is not None
    assert "开挖" in answer.json["detail"]


def test_a_body_that_cannot_be_read_is_named(client: FlaskClient, session: Session) -> None:
    """And nobody but dispatchers sends."""
    order = set_stage(session)
    headers = bearer(session, "dispatcher")
    wrong = client.post(f"/api/v1/orders/{order}/assign", json={"cru": "C-1"}, headers=headers)
    assert wrong.status_code == 400
    assert wrong.json is not None
    assert "crew" in wrong.json["detail"]
    crew = bearer(session, "crew")
    body = {"crew": "C-1"}
    assert client.post(f"/api/v1/orders/{order}/assign", json=body, headers=crew).status_code == 403


def test_a_dispatcher_closes_a_road_on_its_page(client: FlaskClient, session: Session) -> None:
    """Found by a part of its name; both lists show it closed."""
    lay_streets(session)
    session.commit()
    header = sign_in(client, session, "dispatcher")
    assert "没有登记为封闭的道路" in client.get("/dispatch/roads?q=西", headers=CHINESE).text
    form = {"road": "R-西桥", "closed": "yes", "q": "西"}
    assert client.post("/dispatch/roads", data=form, headers=header).status_code == 302
    page = client.get("/dispatch/roads?q=西", headers=CHINESE).text
    assert "西桥已封闭" in page
    assert page.count("恢复通行") == 2
    form["closed"] = "no"
    assert client.post("/dispatch/roads", data=form, headers=header).status_code == 302
    assert "没有登记为封闭的道路" in client.get("/dispatch/roads", headers=CHINESE).text


def test_a_manager_changes_the_settings_on_their_page(
    client: FlaskClient, session: Session
) -> None:
    """What cannot be is refused beside its field, and what is old is refused whole."""
    header = sign_in(client, session, "manager")
    page = client.get("/dispatch/settings", headers=CHINESE)
    assert "派单设置" in page.text
    form = {
        "version": "1",
        "mode": "automatic",
        "automatic_max_diameter_mm": "150",
        "diversion_s": "450",
        "offer_s": "300",
        "phone_after_s": "120",
        "stale_penalty_min": "10",
        "call_out_min": "15",
        "straight_factor": "1.4",
    }
    wrong = client.post("/dispatch/settings", data=form | {"straight_factor": "0"}, headers=header)
    assert wrong.status_code == 422
    assert client.post("/dispatch/settings", data=form, headers=header).status_code == 302
    assert client.post("/dispatch/settings", data=form, headers=header).status_code == 409
