"""HTTP answers about photos; who may see which is known above, with the orders."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import asdict
from typing import TYPE_CHECKING

from flask import Blueprint, request

from fieldops import access, db
from fieldops.access import STAFF
from fieldops.errors import FieldopsError
from fieldops.photos import service
from fieldops.photos.forms import read_claims

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

photos_api = Blueprint("photos_api", __name__, url_prefix="/api/v1/photos")


def check_sha256(sha256: str) -> str:
    """
    Give the name of a photo as it may stand in an address.

    Raises
    ------
    FieldopsError
        If it is no hash.
    """
    if not re.fullmatch(r"[0-9a-f]{64}", sha256):
        raise FieldopsError("A photo is named by its SHA-256, in 64 small hexadecimal digits.")
    return sha256


@photos_api.put("/<sha256>")
@access.allow(*STAFF)
def keep_photo(sha256: str) -> ResponseReturnValue:
    """Keep a photo, whole or, with Content-Range, the next piece of it."""
    check_sha256(sha256)
    person = access.current_person()
    assert person is not None  # noqa: S101 - the route lets nobody else through
    data, now, claims = (
        request.get_data(),
        dt.datetime.now(dt.UTC),
        read_claims(dict(request.headers)),
    )
    span = _content_range(len(data))
    if span is None:
        drawing = service.draw_photo(data, sha256=sha256)
        with db.transaction() as session:
            service.keep_photo(session, drawing, person_id=person.id, now=now, claims=claims)
    else:
        with db.transaction() as session:
            piece = service.keep_piece(session, sha256, span, data, now=now)
        if isinstance(piece, int):
            return {"sha256": sha256, "is_complete": False, "received_bytes": piece}, 202
        drawing = service.draw_photo(piece, sha256=sha256)
        with db.transaction() as session:
            service.finish_pieces(session, drawing, person_id=person.id, now=now, claims=claims)
    return {"sha256": sha256, "is_complete": True}, 201


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
        received = service.count_received(session, check_sha256(sha256))
    return {"sha256": sha256, "is_complete": received is None, "received_bytes": received}


@photos_api.get("/<sha256>/facts")
@access.allow("dispatcher", "service_agent", "manager", "admin")
def show_facts(sha256: str) -> ResponseReturnValue:
    """Tell when and where the camera says that it was."""
    with db.transaction() as session:
        photo = service.find_photo(session, check_sha256(sha256))
    return {
        name: value.isoformat() if isinstance(value, dt.datetime) else value
        for name, value in asdict(photo).items()
    }
