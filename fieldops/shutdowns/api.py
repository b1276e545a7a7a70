"""HTTP answers about planned shutdowns."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from flask import Blueprint, request

from fieldops import access, db
from fieldops.access import STAFF
from fieldops.events.service import Actor
from fieldops.shutdowns import queries, service
from fieldops.shutdowns.forms import (
    read_approval,
    read_request,
    read_span,
    shutdown_as_json,
    slots_as_json,
)

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

shutdowns_api = Blueprint("shutdowns_api", __name__, url_prefix="/api/v1/shutdowns")


def _actor() -> Actor:
    person = access.current_person()
    assert person is not None  # noqa: S101 - the routes let nobody else through
    return Actor.of(person)


@shutdowns_api.get("")
@access.allow(*STAFF)
def list_shutdowns() -> ResponseReturnValue:
    """List what is planned, and the last that are over."""
    with db.transaction() as session:
        return {"shutdowns": [shutdown_as_json(one) for one in queries.fetch_shutdowns(session)]}


@shutdowns_api.post("")
@access.allow("dispatcher", "planner", "manager")
def request_shutdown() -> ResponseReturnValue:
    """Ask for the water to be shut off."""
    asked = read_request(request.get_json())
    with db.transaction() as session:
        shutdown = service.request_shutdown(
            session,
            asked.question(),
            asked.reason,
            asked.work_min,
            _actor(),
            dt.datetime.now(dt.UTC),
        )
    return shutdown_as_json(shutdown), 201


@shutdowns_api.get("/<shutdown>")
@access.allow(*STAFF)
def show_shutdown(shutdown: str) -> ResponseReturnValue:
    """Tell all about one."""
    with db.transaction() as session:
        return shutdown_as_json(service.find_shutdown(session, shutdown))


@shutdowns_api.get("/<shutdown>/slots")
@access.allow("dispatcher", "planner", "manager")
def find_slots(shutdown: str) -> ResponseReturnValue:
    """Rank the times at which it could begin."""
    now = dt.datetime.now(dt.UTC)
    begin, end = read_span(request.args, now)
    with db.transaction() as session:
        found = service.find_shutdown(session, shutdown)
        return slots_as_json(service.find_slots(session, found, begin, end, now))


@shutdowns_api.post("/<shutdown>/approve")
@access.allow("manager")
def approve(shutdown: str) -> ResponseReturnValue:
    """Give it a slot and the number of its approval."""
    approval = read_approval(request.get_json())
    with db.transaction() as session:
        approved = service.approve_shutdown(
            session,
            shutdown,
            approval.starts_at,
            approval.approval_no,
            _actor(),
            dt.datetime.now(dt.UTC),
        )
    return shutdown_as_json(approved)


@shutdowns_api.post("/<shutdown>/open")
@access.allow("dispatcher")
def open_it(shutdown: str) -> ResponseReturnValue:
    """Begin the work."""
    with db.transaction() as session:
        opened = service.open_shutdown(session, shutdown, _actor(), dt.datetime.now(dt.UTC))
    return shutdown_as_json(opened)


@shutdowns_api.post("/<shutdown>/cancel")
@access.allow("dispatcher", "planner", "manager")
def cancel(shutdown: str) -> ResponseReturnValue:
    """Give it up."""
    with db.transaction() as session:
        cancelled = service.cancel_shutdown(session, shutdown, _actor(), dt.datetime.now(dt.UTC))
    return shutdown_as_json(cancelled)
