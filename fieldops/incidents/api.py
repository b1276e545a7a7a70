"""HTTP answers to changes of incidents; who may see which is known above, with the orders."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from flask import Blueprint, request

from fieldops import access, db
from fieldops.crews.forms import read_body
from fieldops.errors import ConflictError, ForbiddenError
from fieldops.events.service import Actor, Operation
from fieldops.incidents import service
from fieldops.incidents.forms import ActionBody, incident_as_json, read_incident

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

    from fieldops.events.service import Outcome

incidents_api = Blueprint("incidents_api", __name__, url_prefix="/api/v1/incidents")


def _actor() -> Actor:
    person = access.current_person()
    assert person is not None  # noqa: S101 - the routes let nobody else through
    return Actor.of(person)


@incidents_api.post("")
@access.allow("dispatcher", "service_agent", "manager")
def open_incident() -> ResponseReturnValue:
    """Open an incident that nobody reported."""
    draft, pipe = read_incident(request.get_json())
    now = dt.datetime.now(dt.UTC)
    with db.transaction() as session:
        if pipe is not None:
            draft = replace(draft, pipe_key=service.find_pipe_key(session, pipe))
        incident = service.open_incident(session, draft, _actor(), now)
    return incident_as_json(incident), 201


@incidents_api.post("/<incident_id>/<action>")
@access.allow("dispatcher", "service_agent", "manager")
def act(incident_id: str, action: str) -> ResponseReturnValue:
    """Change, close or reopen an incident, or note that the fire service was told."""
    body = read_body(ActionBody, request.get_json(silent=True) or {})
    operation = Operation(
        subject_kind="incident",
        subject_id=incident_id,
        action=action,
        body=body.fields(),
        base_version=body.base_version,
    )
    with db.transaction() as session:
        outcome = service.apply_operation(session, operation, _actor(), dt.datetime.now(dt.UTC))
        return answer_outcome(outcome)


def answer_outcome(outcome: Outcome) -> dict[str, Any]:
    """
    Tell a page what became of an action.

    Raises
    ------
    ForbiddenError
        If the person may not.
    ConflictError
        If it cannot be done as things are.
    """
    if outcome.status == "forbidden":
        raise ForbiddenError(outcome.message, **outcome.params)
    if outcome.status == "illegal":
        raise ConflictError(outcome.message, **outcome.params)
    return {
        "status": outcome.status,
        "state": outcome.state,
        "version": outcome.version,
        "conflicts": dict(outcome.conflicts),
    }
