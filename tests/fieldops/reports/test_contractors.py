"""A contractor's crew: its own jobs, and nothing of what others told or where else work is."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from fieldops.accounts.service import make_token
from fieldops.incidents import service as incidents
from fieldops.incidents.service import IncidentDraft
from fieldops.photos import service as photos
from fieldops.reports import service
from tests.fieldops.outages.towns import street
from tests.fieldops.photos.test_photos import photo
from tests.fieldops.reports.places import SYSTEM, at, call
from tests.fieldops.work_orders.orders import act, make_actor, make_crew, make_order
from tests.people import bearer, sign_in_as

if TYPE_CHECKING:
    from flask.testing import FlaskClient
    from sqlalchemy.orm import Session

    from fieldops.events.service import Actor
    from fieldops.incidents.service import Incident


@pytest.fixture
def town(session: Session) -> Session:
    """Lay the street."""
    street().plant(session)
    return session


def head_of(session: Session, actor: Actor) -> dict[str, str]:
    """Give somebody a token."""
    assert actor.person_id is not None
    token = make_token(session, actor.person_id, "test", 1, dt.datetime.now(dt.UTC))
    session.commit()
    return {"Authorization": f"Bearer {token}"}


def two_incidents(session: Session, crew_id: str) -> tuple[Incident, Incident]:
    """Open one of which the crew has an order, and one of which another crew has."""
    now = dt.datetime.now(dt.UTC) - dt.timedelta(hours=1)
    dispatcher, (other_id, _) = make_actor(session, "dispatcher"), make_crew(session)
    made = []
    for pipe, crew in (("P1", crew_id), ("P3", other_id)):
        lon, lat = at(pipe)
        draft = IncidentDraft(kind="burst", lon=lon, lat=lat, is_separate=True)
        incident = incidents.open_incident(session, draft, SYSTEM, now)
        order = make_order(session, now, incident_key=incident.key)
        act(session, order, "triage", dispatcher, now)
        assert act(session, order, "assign", dispatcher, now, body={"crew": crew}).state
        made.append(incident)
    return made[0], made[1]


def test_a_contractors_crew_sees_the_incidents_of_its_own_orders(
    client: FlaskClient, town: Session
) -> None:
    """The utility's own crews see all, and so does whoever is more than crew."""
    crew_id, contractor = make_crew(town, contractor="外协")
    own, other = two_incidents(town, crew_id)
    _, in_house = make_crew(town)
    for head, seen in (
        (head_of(town, contractor), {own.id}),
        (bearer(town, "crew"), set()),
        (head_of(town, in_house), {own.id, other.id}),
        (bearer(town, "crew", "planner"), {own.id, other.id}),
    ):
        listed = client.get("/api/v1/incidents", headers=head).get_json()["incidents"]
        assert {one["id"] for one in listed} == seen
        for one in (own, other):
            answer = client.get(f"/api/v1/incidents/{one.id}", headers=head)
            assert answer.status_code == (200 if one.id in seen else 403)


def test_a_contractors_report_is_answered_with_its_number_alone(
    client: FlaskClient, town: Session
) -> None:
    """And whether it was linked; by the API, by its page, and before it is sent."""
    _, contractor = make_crew(town, contractor="外协")
    head = head_of(town, contractor)
    lon, lat = at("P2")
    body = {"kind": "leak", "lon": lon, "lat": lat, "client_id": "c-1"}
    call(town, "P2", name="李女士")
    answer = client.post("/api/v1/reports", json=body, headers=head)
    report = service.list_latest(town)[0]
    alone = {"report": {"id": report.id}, "is_repeated": False, "is_linked": False}
    assert (answer.status_code, answer.get_json()) == (201, alone)
    draft = IncidentDraft(kind="burst", lon=lon, lat=lat)
    incident = incidents.open_incident(town, draft, SYSTEM, dt.datetime.now(dt.UTC))
    again = client.post("/api/v1/reports", json=body, headers=head).get_json()
    assert again == alone | {"is_repeated": True, "is_linked": True}
    known = client.get(f"/api/v1/reports/at?lon={lon}&lat={lat}", headers=head)
    assert known.get_json()["is_kept_back"] is True
    assert incident.id not in known.text
    assert contractor.person_id is not None
    page = sign_in_as(client, town, contractor.person_id)
    told = client.post("/calls", data=body, headers=page, follow_redirects=True)
    assert service.list_latest(town)[0].id in told.text
    assert incident.id not in told.text


def test_a_contractors_crew_opens_its_own_photos_and_those_of_its_orders(
    client: FlaskClient, town: Session
) -> None:
    """And of what was told of them."""
    crew_id, contractor = make_crew(town, contractor="外协")
    own, other = two_incidents(town, crew_id)
    head, now = head_of(town, contractor), dt.datetime.now(dt.UTC)

    def keep(width: int, person_id: int | None = None) -> str:
        drawing = photos.draw_photo(photo(size=(width, 9)))
        return photos.keep_photo(town, drawing, person_id=person_id, now=now).sha256

    sent, told, elsewhere = keep(10, contractor.person_id), keep(11), keep(12)
    for incident, sha256 in ((own, told), (other, elsewhere)):
        report = call(town, "P2", kind="other", photo_sha256=(sha256,)).report
        service.link_report(town, report.id, incident.id, SYSTEM, now)
    town.commit()
    for sha256, status in ((sent, 200), (told, 200), (elsewhere, 403), ("0" * 64, 404)):
        assert client.get(f"/api/v1/photos/{sha256}", headers=head).status_code == status
    desk = bearer(town, "dispatcher")
    assert client.get(f"/api/v1/photos/{elsewhere}", headers=desk).status_code == 200
