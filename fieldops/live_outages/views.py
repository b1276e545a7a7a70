"""Pages of outages under way and past: plans, valves, times, and every customer's minutes."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from flask import Blueprint, Response, flash, redirect, render_template, request
from flask import url_for as url
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from fieldops import access, db
from fieldops.access import STAFF, Role
from fieldops.errors import ConflictError, FieldopsError
from fieldops.events.service import Actor, Operation
from fieldops.live_outages import forms, service

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

live_outages = Blueprint("live_outages", __name__, url_prefix="/outages")

SHOWN_CUSTOMERS = 500
DESKS = tuple(role for role in STAFF if role != Role.CREW)
MAY_DECIDE = frozenset({Role.DISPATCHER, Role.PLANNER, Role.MANAGER})
PAGE_ACTIONS = ("approve_plan", "shrink", "stage", "close")


@live_outages.get("")
@access.allow(*DESKS, menu=_l("Outages"))
def list_outages() -> ResponseReturnValue:
    """List the outages under way, then those that are over."""
    now = dt.datetime.now(dt.UTC)
    since = now - dt.timedelta(days=30)
    with db.transaction() as session:
        found = service.list_latest(session)
        minutes = service.sum_own_minutes(session, [one.key for one in found], now)
        lost = service.count_minutes(session, since, now)
    return render_template(
        "live_outages/outages.html", outages=found, minutes=minutes, lost=lost, words=forms
    )


@live_outages.get("/<outage_id>")
@access.allow(*DESKS)
def show_outage(outage_id: str) -> ResponseReturnValue:
    """Show an outage: its plan's versions, valves in order, stages, customers."""
    now = dt.datetime.now(dt.UTC)
    with db.transaction() as session:
        picture = service.show_outage(session, outage_id, now)
        plans = service.list_plans(session, outage_id)
        rows = service.list_intervals(session, outage_id, limit=SHOWN_CUSTOMERS + 1)
    person = access.current_person()
    return render_template(
        "live_outages/outage.html",
        picture=picture,
        plans=plans,
        stages=forms.stage_rows(picture),
        customers=rows[:SHOWN_CUSTOMERS],
        is_more=len(rows) > SHOWN_CUSTOMERS,
        may_decide=person is not None and bool(person.roles & MAY_DECIDE),
        words=forms,
        now=now,
    )


@live_outages.get("/<outage_id>/customers.csv")
@access.allow(*DESKS)
def download_customers(outage_id: str) -> ResponseReturnValue:
    """Give every customer's own interval as a table."""
    with db.transaction() as session:
        rows = service.list_intervals(session, outage_id)
    return Response(
        forms.intervals_as_csv(rows),
        mimetype="text/csv",
        headers={"Content-Disposition": f'attachment; filename="{outage_id[:40]}-customers.csv"'},
    )


@live_outages.post("/<outage_id>/<action>")
@access.allow("dispatcher", "planner", "manager")
def act(outage_id: str, action: str) -> ResponseReturnValue:
    """Approve a plan, record a stage or end an outage, with the number of customers seen."""
    person = access.current_person()
    assert person is not None  # noqa: S101 - the route lets nobody else through
    if action not in PAGE_ACTIONS:
        raise FieldopsError("An outage has no action %(action)s.", action=action)
    operation = Operation(
        subject_kind="outage",
        subject_id=outage_id,
        action=action,
        body={name: value for name, value in request.form.items() if name != "csrf_token"},
    )
    with db.transaction() as session:
        outcome = service.apply_operation(
            session, operation, Actor.of(person), dt.datetime.now(dt.UTC)
        )
    try:
        forms.answer_outcome(outcome)
    except ConflictError as error:
        flash(_(error.msgid, **error.params), "error")
    return redirect(url("live_outages.show_outage", outage_id=outage_id))
