"""Photos by their hash: what was sent is evidence, and what is shown was drawn anew from it."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from threading import BoundedSemaphore
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from PIL import Image, ImageOps

from fieldops.errors import ConflictError, FieldopsError, NotFoundError
from fieldops.photos import queries

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.orm import Session

    from fieldops.photos.queries import Photo

LARGEST_BYTES = 12 * 1024**2
MOST_PIXELS = 50_000_000
"""A file of a few kilobytes can say that it is larger: its header is asked before any pixel."""
SHOWN_PX = 2048
KINDS = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
CAMERAS_CLOCK = ZoneInfo("Asia/Shanghai")
"""What a camera means that names no zone."""
PIECES_KEPT = dt.timedelta(days=2)
DRAWING = BoundedSemaphore(2)
"""Each drawing may take 200 MB."""

EXIF_FACTS, EXIF_PLACE = 0x8769, 0x8825
TAKEN_AT, TAKEN_IN_ZONE = 36867, 36881


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What a tablet read of a photo before it drew it smaller, and the hash of what it read."""

    taken_at: dt.datetime | None = None
    lon: float | None = None
    lat: float | None = None
    original_sha256: str | None = None

    def beside(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Give them as columns; what the file itself says counts before what is said of it."""
        known: dict[str, Any] = {"original_sha256": self.original_sha256}
        if values.get("claimed_at") is None:
            known["claimed_at"] = self.taken_at
        if values.get("claimed_lon") is None:
            known |= {"claimed_lon": self.lon, "claimed_lat": self.lat}
        return known


NO_CLAIMS = Claims()


@dataclass(frozen=True, slots=True)
class Drawing:
    """A photo as it was sent, and what is known and shown of it."""

    sha256: str
    original: bytes
    values: Mapping[str, Any]


def draw_photo(data: bytes, *, sha256: str | None = None) -> Drawing:
    """
    Draw the picture to be shown; before any transaction, for it takes long and waits for others.

    Raises
    ------
    FieldopsError
        If it is too large, not a photo, or not the one that its hash promises.
    """
    if len(data) > LARGEST_BYTES:
        raise FieldopsError("A photo may have at most %(most)s MB.", most=LARGEST_BYTES // 1024**2)
    found = hashlib.sha256(data).hexdigest()
    if sha256 is not None and found != sha256:
        raise FieldopsError("The photo is not the one that its SHA-256 promises: send it again.")
    with DRAWING:
        return Drawing(found, data, _draw(data))


def keep_photo(
    session: Session,
    drawing: Drawing,
    *,
    person_id: int | None,
    now: dt.datetime,
    claims: Claims = NO_CLAIMS,
) -> Photo:
    """Keep a photo that was drawn; once, however often it is sent."""
    there = queries.fetch_photo(session, drawing.sha256)
    if there is not None:
        return there
    sent: dict[str, Any] = {"sha256": drawing.sha256, "original": drawing.original}
    sent |= claims.beside(drawing.values)
    queries.insert_photo(
        session, {**drawing.values, **sent, "received_at": now, "person_id": person_id}
    )
    return find_photo(session, drawing.sha256)


def _draw(data: bytes) -> dict[str, Any]:
    try:
        with Image.open(BytesIO(data), formats=tuple(KINDS)) as image:
            _check_size(image)
            media_type = KINDS[str(image.format)]
            claims = _read_claims(image)
            # A JPEG can be read at a half or a quarter of its size, which costs that much less.
            image.draft("RGB", (SHOWN_PX, SHOWN_PX))
            upright = ImageOps.exif_transpose(image)
            upright.thumbnail((SHOWN_PX, SHOWN_PX))
            # A new picture: comments and profiles would follow a copy of the old one.
            shown = Image.new("RGB", upright.size, "white")
            shown.paste(upright.convert("RGB"))
    except FieldopsError:
        raise
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise FieldopsError("This is no photo that can be read: send JPEG, PNG or WebP.") from error
    written = BytesIO()
    shown.save(written, "JPEG", quality=85, optimize=True)
    return {
        "media_type": media_type,
        "published": written.getvalue(),
        "width_px": shown.width,
        "height_px": shown.height,
        **claims,
    }


def _check_size(image: Image.Image) -> None:
    if image.width * image.height > MOST_PIXELS:
        raise FieldopsError(
            "A photo may have at most %(most)s million pixels.", most=MOST_PIXELS // 1_000_000
        )


def _read_claims(image: Image.Image) -> dict[str, Any]:
    """Read when and where the camera says it was; nothing where it says nothing sensible."""
    claims: dict[str, Any] = {"claimed_at": None, "claimed_lon": None, "claimed_lat": None}
    # Cameras write all sorts of things here, and a photo is worth more than its tags.
    with suppress(Exception):
        exif = image.getexif()
        with suppress(Exception):
            claims["claimed_at"] = _taken_at(exif.get_ifd(EXIF_FACTS))
        place = exif.get_ifd(EXIF_PLACE)
        lat = _degrees(place[2], is_negative=str(place[1]).upper() == "S")
        lon = _degrees(place[4], is_negative=str(place[3]).upper() == "W")
        if abs(lat) <= 90 and abs(lon) <= 180 and (lat, lon) != (0, 0):
            claims |= {"claimed_lon": lon, "claimed_lat": lat}
    return claims


def _taken_at(facts: dict[int, Any]) -> dt.datetime:
    moment = dt.datetime.strptime(str(facts[TAKEN_AT]).strip("\0 "), "%Y:%m:%d %H:%M:%S")  # noqa: DTZ007 - its zone follows
    zone = str(facts.get(TAKEN_IN_ZONE, "")).strip("\0 ")
    if re.fullmatch(r"[+-]\d\d:\d\d", zone):
        return dt.datetime.fromisoformat(f"{moment.isoformat()}{zone}")
    return moment.replace(tzinfo=CAMERAS_CLOCK)


def _degrees(parts: Sequence[Any], *, is_negative: bool) -> float:
    degrees, minutes, seconds = (float(part) for part in parts)
    found = degrees + minutes / 60 + seconds / 3600
    return -found if is_negative else found


def keep_piece(
    session: Session, sha256: str, span: tuple[int, int], data: bytes, *, now: dt.datetime
) -> int | bytes:
    """
    Keep a piece of a photo: its first byte and the length of the whole.

    Gives how many bytes are here, or with the last piece the whole, to be drawn and finished.

    Raises
    ------
    ConflictError
        If it does not go on where the last piece ended.
    FieldopsError
        If the whole is too large.
    """
    first, total = span
    if total > LARGEST_BYTES or not 0 <= first < total or first + len(data) > total:
        raise FieldopsError("A photo may have at most %(most)s MB.", most=LARGEST_BYTES // 1024**2)
    queries.lock_upload(session, sha256)
    queries.delete_old_pieces(session, now - PIECES_KEPT)
    received = queries.count_received(session, sha256)
    if first == 0 and received:
        # What was broken on its way would else be refused for ever.
        queries.delete_pieces(session, sha256)
        received = 0
    if first != received:
        raise ConflictError("Go on at byte %(received)s.", received=received)
    if first + len(data) < total:
        queries.insert_piece(session, sha256, first, total, data, now)
        return first + len(data)
    # The last piece is not kept: should we fail before the photo is, it is asked for again.
    return queries.join_pieces(session, sha256) + data


def finish_pieces(
    session: Session,
    drawing: Drawing,
    *,
    person_id: int | None,
    now: dt.datetime,
    claims: Claims = NO_CLAIMS,
) -> Photo:
    """Keep a photo that came in pieces, and forget these."""
    queries.delete_pieces(session, drawing.sha256)
    return keep_photo(session, drawing, person_id=person_id, now=now, claims=claims)


def count_received(session: Session, sha256: str) -> int | None:
    """Tell how many bytes of a photo are here; None when it is complete."""
    if queries.fetch_photo(session, sha256) is not None:
        return None
    return queries.count_received(session, sha256)


def find_photo(session: Session, sha256: str) -> Photo:
    """
    Give what is known of a photo.

    Raises
    ------
    NotFoundError
        If it is not here.
    """
    photo = queries.fetch_photo(session, sha256)
    if photo is None:
        raise NotFoundError("There is no such photo.")
    return photo


def read_published(session: Session, sha256: str) -> bytes:
    """
    Give the picture that may be shown, a JPEG.

    Raises
    ------
    NotFoundError
        If it is not here.
    """
    data = queries.fetch_published(session, sha256)
    if data is None:
        raise NotFoundError("There is no such photo.")
    return data


def list_missing(session: Session, sha256s: Sequence[str]) -> list[str]:
    """Tell which of these photos are not here."""
    known = queries.fetch_known(session, sha256s)
    return [one for one in sha256s if one not in known]
