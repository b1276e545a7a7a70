"""HTTP answers about outages under way."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from flask import Blueprint, request

from fieldops import access, db
from fieldops.access import STAFF, Role
from fieldops.errors import FieldopsError
from fieldops.events.service import Actor, Operation
from fieldops.live_outages import service
from fieldops.live_outages.forms import (
    answer_outcome,
    choice_as_json,
    interval_as_json,
    minutes_as_json,
    picture_as_json,
    read_open,
    read_period,
)

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

    from fieldops.access import Person

live_outages_api = Blueprint("live_outages_api", __name__, url_prefix="/api/v1/outages")

MOST_INTERVALS = 5000
TWO_STEPS = frozenset({"confirm_valve", "reopen_valve", "restore_part", "approve_plan", "close"})
"""What is confirmed in two steps says how many customers were shown in the first."""
DESKS = tuple(role for role in STAFF if role != Role.CREW)
"""Whoever sees all outages; a crew sees those of its jobs."""


def _person() -> Person:
    person = access.current_person()
    assert person is not None  # noqa: S101 - the routes let nobody else through
    return person


def _actor(by_phone_for: str | None = None) -> Actor:
    return Actor.of(_person(), by_phone_for=by_phone_for)


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


@live_outages_api.get("")
@access.allow(*DESKS)
def list_outages() -> ResponseReturnValue:
    """List the outages under way."""
    with db.transaction() as session:
        found = service.list_open(session)
    return {
        "outages": [
            service.face(one.outage, one.plan.status) | {"opened_at": one.opened_at.isoformat()}
            for one in found
        ]
    }


@live_outages_api.post("")
@access.allow("dispatcher", "planner", "manager")
def open_outage() -> ResponseReturnValue:
    """Open an outage, planned or not."""
    draft = read_open(request.get_json())
    with db.transaction() as session:
        live = service.open_outage(session, draft, _actor(), _now())
        answer = picture_as_json(service.show_outage(session, live.id, _now()))
    return answer, 201


@live_outages_api.get("/minutes")
@access.allow(*STAFF)
def show_minutes() -> ResponseReturnValue:
    """Tell the minutes without water of a period, each customer's counted once."""
    since, until = read_period(request.args, _now())
    with db.transaction() as session:
        return minutes_as_json(service.count_minutes(session, since, until), since, until)


@live_outages_api.get("/<outage_id>")
@access.allow(*STAFF)
def show_outage(outage_id: str) -> ResponseReturnValue:
    """Tell all about an outage, with `keys=1` also what the map recolours."""
    with_keys = request.args.get("keys") == "1"
    with db.transaction() as session:
        service.check_visible(session, outage_id, _person())
        picture = service.show_outage(session, outage_id, _now(), with_keys=with_keys)
    return picture_as_json(picture)


@live_outages_api.get("/<outage_id>/intervals")
@access.allow(*STAFF)
def list_intervals(outage_id: str) -> ResponseReturnValue:
    """List each customer's own interval, critical ones first."""
    offset = request.args.get("offset", "0")
    if not (offset.isascii() and offset.isdigit() and len(offset) < 10):
        raise FieldopsError('"%(name)s" must be a whole number.', name="offset")
    with db.transaction() as session:
        service.check_visible(session, outage_id, _person())
        rows = service.list_intervals(
            session, outage_id, limit=MOST_INTERVALS + 1, offset=int(offset)
        )
    is_more = len(rows) > MOST_INTERVALS
    return {
        "intervals": [interval_as_json(one) for one in rows[:MOST_INTERVALS]],
        "next_offset": int(offset) + MOST_INTERVALS if is_more else None,
    }


@live_outages_api.get("/<outage_id>/choices")
@access.allow("dispatcher", "planner", "manager")
def list_choices(outage_id: str) -> ResponseReturnValue:
    """List the ways to stop the water that differ."""
    with db.transaction() as session:
        found = service.list_choices(session, outage_id, _now())
    return {"choices": [choice_as_json(one) for one in found]}


@live_outages_api.post("/<outage_id>/<action>")
@access.allow("crew", "dispatcher", "planner", "manager")
def act(outage_id: str, action: str) -> ResponseReturnValue:
    """Confirm or reopen a valve, change or approve a plan, end an outage."""
    body: Any = request.get_json(silent=True)
    body = {} if body is None else body
    if not isinstance(body, dict):
        raise FieldopsError("Send a JSON object.")
    base, phone = body.pop("base_version", None), body.pop("by_phone_for", None)
    if base is not None and type(base) is not int:
        raise FieldopsError('"%(name)s" must be a whole number.', name="base_version")
    if action in TWO_STEPS and type(body.get("customers")) is not int:
        raise FieldopsError(
            'Send the number of customers that was shown before this was confirmed, as "%(name)s".',
            name="customers",
        )
    operation = Operation(
        subject_kind="outage",
        subject_id=outage_id,
        action=action,
        body=body,
        base_version=base,
    )
    actor = _actor(str(phone)[:100] if phone else None)
    with db.transaction() as session:
        outcome = service.apply_operation(session, operation, actor, _now())
    return answer_outcome(outcome)
