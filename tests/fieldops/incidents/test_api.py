"""Incidents over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fieldops.incidents.test_incidents import at, town
from tests.people import bearer

if TYPE_CHECKING:
    from flask.testing import FlaskClient
    from sqlalchemy.orm import Session

__all__ = ["town"]


def test_an_incident_is_opened_told_changed_and_closed(client: FlaskClient, town: Session) -> None:
    """With the words for each part of its score."""
    head = bearer(town, "dispatcher")
    body = {"kind": "burst", "pipe": "P2", "at_m": 40, "danger": True}
    opened = client.post("/api/v1/incidents", json=body, headers=head)
    assert opened.status_code == 201
    one = opened.get_json()
    assert (one["pipe"], one["kind_name"]) == ("P2", "爆管")
    assert one["lon"] == pytest.approx(at("P2", 0.4)[0])
    assert {part["text"] for part in one["score_parts"]} >= {"DN 150", "停水户数：尚不清楚"}
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
