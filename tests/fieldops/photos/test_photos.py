"""Photos: the hash decides, the camera's words stay inside, and no file is believed."""

from __future__ import annotations

import datetime as dt
import hashlib
import struct
import zlib
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from fieldops import db
from fieldops.errors import FieldopsError
from fieldops.photos import service
from tests.fieldops.work_orders.orders import make_order
from tests.people import bearer, sign_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flask.testing import FlaskClient
    from sqlalchemy.orm import Session

    from fieldops.photos.queries import Photo

NOW = dt.datetime(2026, 1, 2, 3, 4, tzinfo=dt.UTC)


def photo(*, size: tuple[int, int] = (60, 40), zone: str | None = None) -> bytes:
    """Take a red photo in Hefei, lying on its side."""
    image = Image.new("RGB", size, "red")
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "Secret Camera"
    facts = exif.get_ifd(service.EXIF_FACTS)
    facts[service.TAKEN_AT] = "2026:01:02 11:00:00"
    if zone:
        facts[service.TAKEN_IN_ZONE] = zone
    exif.get_ifd(service.EXIF_PLACE).update(
        {
            1: "N", 2: (IFDRational(31), IFDRational(49), IFDRational(12)),
            3: "E", 4: (IFDRational(117), IFDRational(13), IFDRational(48)),
        }
    )  # fmt: skip
    written = BytesIO()
    image.save(written, "JPEG", exif=exif, comment=b"secret words")
    return written.getvalue()


def keep(session: Session, data: bytes, now: dt.datetime) -> Photo:
    """Draw a photo and keep it."""
    return service.keep_photo(session, service.draw_photo(data), person_id=None, now=now)


def name_of(data: bytes) -> str:
    """Give the SHA-256."""
    return hashlib.sha256(data).hexdigest()


def test_what_is_shown_carries_nothing_of_the_camera(session: Session) -> None:
    """Neither place nor maker nor comment; and it stands upright."""
    data = photo()
    assert b"Secret" in data
    kept = keep(session, data, now=NOW)
    shown = service.read_published(session, kept.sha256)
    assert b"secret" not in shown.lower()
    assert b"Exif" not in shown
    with Image.open(BytesIO(shown)) as image:
        assert image.size == (40, 60)
        assert not image.getexif()


def test_what_the_camera_claims_is_kept_apart(session: Session) -> None:
    """Time in the zone it names, else in China's."""
    kept = keep(session, photo(), now=NOW)
    assert kept.claimed_at == dt.datetime(2026, 1, 2, 3, tzinfo=dt.UTC)
    assert kept.claimed_lat == pytest.approx(31.82)
    assert kept.claimed_lon == pytest.approx(117.23)
    other = keep(session, photo(zone="+00:00"), now=NOW)
    assert other.claimed_at == dt.datetime(2026, 1, 2, 11, tzinfo=dt.UTC)


def test_a_photo_sent_twice_is_kept_once(session: Session) -> None:
    """And the first time stays."""
    data = photo()
    first = keep(session, data, now=NOW)
    later = NOW + dt.timedelta(hours=1)
    assert keep(session, data, now=later) == first


