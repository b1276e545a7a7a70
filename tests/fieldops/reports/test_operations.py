"""Operations on reports as tablets send them: refused for good, or kept with their names."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from fieldops.accounts.service import make_token
from fieldops.events.queries import fetch_events_of
from fieldops.incidents import service as incidents
from fieldops.incidents.service import IncidentDraft
from fieldops.reports import service
from tests.fieldops.outages.towns import street
from tests.fieldops.reports.places import SYSTEM, at, call
from tests.people import bearer, make_person
from tests.sending import operation, send

if TYPE_CHECKING:
    from flask.testing import FlaskClient
    from sqlalchemy.orm import Session


@pytest.fixture
def town(session: Session) -> Session:
    """Lay the street."""
    street().plant(session)
    return session


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("danger", "x"), ("words", None), ("words", 5), ("name", ["a"]), ("kind", ["leak"]),
        ("contact", {"a": 1}), ("phone", "1" * 41), ("address", {"a": 1}),
    ],
)  # fmt: skip
def test_a_change_of_the_wrong_kind_is_refused_for_good(
    client: FlaskClient, town: Session, field: str, value: object
) -> None:
    """With the field named; the tablet would send a failed one for ever."""
    report = call(town).report
    wish = operation(f"report:{report.id}", "change", body={field: value})
    (answer,) = send(client, bearer(town, "dispatcher"), wish)
    assert (answer["status"], field in answer["message"]) == ("illegal", True)
    assert service.find_report(town, report.id) == report


@pytest.mark.parametrize(("field", "value"), [("lon", 999), ("at_m", -5), ("words", "长" * 4001)])
def test_a_report_out_of_bounds_is_refused_for_good(
    client: FlaskClient, town: Session, field: str, value: object
) -> None:
    """As at every other door."""
    body = {"kind": "leak", "pipe": "P2", "at_m": 5, "lat": 31, field: value}
    (answer,) = send(client, bearer(town, "crew"), operation("report:new", "register", body=body))
    assert (answer["status"], field in answer["message"]) == ("illegal", True)


def test_a_call_back_at_a_time_without_a_zone_is_refused_for_good(
    client: FlaskClient, town: Session
) -> None:
    """It could be any of twenty-four."""
    report = call(town).report
    body = {"result": "reached", "at": "2026-01-02T12:00:00"}
    wish = operation(f"report:{report.id}", "call_back", body=body)
    assert send(client, bearer(town, "dispatcher"), wish)[0]["status"] == "illegal"


def test_the_log_keeps_which_operation_changed_a_report_and_when(
    client: FlaskClient, town: Session
) -> None:
    """As the device claims it."""
    lon, lat = at("P2")
    head, now = bearer(town, "dispatcher"), dt.datetime.now(dt.UTC)
    done_at = now - dt.timedelta(minutes=20)
    report = call(town, "P1", contact="enquiry", now=now - dt.timedelta(hours=1)).report
    draft = IncidentDraft(kind="burst", lon=lon, lat=lat)
    incident = incidents.open_incident(town, draft, SYSTEM, now)
    for action, body, verb in (
        ("change", {"words": "一直没水"}, "changed"),
        ("link", {"incident": incident.id}, "linked"),
        ("part", {}, "parted"),
        ("call_back", {"result": "not_back", "is_incoming": True}, "called_back"),
        ("answer", {}, "answered"),
    ):
        wish = operation(f"report:{report.id}", action, body=body, occurred_at=done_at.isoformat())
        assert send(client, head, wish)[0]["status"] == "applied", action
        event = fetch_events_of(town, "report", [report.key])[-1]
        assert (event.kind, str(event.op_id)) == (f"report.{verb}", wish["op_id"])
        assert event.occurred_at == done_at
    wish = operation("report:new", "register", body={"kind": "leak", "lon": lon, "lat": lat})
    assert send(client, head, wish)[0]["status"] == "applied"
    made = service.list_latest(town)[0]
    assert str(fetch_events_of(town, "report", [made.key])[0].op_id) == wish["op_id"]


def test_a_crew_registers_with_no_signal_and_hears_the_number_later(
    client: FlaskClient, town: Session
) -> None:
    """The crew member is the first contact; a photo may follow, and sent again it is the same."""
    lon, lat = at("P2")
    crew = make_person(town, "crew")
    token = make_token(town, crew, "tablet", 1, dt.datetime.now(dt.UTC))
    town.commit()
    head = {"Authorization": f"Bearer {token}"}
    body = {
        "kind": "third_party_damage", "channel": "crew", "lon": lon, "lat": lat, "danger": True,
        "words": "挖机挖断", "photo_sha256": ["b" * 64],
    }  # fmt: skip
    wish = operation("report:new-0191e0f0", "register", body=body)
    (answer,) = send(client, head, wish)
    assert (answer["status"], answer["state"]) == ("applied", "open")
    assert send(client, head, wish) == [answer]
    assert [one.id for one in service.list_waiting(town)] == [answer["id"]]
    report = service.find_report(town, answer["id"])
    assert (report.first_contact_by, report.channel, report.danger) == ("王芳", "crew", True)
    assert report.photo_sha256 == ["b" * 64]
    desk = bearer(town, "dispatcher") | {"Accept-Language": "en"}
    page = client.get(f"/calls?report={report.id}", headers=desk)
    assert "Photo 1 has not come yet" in page.text
    wrong = operation("report:new-2", "register", body=body | {"photo_sha256": ["../x"]})
    assert send(client, head, wrong)[0]["status"] == "illegal"
