"""What a tablet says of a photo that it has made smaller, and pieces that were broken."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from tests.fieldops.photos.test_photos import photo
from tests.people import bearer

if TYPE_CHECKING:
    from flask.testing import FlaskClient
    from sqlalchemy.orm import Session

ORIGINAL = "ab" * 32


def bare() -> bytes:
    """Take a photo that says nothing of itself, as a tablet draws it."""
    data = photo()
    start = data.index(b"\xff\xe1")
    length = int.from_bytes(data[start + 2 : start + 4], "big")
    return data[:start] + data[start + 2 + length :]


def send(
    client: FlaskClient, session: Session, data: bytes, headers: dict[str, str]
) -> dict[str, object]:
    """Send a photo and give what is known of it."""
    url = f"/api/v1/photos/{hashlib.sha256(data).hexdigest()}"
    answer = client.put(url, data=data, headers=bearer(session, "crew") | headers)
    assert answer.status_code == 201
    facts: dict[str, object] = client.get(
        f"{url}/facts", headers=bearer(session, "dispatcher")
    ).get_json()
    return facts


def test_what_the_camera_said_is_kept_apart_with_the_hash_of_its_file(
    client: FlaskClient, session: Session
) -> None:
    """The small picture says nothing of itself any more."""
    said = {
        "Photo-Original": ORIGINAL,
        "Photo-Taken-At": "2026-07-14T01:30:00Z",
        "Photo-Place": "117.23,31.82",
    }
    facts = send(client, session, bare(), said)
    assert facts["original_sha256"] == ORIGINAL
    assert facts["claimed_at"] == "2026-07-14T01:30:00+00:00"
    assert (facts["claimed_lon"], facts["claimed_lat"]) == (117.23, 31.82)


def test_what_a_file_says_itself_counts_before_what_is_said_of_it(
    client: FlaskClient, session: Session
) -> None:
    """A tablet cannot move a photo that a camera has placed."""
    facts = send(client, session, photo(), {"Photo-Place": "1,1"})
    assert facts["claimed_lon"] == pytest.approx(117.23)


@pytest.mark.parametrize(
    "said",
    [
        {"Photo-Original": "x"},
        {"Photo-Taken-At": "yesterday"},
        {"Photo-Place": "190,31"},
        {"Photo-Place": "117"},
        {"Photo-Place": "nan,nan"},
    ],
    ids=str,
)
def test_a_photo_is_kept_though_what_is_said_of_it_makes_no_sense(
    client: FlaskClient, session: Session, said: dict[str, str]
) -> None:
    """It is worth more than its tags."""
    facts = send(client, session, bare(), said)
    assert {facts["claimed_at"], facts["claimed_lon"], facts["original_sha256"]} == {None}


def test_a_photo_broken_on_its_way_is_sent_from_its_beginning(
    client: FlaskClient, session: Session
) -> None:
    """Else a photo once broken on its way would be refused for ever."""
    head, data = bearer(session, "crew"), photo()
    url = f"/api/v1/photos/{hashlib.sha256(data).hexdigest()}"

    def put(piece: bytes, first: int) -> int:
        span = {"Content-Range": f"bytes {first}-{first + len(piece) - 1}/{len(data)}"}
        return client.put(url, data=piece, headers=head | span).status_code

    assert put(b"x" * 100, 0) == 202
    assert put(data[100:], 100) == 400
    assert put(data[:100], 0) == 202
    assert put(data[100:], 100) == 201