def bomb() -> bytes:
    """Write a small PNG that says to be 20,000 by 20,000."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    header = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 0, 0, 0, 0)
    data = chunk(b"IDAT", zlib.compress(b"\0" * 100_000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + data + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    "data",
    [
        bomb(),
        b"",
        b"GIF89a",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        photo()[:300],
        b"\0" * (service.LARGEST_BYTES + 1),
    ],
    ids=["bomb", "empty", "gif", "svg", "cut", "large"],
)
def test_what_is_no_photo_is_refused(session: Session, data: bytes) -> None:
    """Before its pixels are unpacked."""
    with pytest.raises(FieldopsError):
        keep(session, data, now=NOW)


def test_a_photo_comes_by_its_hash(client: FlaskClient, session: Session) -> None:
    """And one of another hash does not."""
    head, data = bearer(session, "crew"), photo()
    url = f"/api/v1/photos/{name_of(data)}"
    assert client.get(url, headers=head).status_code == 404
    assert client.put(url, data=data + b"x", headers=head).status_code == 400
    assert client.put(url, data=data, headers=head).status_code == 201
    answer = client.get(url, headers=head)
    assert answer.mimetype == "image/jpeg"
    assert b"Secret" not in answer.data
    assert client.get(f"{url}/facts", headers=head).status_code == 403
    facts = client.get(f"{url}/facts", headers=bearer(session, "dispatcher")).get_json()
    assert facts["claimed_lon"] == pytest.approx(117.23)
    assert client.get("/api/v1/photos/abc", headers=head).status_code == 400


def test_sending_goes_on_where_it_was_cut_off(client: FlaskClient, session: Session) -> None:
    """The server tells how much it has."""
    head, data = bearer(session, "crew"), photo()
    url = f"/api/v1/photos/{name_of(data)}"

    def send(first: int, last: int) -> int:
        span = {"Content-Range": f"bytes {first}-{last - 1}/{len(data)}"}
        return client.put(url, data=data[first:last], headers=head | span).status_code

    assert send(0, 100) == 202
    assert client.get(f"{url}/received", headers=head).get_json()["received_bytes"] == 100
    assert send(150, 200) == 409
    assert send(100, len(data)) == 201
    assert client.get(f"{url}/received", headers=head).get_json()["is_complete"]
    assert client.get(url, headers=head).status_code == 200


@pytest.fixture
def idle(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Note at each drawing how many transactions are open."""
    depth, noted = [0], list[int]()
    begin, draw = db.transaction, service._draw

    @contextmanager
    def counted() -> Iterator[Session]:
        with begin() as session:
            depth[0] += 1
            try:
                yield session
            finally:
                depth[0] -= 1

    def noting(data: bytes) -> dict[str, Any]:
        noted.append(depth[0])
        return draw(data)

    monkeypatch.setattr(db, "transaction", counted)
    monkeypatch.setattr(service, "_draw", noting)
    return noted


def test_no_connection_waits_while_a_photo_is_drawn(
    client: FlaskClient, session: Session, idle: list[int]
) -> None:
    """Whole, in pieces, on the page of calls, with an order, and on the public page."""
    data, other = photo(), photo(size=(50, 50))
    head = bearer(session, "crew")
    assert client.put(f"/api/v1/photos/{name_of(data)}", data=data, headers=head).status_code == 201
    url, span = f"/api/v1/photos/{name_of(other)}", f"bytes 0-{len(other) - 1}/{len(other)}"
    head |= {"Content-Range": span}
    assert client.put(url, data=other, headers=head).status_code == 201
    order = make_order(session)
    page = sign_in(client, session, "dispatcher")
    told = {"kind": "leak", "address": "澄溪路", "photo": (BytesIO(data), "a.jpg")}
    assert client.post("/calls", data=told, headers=page).status_code == 303
    note = {"text": "路窄", "photo": (BytesIO(data), "a.jpg")}
    client.post(f"/orders/{order.id}/note", data=note, headers=page)
    told |= {"kind": "no_water", "photo": (BytesIO(data), "a.jpg")}
    assert client.post("/report", data=told, headers=page).status_code == 303
    assert idle == [0, 0, 0, 0, 0]


def test_a_last_piece_that_fits_no_hash_is_asked_for_again(
    client: FlaskClient, session: Session
) -> None:
    """Nothing of it stays, and the next attempt goes on at the same place."""
    head, data = bearer(session, "crew"), photo()
    url = f"/api/v1/photos/{name_of(data)}"

    def send(first: int, piece: bytes) -> int:
        span = {"Content-Range": f"bytes {first}-{first + len(piece) - 1}/{len(data)}"}
        return client.put(url, data=piece, headers=head | span).status_code

    assert send(0, data[:100]) == 202
    assert send(100, b"x" * (len(data) - 100)) == 400
    assert client.get(f"{url}/received", headers=head).get_json()["received_bytes"] == 100
    assert send(100, data[100:]) == 201
