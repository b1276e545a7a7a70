"""Crews as machines and maps see them."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from fieldops.crews.service import find_crew
from tests.fieldops.crews.making import make_crew
from tests.people import bearer, make_person, sign_in_as

if TYPE_CHECKING:
    from flask.testing import FlaskClient
    from sqlalchemy.orm import Session


def test_a_tablet_tells_its_position_and_the_map_sees_it(
    client: FlaskClient, session: Session
) -> None:
    """With its age by the server's clock."""
    member = make_person(session, "crew")
    make_crew(session, person_id=member)
    headers = sign_in_as(client, session, member)
    at = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=30)
    told = client.post(
        "/api/v1/crews/C-1/position",
        json={"lon": 117.3, "lat": 31.1, "at": at.isoformat(), "accuracy_m": 6},
        headers=headers,
    )
    assert (told.status_code, told.json) == (
        200,
        {"status": "applied", "is_kept_as_fact": False, "message": ""},
    )
    answer = client.get("/api/v1/crews", headers=headers).json
    assert answer is not None
    (crew,) = answer["crews"]
    assert (crew["lon"], crew["lat"], crew["is_position_stale"]) == (117.3, 31.1, False)
    assert 30 <= crew["position_age_s"] < 60


def test_a_stranger_moves_no_crew(client: FlaskClient, session: Session) -> None:
    """Nor does nonsense."""
    make_crew(session)
    headers = bearer(session, "crew")
    now = dt.datetime.now(dt.UTC).isoformat()
    place = {"lon": 117.3, "lat": 31.1, "at": now}
    address = "/api/v1/crews/C-1/position"
    assert client.post(address, json=place, headers=headers).status_code == 403
    wrongs: list[object] = [
        {**place, "lon": 200},
        {**place, "at": "2026-01-01T00:00:00"},
        {},
        [],
        7,
    ]
    for wrong in wrongs:
        assert client.post(address, json=wrong, headers=headers).status_code == 400
    dispatcher = bearer(session, "dispatcher")
    assert (
        client.post("/api/v1/crews/X/position", json=place, headers=dispatcher).status_code == 409
    )
    assert find_crew(session, "C-1", dt.datetime.now(dt.UTC)).lon is None
