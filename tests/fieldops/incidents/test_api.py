"""Incidents over HTTP."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from fieldops.events.queries import fetch_events_of
from fieldops.events.service import SYSTEM
from fieldops.incidents import service
from fieldops.incidents.service import IncidentDraft
from tests.fieldops.incidents.test_incidents import at, town
from tests.people import bearer
from tests.sending import operation, send

if TYPE_CHECKING:
    from flask.testing import FlaskClient
    from sqlalchemy.orm import Session

__all__ = ["town"]

NOW = dt.datetime(2026, 1, 2, 3, 4, tzinfo=dt.UTC)


def test_an_incident_is_opened_told_changed_and_closed(client: FlaskClient, town: Session) -> None:
    """With the words for each part of its score."""
    head = bearer(town, "dispatcher")
    body = {"kind": "burst", "pipe": "P2", "at_m": 40, "danger": True}
    opened = client.post("/api/v1/incidents", json=body, headers=head)
    assert opened.status_code == 201
    one = opened.get_json()
    assert (one["pipe"], one["kind_name"]) == ("P2", "爆管")
    assert one["lon"] == pytest.approx(at("P2", 0.4)[0])
    assert {part["text"] for part in one["score_parts"]} >= {"DN 150", "停水户数：尚不清楚"}  # noqa: RUF001
    again = client.post("/api/v1/incidents", json=body, headers=head)
    assert again.status_code == 409
    assert one["id"] in again.get_json()["detail"]
    url = f"/api/v1/incidents/{one['id']}"
    listed = client.get("/api/v1/incidents", headers=head).get_json()["incidents"]
    assert [each["id"] for each in listed] == [one["id"]]
    change = {"kind": "collapse", "base_version": one["version"]}
    assert client.post(f"{url}/change", json=change, headers=head).get_json()["version"] == 2
    assert client.get(url, headers=head).get_json()["kind"] == "collapse"
    assert client.post(f"{url}/close", headers=head).get_json()["state"] == "closed"
    assert client.post(f"{url}/close", headers=head).status_code == 409
    assert client.post(f"{url}/reopen", headers=head).get_json()["state"] == "open"
    assert client.post(f"{url}/burn", headers=head).status_code == 409


def test_who_may_not_open_or_close_is_told(client: FlaskClient, town: Session) -> None:
    """A crew looks only."""
    head = bearer(town, "crew")
    assert client.get("/api/v1/incidents", headers=head).status_code == 200
    assert client.post("/api/v1/incidents", json={}, headers=head).status_code == 403
    assert client.get("/api/v1/incidents/I-0", headers=head).status_code == 404
    wrong = client.post("/api/v1/incidents", json={"kind": 3}, headers=bearer(town, "dispatcher"))
    assert wrong.status_code == 400


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("danger", "x"), ("danger", None), ("is_spreading", [1]), ("kind", ["burst"]),
        ("kind", None), ("address", {"a": 1}), ("address", 5), ("address", "长" * 501),
    ],
)  # fmt: skip
def test_a_change_of_the_wrong_kind_is_refused_for_good(
    client: FlaskClient, town: Session, field: str, value: object
) -> None:
    """With the field named; the tablet would send a failed one for ever."""
    incident = service.open_incident(
        town, IncidentDraft(kind="burst", lon=117, lat=31), SYSTEM, NOW
    )
    wish = operation(f"incident:{incident.id}", "change", body={field: value})
    (answer,) = send(client, bearer(town, "dispatcher"), wish)
    assert (answer["status"], field in answer["message"]) == ("illegal", True)
    assert service.find_incident(town, incident.id) == incident


def test_the_log_keeps_which_operation_changed_an_incident_and_when(
    client: FlaskClient, town: Session
) -> None:
    """As the device claims it."""
    incident = service.open_incident(
        town, IncidentDraft(kind="burst", lon=117, lat=31), SYSTEM, NOW
    )
    head = bearer(town, "dispatcher")
    done_at = dt.datetime.now(dt.UTC) - dt.timedelta(minutes=20)
    for action, verb in (
        ("change", "changed"),
        ("tell_fire_service", "fire_service_told"),
        ("close", "closed"),
        ("reopen", "reopened"),
    ):
        wish = operation(
            f"incident:{incident.id}",
            action,
            body={"address": "长江路"},
            occurred_at=done_at.isoformat(),
        )
        assert send(client, head, wish)[0]["status"] == "applied", action
        event = fetch_events_of(town, "incident", [incident.key])[-1]
        assert (event.kind, str(event.op_id)) == (f"incident.{verb}", wish["op_id"])
        assert event.occurred_at == done_at
