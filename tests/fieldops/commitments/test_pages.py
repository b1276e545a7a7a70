"""The manager's pages of the calendar and of limits."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from fieldops.commitments.service import Day, list_days, list_hours, list_limits
from tests.people import sign_in

if TYPE_CHECKING:
    from flask.testing import FlaskClient
    from sqlalchemy.orm import Session

LIMIT = {
    "clock_kind": "arrive",
    "limit_min": "20",
    "starts_at": "reported",
    "source": "内部 2026-1",
    "valid_from": "2026-01-01",
    "severity": "burst",
    "work_kind": "",
    "diameter_from_mm": "",
}


def test_a_manager_keeps_the_calendar(client: FlaskClient, session: Session) -> None:
    """Holidays by the library, one day by hand, other hours."""
    csrf = sign_in(client, session, "manager")
    assert "尚未公布" in client.get("/calendar?year=2026").text
    client.post("/calendar/years", data={"year": "2026"}, headers=csrf)
    day = {"day": "2026-10-08", "is_workday": "false", "title": "市民日"}
    assert client.post("/calendar/days", data=day, headers=csrf).status_code == 302
    hours = {"hours": "9:00-12:00、14:00-18:00"}
    assert client.post("/calendar/hours", data=hours, headers=csrf).status_code == 302
    page = client.get("/calendar?year=2026").text
    assert "国庆节" in page
    assert "市民日" in page
    assert "14:00-18:00" in page
    assert Day(dt.date(2026, 10, 8), False, "市民日", True) in list_days(session, 2026)  # noqa: FBT003
    assert len(list_hours(session)) == 2


def test_what_cannot_be_is_refused(client: FlaskClient, session: Session) -> None:
    """With the reason, and nothing changed."""
    csrf = sign_in(client, session, "manager")
    for path, data in (
        ("/calendar/days", {"day": "soon", "is_workday": "true"}),
        ("/calendar/hours", {"hours": "12:00-9:00"}),
        ("/calendar/hours", {"hours": "early"}),
        ("/calendar/else", {}),
        ("/limits", {**LIMIT, "limit_min": "0"}),
        ("/limits", {**LIMIT, "limit_min": "90"}),
        ("/limits", {**LIMIT, "valid_to": "2025-01-01"}),
        ("/limits", {**LIMIT, "diameter_from_mm": "300", "diameter_to_mm": "100"}),
    ):
        assert client.post(path, data=data, headers=csrf).status_code == 400, (path, data)
    assert client.get("/calendar?year=x").status_code == 400


def test_a_manager_adds_a_limit_and_ends_it(client: FlaskClient, session: Session) -> None:
    """It stays in the register."""
    csrf = sign_in(client, session, "manager")
    assert client.post("/limits", data=LIMIT, headers=csrf).status_code == 302
    added = next(each for each in list_limits(session) if each.source == LIMIT["source"])
    assert (added.limit_s, added.severity, added.is_external) == (1200, "burst", False)
    end = {"valid_to": "2026-06-30"}
    assert client.post(f"/limits/{added.key}/end", data=end, headers=csrf).status_code == 302
    page = client.get("/limits").text
    assert "内部 2026-1" in page
    assert "2026-06-30" in page
    assert client.post("/limits/0/end", data=end, headers=csrf).status_code == 404


def test_only_managers_change_them(client: FlaskClient, session: Session) -> None:
    """Neither seen nor changed by others."""
    csrf = sign_in(client, session, "dispatcher")
    for path in ("/calendar", "/limits", "/process"):
        assert client.get(path).status_code == 403
    assert client.post("/limits", data=LIMIT, headers=csrf).status_code == 403
