"""The board: everything under way, read at once."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from fieldops.console.forms import WORDS, say_words
from fieldops.console.service import read_board
from fieldops.events.queries import fetch_head
from fieldops.incidents.service import KINDS, IncidentDraft, open_incident
from fieldops.work_orders.service import OrderDraft, open_order
from tests.conftest import is_bookkeeping
from tests.fieldops.dispatch.boards import (
    LAT,
    LON,
    NOW,
    dispatcher,
    lay_streets,
    open_job,
    place_crew,
)
from tests.people import bearer

if TYPE_CHECKING:
    from flask import Flask
    from flask.testing import FlaskClient
    from sqlalchemy.orm import Session


def test_the_board_tells_what_is_open_who_is_there_and_who_should_go(
    client: FlaskClient, session: Session
) -> None:
    """One reading, with the position from which the stream goes on."""
    lay_streets(session)
    place_crew(session, "C-1", 0.01)
    now, actor = dt.datetime.now(dt.UTC), dispatcher(session)
    draft = IncidentDraft(kind="burst", lon=LON + 0.02, lat=LAT)
    incident = open_incident(session, draft, actor, now)
    order = open_order(
        session,
        OrderDraft(
            kind="make_safe", severity="burst", lon=LON + 0.02, lat=LAT, skills=("valve",),
            incident_key=incident.key, is_triaged=True,
        ),
        actor,
        now,
    )  # fmt: skip
    session.commit()
    board = client.get("/api/v1/board", headers=bearer(session, "dispatcher")).get_json()

    assert board["position"] == fetch_head(session)
    assert [one["id"] for one in board["incidents"]] == [incident.id]
    assert board["incidents"][0]["properties_out"] is None
    (told,) = board["orders"]
    assert (told["id"], told["incident"], told["state"]) == (order.id, incident.id, "triaged")
    assert dt.datetime.fromisoformat(told["opened_at"]) == now
    assert [one["id"] for one in board["crews"]] == ["C-1"]
    assert board["outages"] == []


def test_many_orders_cost_the_board_no_more_questions_than_one(
    session: Session, statements: list[str]
) -> None:
    """A burst day must not be what makes the board slow."""
    lay_streets(session)
    for number in range(8):
        place_crew(session, f"C-{number}", 0.002 * number)
    asked = []
    for number in range(1, 8):
        open_job(session, 0.003 * number)
        session.commit()
        before = len(statements)
        board = read_board(session, NOW)
        asked.append(len([each for each in statements[before:] if not is_bookkeeping(each)]))
        assert len(board.suggestions) == number
    assert asked[-1] <= asked[0] + 2


@pytest.mark.parametrize("role", ["crew", "service_agent", "planner"])
def test_only_those_who_dispatch_see_the_board(
    client: FlaskClient, session: Session, role: str
) -> None:
    """A crew of a contractor must not read what others do."""
    assert client.get("/api/v1/board", headers=bearer(session, role)).status_code == 403
    assert client.get("/dispatch", headers=bearer(session, role)).status_code == 403


def test_the_page_has_a_word_for_every_code_that_the_board_can_hold(app: Flask) -> None:
    """A code shown as it is would be English in the middle of a Chinese page."""
    with app.test_request_context():
        words = say_words()
    states = {"new", "triaged", "assigned", "accepted", "en_route", "on_site", "working"}
    wanted = {f"incident.{kind}" for kind in KINDS} | {f"state.{state}" for state in states}
    assert wanted <= set(words)
    assert {"stale-banner", "undo"} <= set(WORDS)
