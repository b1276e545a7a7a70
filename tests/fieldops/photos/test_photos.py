"""Photos: the hash decides, the camera's words stay inside, and no file is believed."""

from __future__ import annotations

import datetime as dt
import hashlib
import struct
import zlib
from io import BytesIO
from typing import TYPE_CHECKING

import pytest
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from fieldops.errors import FieldopsError
from fieldops.photos import service
from tests.people import bearer

if TYPE_CHECKING:
    from flask.testing import FlaskClient
    from sqlalchemy.orm import Session

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


def name_of(data: bytes) -> str:
    """Give the SHA-256."""
    return hashlib.sha256(data).hexdigest()


def test_what_is_shown_carries_nothing_of_the_camera(session: Session) -> None:
    """Neither place nor maker nor comment; and it stands upright."""
    data = photo()
    assert b"Secret" in data
    kept = service.keep_photo(session, data, person_id=None, now=NOW)
    shown = service.read_published(session, kept.sha256)
    assert b"secret" not in shown.lower()
    assert b"Exif" not in shown
    with Image.open(BytesIO(shown)) as image:
        assert image.size == (40, 60)
        assert not image.getexif()


def test_what_the_camera_claims_is_kept_apart(session: Session) -> None:
    """Time in the zone it names, else in China's."""
    kept = service.keep_photo(session, photo(), person_id=None, now=NOW)
    assert kept.claimed_at == dt.datetime(2026, 1, 2, 3, tzinfo=dt.UTC)
    assert kept.claimed_lat == pytest.approx(31.82)
    assert kept.claimed_lon == pytest.approx(117.23)
    other = service.keep_photo(session, photo(zone="+00:00"), person_id=None, now=NOW)
    assert other.claimed_at == dt.datetime(2026, 1, 2, 11, tzinfo=dt.UTC)


def test_a_photo_sent_twice_is_kept_once(session: Session) -> None:
    """And the first time stays."""
    data = photo()
    first = service.keep_photo(session, data, person_id=None, now=NOW)
    later = NOW + dt.timedelta(hours=1)
    assert service.keep_photo(session, data, person_id=None, now=later) == first


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
        service.keep_photo(session, data, person_id=None, now=NOW)


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
