"""Tracks: from a tablet in parts or from a file, measured once all of it is here."""

from __future__ import annotations

import uuid
from io import BytesIO
from typing import TYPE_CHECKING

import pytest

from fieldops.errors import FieldopsError
from fieldops.tracks.forms import read_gpx
from fieldops.tracks.service import find_track
from tests.fieldops.outages.towns import street
from tests.people import bearer, sign_in
from tests.sending import operation, send

if TYPE_CHECKING:
    from flask.testing import FlaskClient
    from sqlalchemy.orm import Session

GPX = """<?xml version="1.0"?>
<gpx version="1.1" xmlns="http://www.topografix.com/GPX/1/1">
<metadata><name>巡检 东区</name></metadata>
<wpt lat="31" lon="117"><name>not this</name></wpt>
<trk><name>second name</name>
<trkseg><trkpt lat="31.0" lon="117.0"><ele>4</ele><time>2026-11-23T08:00:00Z</time></trkpt>
<trkpt lat="31.0" lon="117.001"><time>2026-11-23T16:05:00+08:00</time></trkpt></trkseg>
<trkseg><trkpt lat="31.001" lon="117.001"/><trkpt lat="31.001" lon="117.002"/></trkseg>
</trk></gpx>
"""


def test_a_gpx_file_is_read_with_its_gaps_and_times() -> None:
    """No way is invented where the device was off, and no time where none was recorded."""
    _, (part,) = read_gpx(GPX.encode(), "a.gpx")
    assert part.name == "巡检 东区"
    assert [point and point[:2] for point in part.points] == [
        (117.0, 31.0), (117.001, 31.0), None, (117.001, 31.001), (117.002, 31.001),
    ]  # fmt: skip
    times = [point[2] for point in part.points if point]
    assert times == [1795420800.0, 1795421100.0, None, None]


@pytest.mark.parametrize(
    "data",
    [
        b"", b"PK\x03\x04", b"<gpx><trk></trk></gpx>",
        b'<gpx><trk><trkseg><trkpt lat="91" lon="0"/><trkpt lat="0" lon="0"/></trkseg></trk></gpx>',
        b'<!DOCTYPE gpx [<!ENTITY a "b">]><gpx/>',
        b'<!DOCTYPE gpx SYSTEM "file:///etc/passwd"><gpx/>',
    ],
)  # fmt: skip
def test_what_is_no_track_is_refused(data: bytes) -> None:
    """In words, not with a traceback."""
    with pytest.raises(FieldopsError):
        read_gpx(data, "a.gpx")


def test_a_file_is_taken_in_and_drawn(client: FlaskClient, session: Session) -> None:
    """Over the pipes; whoever sent it may delete it again."""
    street().plant(session)
    head = sign_in(client, session, "planner")
    sent = client.post(
        "/tracks", data={"file": (BytesIO(GPX.encode()), "day.gpx")}, headers=head
    )  # fmt: skip
    assert sent.status_code == 302, sent.text
    page = client.get(sent.headers["Location"], headers={"Accept-Language": "en"})
    assert page.text.count('class="plan-way"') == 2
    assert page.text.count('class="plan-pipe"') >= 2
    assert "0.19 km" in page.text
    assert "巡检 东区" in client.get("/tracks").text
    gone = client.post(f"{sent.headers['Location']}/delete", headers=head)
    assert gone.status_code == 302
    assert "巡检 东区" not in client.get("/tracks").text


def test_a_track_counts_when_its_last_part_has_come(client: FlaskClient, session: Session) -> None:
    """In whatever order, and each part once; nobody else sees it who is of a crew alone."""
    head = bearer(session, "crew")
    subject = f"track:{uuid.uuid4()}"

    def part(number: int, *points: list[float | None]) -> dict[str, object]:
        body = {"name": "早班", "part": number, "parts": 2, "points": list(points)}
        return operation(subject, "import", body=body)

    last = part(1, [117.001, 31.0, 1795421100], [117.002, 31.0, None])
    (first_answer,) = send(client, head, last)
    assert (first_answer["status"], first_answer["state"]) == ("applied", "incomplete")
    assert send(client, head, last) == [first_answer]
    (done,) = send(client, head, part(0, [117.0, 31.0, 1795420800]))
    assert done["state"] == "complete"
    track = find_track(session, done["id"])
    assert (track.point_count, track.is_complete) == (3, True)
    assert track.length_m == pytest.approx(191, abs=1)
    assert client.get(f"/tracks/{track.id}", headers=head).status_code == 200
    other = client.get(f"/tracks/{track.id}", headers=bearer(session, "crew"))
    assert other.status_code == 403


@pytest.mark.parametrize(
    "points", [[[181, 0, None]], [[0, 0, 1]], [["a", 0, None]], [[117.0, 31.0, None]]]
)
def test_a_track_that_is_nowhere_is_refused_for_good(
    client: FlaskClient, session: Session, points: list[object]
) -> None:
    """As is one of a single point."""
    body = {"name": "x", "part": 0, "parts": 1, "points": points}
    wish = operation(f"track:{uuid.uuid4()}", "import", body=body)
    (answer,) = send(client, bearer(session, "crew"), wish)
    assert answer["status"] == "illegal"


@pytest.mark.parametrize("role", ["dispatcher", "planner"])
def test_tracks_stand_in_the_menu(client: FlaskClient, session: Session, role: str) -> None:
    """Whoever looks for one does not look under the proposals."""
    sign_in(client, session, role)
    menu = client.get("/orders").text.split("<main")[0]
    assert 'href="/tracks"' in menu
