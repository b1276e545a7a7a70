"""Pages on which shutdowns are asked for, placed, approved and begun."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from flask import Blueprint, redirect, render_template, request
from flask import url_for as url
from flask_babel import lazy_gettext as _l

from fieldops import access, db
from fieldops.events.service import Actor
from fieldops.shutdowns import queries, service
from fieldops.shutdowns.forms import (
    STATUS_NAMES,
    WEEKDAYS,
    ZONE,
    read_approval,
    read_blackout,
    read_request_of_page,
    read_span,
)

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

shutdowns = Blueprint("shutdowns", __name__, url_prefix="/shutdowns")


def _actor() -> Actor:
    person = access.current_person()
    assert person is not None  # noqa: S101 - the routes let nobody else through
    return Actor.of(person)


@shutdowns.get("/")
@access.allow("dispatcher", "planner", "manager", "service_agent", menu=_l("Planned shutdowns"))
def list_shutdowns() -> ResponseReturnValue:
    """Show what is planned, and the form that asks for one more."""
    with db.transaction() as session:
        found = queries.fetch_shutdowns(session)
    return render_template(
        "shutdowns/shutdowns.html",
        shutdowns=found,
        status_names=STATUS_NAMES,
        pipes=request.args.getlist("pipe"),
    )


@shutdowns.post("/")
@access.allow("dispatcher", "planner", "manager")
def receive_request() -> ResponseReturnValue:
    """Take a request."""
    asked = read_request_of_page(request.form)
    with db.transaction() as session:
        shutdown = service.request_shutdown(
            session,
            asked.question(),
            asked.reason,
            asked.work_min,
            _actor(),
            dt.datetime.now(dt.UTC),
        )
    return redirect(url("shutdowns.show_shutdown", shutdown=shutdown.id), 303)


@shutdowns.get("/<shutdown>")
@access.allow("dispatcher", "planner", "manager", "service_agent")
def show_shutdown(shutdown: str) -> ResponseReturnValue:
    """Show one: whom it leaves dry, and until it begins the slots that harm the fewest."""
    now = dt.datetime.now(dt.UTC)
    begin, end = read_span(request.args, now)
    with db.transaction() as session:
        found = service.find_shutdown(session, shutdown)
        is_open = found.status in {"requested", "approved"}
        slots = service.find_slots(session, found, begin, end, now) if is_open else None
        blackouts = service.list_blackouts(session, found, now) if is_open else []
    roles = _actor().roles
    return render_template(
        "shutdowns/shutdown.html",
        shutdown=found,
        slots=slots,
        blackouts=blackouts,
        status_names=STATUS_NAMES,
        weekdays=WEEKDAYS,
        begin=begin.astimezone(ZONE),
        end=end.astimezone(ZONE),
        roles=roles,
        may_plan=bool(roles & {"dispatcher", "planner", "manager"}),
        may_know_customers=bool(roles & {"planner", "manager", "service_agent"}),
    )


@shutdowns.post("/<shutdown>/approve")
@access.allow("manager")
def approve(shutdown: str) -> ResponseReturnValue:
    """Approve a slot."""
    approval = read_approval(
        {name: request.form.get(name, "") for name in ("starts_at", "approval_no")}
    )
    with db.transaction() as session:
        service.approve_shutdown(
            session,
            shutdown,
            approval.starts_at,
            approval.approval_no,
            _actor(),
            dt.datetime.now(dt.UTC),
        )
    return redirect(url("shutdowns.show_shutdown", shutdown=shutdown), 303)


@shutdowns.post("/<shutdown>/open")
@access.allow("dispatcher")
def open_it(shutdown: str) -> ResponseReturnValue:
    """Begin the work."""
    with db.transaction() as session:
        service.open_shutdown(session, shutdown, _actor(), dt.datetime.now(dt.UTC))
    return redirect(url("shutdowns.show_shutdown", shutdown=shutdown), 303)


@shutdowns.post("/<shutdown>/cancel")
@access.allow("dispatcher", "planner", "manager")
def cancel(shutdown: str) -> ResponseReturnValue:
    """Give it up."""
    with db.transaction() as session:
        service.cancel_shutdown(session, shutdown, _actor(), dt.datetime.now(dt.UTC))
    return redirect(url("shutdowns.show_shutdown", shutdown=shutdown), 303)


@shutdowns.post("/<shutdown>/blackouts")
@access.allow("planner", "manager", "service_agent")
def add_blackout(shutdown: str) -> ResponseReturnValue:
    """Note hours in which one of the customers must have water."""
    asked = read_blackout(request.form)
    with db.transaction() as session:
        service.find_shutdown(session, shutdown)
        service.add_blackout(session, **asked)
    return redirect(url("shutdowns.show_shutdown", shutdown=shutdown), 303)


@shutdowns.post("/<shutdown>/blackouts/<int:key>/delete")
@access.allow("planner", "manager", "service_agent")
def delete_blackout(shutdown: str, key: int) -> ResponseReturnValue:
    """Take blackout hours away."""
    with db.transaction() as session:
        queries.delete_blackout(session, key)
    return redirect(url("shutdowns.show_shutdown", shutdown=shutdown), 303)
