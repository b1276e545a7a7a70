"""What wants a dispatcher's eye: escalated limits, facts that came late, emergencies."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from fieldops.clocks.service import escalate
from fieldops.console.service import read_board
from fieldops.emergencies.service import declare, list_live
from fieldops.events.queries import fetch_events_of
from fieldops.incidents.service import IncidentDraft, open_incident
from tests.fieldops.dispatch.boards import LAT, LON, dispatcher
from tests.fieldops.work_orders.orders import NOW, act, lead_to, make_cast, make_order
from tests.people import bearer, sign_in

if TYPE_CHECKING:
    from flask import Flask
    from flask.testing import FlaskClient
    from sqlalchemy.orm import Session

HOUR = dt.timedelta(hours=1)


def ask_board(client: FlaskClient, session: Session) -> Any:  # noqa: ANN401 - JSON
    """Read the board as a dispatcher."""
    session.commit()
    answer = client.get("/api/v1/board", headers=bearer(session, "dispatcher"))
    assert answer.status_code == 200
    return answer.get_json()


def test_the_board_tells_the_worst_step_that_a_limit_has_reached(session: Session) -> None:
    """Each at its time, and none of an order whose limits are not near."""
    order = make_order(session, NOW)
    assert read_board(session, NOW).escalated == {}
    assert order.arrive_due_at is not None
    limit = order.arrive_due_at - NOW
    for share, percent in ((0.8, 80), (1.0, 100), (1.5, 150)):
        at = NOW + share * limit + dt.timedelta(seconds=1)
        escalate(session, at)
        assert read_board(session, at).escalated[order.key].percent == percent


def test_a_fact_that_came_late_is_shown_until_somebody_has_read_it(
    app: Flask, session: Session
) -> None:
    """The reading is an event: every screen hears it, and a reload brings nothing back."""
    client, cast = app.test_client(), make_cast(session)
    order = make_order(session)
    lead_to(session, order, cast, "en_route")
    other = {"crew": cast.other_crew_id, "reason": "更近"}
    act(session, order, "transfer", cast.dispatcher, NOW + HOUR, body=other)
    act(session, order, "arrive", cast.crew, NOW + 2 * HOUR, occurred_at=NOW)
    (fact,) = ask_board(client, session)["late_facts"]
    assert (fact["subject"], fact["by"]) == (order.id, cast.crew.name)
    assert dt.datetime.fromisoformat(fact["occurred_at"]) == NOW

    csrf = sign_in(client, session, "dispatcher")
    url = f"/api/v1/late-facts/{fact['position']}/read"
    for _ in range(2):
        assert client.post(url, json={}, headers=csrf).status_code == 200
    assert ask_board(app.test_client(), session)["late_facts"] == []
    kinds = [one.kind for one in fetch_events_of(session, "work_order", [order.key])]
    assert kinds.count("work_order.late_fact_read") == 1


def test_an_emergency_under_way_is_on_the_board(client: FlaskClient, session: Session) -> None:
    """With its level in words, and when its next report is due."""
    draft = IncidentDraft(kind="leak", lon=LON, lat=LAT, address="长江路 18 号")
    desk = dispatcher(session)
    incident = open_incident(session, draft, desk, NOW)
    declare(session, incident.id, 2, "邻近化工厂", desk, NOW)
    (told,) = ask_board(client, session)["emergencies"]
    assert (told["level"], told["incident"]) == (2, incident.id)
    assert told["level_name"] == "Ⅱ级响应"
    due = list_live(session)[0].pending
    assert told["report_due_at"] == (due and due.due_at.isoformat())
