"""HTTP answers about crews, for the map, tablets and trackers in vans."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from flask import Blueprint, request
from flask_babel import gettext

from fieldops import access, db
from fieldops.access import STAFF
from fieldops.crews import service
from fieldops.crews.forms import crew_as_json, read_position
from fieldops.errors import ConflictError, ForbiddenError
from fieldops.events.service import Actor

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

crews_api = Blueprint("crews_api", __name__, url_prefix="/api/v1")


@crews_api.get("/crews")
@access.allow(*STAFF)
def list_crews() -> ResponseReturnValue:
    """Tell where every crew is, what it may do and when it works; a contractor's its own alone."""
    person = access.current_person()
    assert person is not None  # noqa: S101 - the route lets nobody else through
    now = dt.datetime.now(dt.UTC)
    with db.transaction() as session:
        crews = service.list_visible_crews(session, person, now)
    return {"now": now.isoformat(), "crews": [crew_as_json(crew, now) for crew in crews]}


@crews_api.post("/crews/<path:crew>/position")
@access.allow("crew", "dispatcher")
def record_position(crew: str) -> ResponseReturnValue:
    """Record where a crew is: told by its own device, or by phone to a dispatcher."""
    position = read_position(request.get_json())
    person = access.current_person()
    assert person is not None  # noqa: S101 - the route lets nobody else through
    actor = Actor.of(person)
    with db.transaction() as session:
        outcome = service.record_place(session, crew, position, actor, dt.datetime.now(dt.UTC))
    if outcome.status == "forbidden":
        raise ForbiddenError(outcome.message, **outcome.params)
    if outcome.status != "applied":
        raise ConflictError(outcome.message, **outcome.params)
    return {
        "status": outcome.status,
        "is_kept_as_fact": outcome.is_kept_as_fact,
        "message": outcome.message and gettext(outcome.message),
    }
