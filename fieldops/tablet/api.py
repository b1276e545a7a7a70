"""The day of whoever holds a tablet, in one answer."""

from __future__ import annotations

import datetime as dt
import hashlib
import json

from flask import Blueprint, Response, request

from fieldops import access, db
from fieldops.access import STAFF
from fieldops.day_sheets.forms import day_as_json
from fieldops.day_sheets.service import describe_day
from fieldops.devices.api import current_device
from fieldops.map_proposals.service import list_outcomes

tablet_api = Blueprint("tablet_api", __name__, url_prefix="/api/v1/tablet")

OF_THE_MOMENT = ("now", "position")
"""What is another each time, although nothing has happened that concerns the tablet."""


@tablet_api.get("/day")
@access.allow(*STAFF)
def show_day() -> Response:
    """Give the jobs of the own crews with all that they may come to while there is no signal."""
    person = access.current_person()
    assert person is not None  # noqa: S101 - the route lets nobody else through
    with db.transaction() as session:
        day = day_as_json(describe_day(session, person, current_device(), dt.datetime.now(dt.UTC)))
        day["map_proposals"] = list_outcomes(session, person.id)
    lasting = {name: value for name, value in day.items() if name not in OF_THE_MOMENT}
    digest = hashlib.sha256(json.dumps(lasting, sort_keys=True).encode()).hexdigest()
    answer = Response(json.dumps(day, ensure_ascii=False), mimetype="application/json")
    answer.set_etag(digest[:32])
    answer.headers["Cache-Control"] = "private, no-cache"
    answer.make_conditional(request)
    return answer
