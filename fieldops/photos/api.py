"""HTTP answers about photos."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import asdict
from typing import TYPE_CHECKING

from flask import Blueprint, Response, request

from fieldops import access, db
from fieldops.access import STAFF
from fieldops.errors import FieldopsError
from fieldops.photos import service

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

photos_api = Blueprint("photos_api", __name__, url_prefix="/api/v1/photos")


def _checked(sha256: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{64}", sha256):
        raise FieldopsError("A photo is named by its SHA-256, in 64 small hexadecimal digits.")
    return sha256


@photos_api.put("/<sha256>")
@access.allow(*STAFF)
def keep_photo(sha256: str) -> ResponseReturnValue:
    """Keep a photo, whole or, with Content-Range, the next piece of it."""
    _checked(sha256)
    person = access.current_person()
    assert person is not None  # noqa: S101 - the route lets nobody else through
    data, now = request.get_data(), dt.datetime.now(dt.UTC)
    span = _content_range(len(data))
    with db.transaction() as session:
        if span is None:
            service.keep_photo(session, data, person_id=person.id, now=now, sha256=sha256)
            received = None
        else:
            received = service.keep_piece(session, sha256, span, data, person_id=person.id, now=now)
    if received is None:
        return {"sha256": sha256, "is_complete": True}, 201
    return {"sha256": sha256, "is_complete": False, "received_bytes": received}, 202


def _content_range(length: int) -> tuple[int, int] | None:
    """Read the first byte and the length of the whole, as in "bytes 0-99/1000"."""
    given = request.headers.get("Content-Range")
    if given is None:
        return None
    found = re.fullmatch(r"bytes (\d{1,12})-(\d{1,12})/(\d{1,12})", given)
    if not found or int(found[2]) - int(found[1]) + 1 != length:
        raise FieldopsError("The header Content-Range does not fit what was sent.")
    return int(found[1]), int(found[3])


@photos_api.get("/<sha256>/received")
@access.allow(*STAFF)
def show_received(sha256: str) -> ResponseReturnValue:
    """Tell where the sending of a photo has to go on."""
    with db.transaction() as session:
        received = service.count_received(session, _checked(sha256))
    return {"sha256": sha256, "is_complete": received is None, "received_bytes": received}


@photos_api.get("/<sha256>")
@access.allow(*STAFF)
def show_photo(sha256: str) -> ResponseReturnValue:
    """Give the picture without what the camera wrote beside it."""
    with db.transaction() as session:
        data = service.read_published(session, _checked(sha256))
    headers = {
        "Cache-Control": "private, max-age=31536000, immutable",
        "Content-Security-Policy": "default-src 'none'; sandbox",
    }
    return Response(data, mimetype="image/jpeg", headers=headers)


@photos_api.get("/<sha256>/facts")
@access.allow("dispatcher", "service_agent", "manager", "admin")
def show_facts(sha256: str) -> ResponseReturnValue:
    """Tell when and where the camera says that it was."""
    with db.transaction() as session:
        photo = service.find_photo(session, _checked(sha256))
    return {
        name: value.isoformat() if isinstance(value, dt.datetime) else value
        for name, value in asdict(photo).items()
    }
