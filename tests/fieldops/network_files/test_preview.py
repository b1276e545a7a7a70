"""What a sent file draws can be looked at until the file has landed."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pytest

from fieldops import jobs
from fieldops.network_files import queries
from tests.fieldops.network.towns import land, line, street
from tests.people import sign_in

if TYPE_CHECKING:
    from pathlib import Path

    from flask.testing import FlaskClient
    from sqlalchemy.orm import Session, sessionmaker


@pytest.fixture
def send(
    client: FlaskClient,
    session: Session,
    sessions: sessionmaker[Session],
    monkeypatch: pytest.MonkeyPatch,
) -> Any:  # noqa: ANN401 - a function of the features
    """Send features as a planner, have them checked, and give the address of their page."""
    monkeypatch.setattr(queries, "isolate", lambda _session: None)
    headers = sign_in(client, session, "planner")

    def send(features: list[dict[str, Any]]) -> str:
        text = json.dumps({"type": "FeatureCollection", "features": features}).encode()
        fields = {"file": (io.BytesIO(text), "a.geojson"), "snap_m": "0.5", "valves": "none"}
        sent = client.post("/network/imports/", data=fields, headers=headers)
        page = sent.headers["Location"]
        with jobs.working_on(sessions):
            jobs.known_tasks()["network_files.check"].func(key=int(page.rsplit("/", 1)[1]))
        return page

    return send


def test_only_the_files_own_features_are_drawn(
    client: FlaskClient,
    session: Session,
    send: Any,  # noqa: ANN401
) -> None:
    """The stored ones, beside which the file was checked, have a drawing of their own."""
    land(session, street())
    page = send([line("pipe", "新", 0.0, 0.003, diameter_mm=100)])
    drawn = client.get(f"{page}/preview.geojson").json
    assert drawn is not None
    assert [one["properties"]["id"] for one in drawn["features"]] == ["新"]
    assert drawn["counts"] == {"pipe": [1, 1]}
    assert f"{page}/preview.geojson" in client.get(page).text


def test_a_refused_file_keeps_its_drawing_and_nothing_else(
    client: FlaskClient,
    tmp_path: Path,
    send: Any,  # noqa: ANN401
) -> None:
    """Its error has the place of its feature, and its sentence the reader's words."""
    features = [
        line("pipe", "P1", 0.0, 0.001, diameter_mm=100),
        line("pipe", "P2", 0.001, 0.003, diameter_mm="big"),
    ]
    page = send(features)
    layer = client.get(f"{page}/findings.geojson").json
    assert layer is not None
    assert layer["features"][0]["geometry"]["coordinates"] == pytest.approx([100.002, 0.0])
    drawn = client.get(f"{page}/preview.geojson").json
    assert drawn is not None
    assert [one["properties"]["id"] for one in drawn["features"]] == ["P1"]
    assert "管段 P2" in client.get(page).text
    [folder] = (tmp_path / "uploads").iterdir()
    assert [path.name for path in folder.iterdir()] == ["preview.geojson"]


def test_a_file_that_is_no_network_has_a_page_without_a_map(
    client: FlaskClient,
    send: Any,  # noqa: ANN401
) -> None:
    """There is nothing to look at, and the page does not pretend."""
    page = send([{"type": "Feature", "geometry": None, "properties": {}}])
    assert 'id="map"' in client.get(page).text
    assert client.get("/network/imports/999999/preview.geojson").status_code == 404
