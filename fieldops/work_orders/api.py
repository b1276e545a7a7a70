"""HTTP answers about work orders."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from flask import Blueprint, request

from fieldops import access, db
from fieldops.access import STAFF
from fieldops.errors import ConflictError, ForbiddenError
from fieldops.events.service import Actor
from fieldops.order_process.forms import name_field, say_outcome
from fieldops.work_orders import service
from fieldops.work_orders.forms import (
    clock_as_json,
    offer_as_json,
    order_as_json,
    read_filter,
    read_step,
    turn_as_json,
)

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

    from fieldops.access import Person
    from fieldops.events.service import Outcome

work_orders_api = Blueprint("work_orders_api", __name__, url_prefix="/api/v1/orders")


def _person() -> Person:
    person = access.current_person()
    assert person is not None  # noqa: S101 - the routes let nobody else through
    return person


@work_orders_api.get("")
@access.allow(*STAFF)
def list_orders() -> ResponseReturnValue:
    """List orders; somebody of a crew sees its own alone."""
    now = dt.datetime.now(dt.UTC)
    with db.transaction() as session:
        found = service.list_orders(session, read_filter(request.args, now), _person())
    return {"orders": [order_as_json(order) for order in found]}


@work_orders_api.get("/<order_id>")
@access.allow(*STAFF)
def show_order(order_id: str) -> ResponseReturnValue:
    """Tell all of an order: what may be done next, its clocks, and who had it."""
    now = dt.datetime.now(dt.UTC)
    with db.transaction() as session:
        sheet = service.describe_order(session, order_id, _person(), now)
    return {
        **order_as_json(sheet.order),
        "steps": [offer_as_json(each) for each in sheet.offers],
        "clocks": [clock_as_json(each) for each in sheet.clocks],
        "holders": [turn_as_json(each) for each in sheet.turns],
    }


@work_orders_api.post("/<order_id>/<action>")
@access.allow(*STAFF)
def act(order_id: str, action: str) -> ResponseReturnValue:
    """Take an order a step further."""
    operation, by_phone_for = read_step(order_id, action, request.get_json(silent=True))
    person = _person()
    with db.transaction() as session:
        service.find_visible_order(session, order_id, person, is_late_too=True)
        actor = Actor.of(person, by_phone_for=by_phone_for)
        outcome = service.apply_operation(session, operation, actor, dt.datetime.now(dt.UTC))
    return answer_outcome(outcome)


def answer_outcome(outcome: Outcome) -> ResponseReturnValue:
    """
    Tell a machine what became of a step.

    Raises
    ------
    ForbiddenError
        If the person may not.
    ConflictError
        If it cannot be done as things are, and nothing lacks.
    """
    if outcome.status == "forbidden":
        raise ForbiddenError(outcome.message, **outcome.params)
    if outcome.status in {"missing", "conflict"}:
        status = 422 if outcome.status == "missing" else 409
        problem = {
            "type": f"urn:fieldops:problem:{outcome.status}",
            "status": status,
            "detail": say_outcome(outcome),
            "missing": [{"field": each, "name": name_field(each)} for each in outcome.missing],
            "conflicts": dict(outcome.conflicts),
        }
        return problem, status, {"Content-Type": "application/problem+json"}
    if outcome.status == "illegal":
        # Translated before, since the states in it are words of a process, too.
        raise ConflictError("%(reason)s", reason=say_outcome(outcome))
    return {
        "status": outcome.status,
        "state": outcome.state,
        "version": outcome.version,
        "conflicts": dict(outcome.conflicts),
    }
