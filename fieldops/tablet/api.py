"""The day of whoever holds a tablet, in one answer."""

from __future__ import annotations

import datetime as dt
import hashlib
import json

from flask import Blueprint, Response, request

from fieldops import access, db
from fieldops.access import STAFF
from fieldops.day_sheets.forms import day_as_json
from fieldops.day_sheets.service import describe_day, mark_day
from fieldops.devices.api import current_device

tablet_api = Blueprint("tablet_api", __name__, url_prefix="/api/v1/tablet")

OF_THE_MOMENT = ("now", "position")
"""What is another each time, although nothing has happened that concerns the tablet."""


@tablet_api.get("/day")
@access.allow(*STAFF)
def show_day() -> Response:
    """Give the jobs of the own crews with all that they may come to while there is no signal."""
    person = access.current_person()
    assert person is not None  # noqa: S101 - the route lets nobody else through
    device, now = current_device(), dt.datetime.now(dt.UTC)
    held_mark, _, held_digest = (request.if_none_match.to_header().strip('"')).partition(".")
    with db.transaction() as session:
        # First: what happens while the day is read makes it another one.
        mark = mark_day(session, person, device, now)
        if mark == held_mark:
            return _unchanged(f"{mark}.{held_digest}")
        day = day_as_json(describe_day(session, person, device, now))
    lasting = {name: value for name, value in day.items() if name not in OF_THE_MOMENT}
    digest = hashlib.sha256(json.dumps(lasting, sort_keys=True).encode()).hexdigest()[:32]
    if digest == held_digest:
        return _unchanged(f"{mark}.{digest}")
    answer = Response(json.dumps(day, ensure_ascii=False), mimetype="application/json")
    return _mark(answer, f"{mark}.{digest}")


def _unchanged(tag: str) -> Response:
    """Say that the day is as it was; its new tag spares the server the next look."""
    return _mark(Response(status=304), tag)


def _mark(answer: Response, tag: str) -> Response:
    answer.set_etag(tag)
    answer.headers["Cache-Control"] = "private, no-cache"
    return answer
