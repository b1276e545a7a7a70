"""Pages of work orders: the list, one order, and a crew's own."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from flask import Blueprint, flash, redirect, render_template, request
from flask import url_for as url
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from fieldops import access, db
from fieldops.access import STAFF, Role
from fieldops.crews.forms import SKILL_NAMES
from fieldops.crews.service import list_crews
from fieldops.events.queries import fetch_head
from fieldops.events.service import Actor
from fieldops.order_process import forms as words
from fieldops.order_steps.service import SENDS
from fieldops.photos.service import draw_photo, keep_photo
from fieldops.work_orders import service
from fieldops.work_orders.forms import read_filter, read_page_step, read_step

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from flask.typing import ResponseReturnValue
    from sqlalchemy.orm import Session

    from fieldops.access import Person
    from fieldops.photos.service import Drawing

work_orders = Blueprint("work_orders", __name__)

OFFICE = tuple(role for role in STAFF if role is not Role.CREW)
WEEKS_SHOWN = 12


def _person() -> Person:
    person = access.current_person()
    assert person is not None  # noqa: S101 - the routes let nobody else through
    return person


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


@work_orders.get("/orders")
@access.allow(*OFFICE, menu=_l("Work orders"))
def list_orders() -> ResponseReturnValue:
    """List orders, with what is late first on the list of late ones."""
    now = _now()
    with db.transaction() as session:
        position = fetch_head(session)
        found = service.list_orders(session, read_filter(request.args, now), _person())
    return render_template(
        "work_orders/orders.html",
        orders=found,
        now=now,
        words=words,
        asked=request.args,
        position=position,
    )


@work_orders.get("/my-jobs")
@access.allow("crew", menu=_l("My jobs"))
def list_my_jobs() -> ResponseReturnValue:
    """List the open orders of one's own crews."""
    with db.transaction() as session:
        position = fetch_head(session)
        found = service.list_own_jobs(session, _person().id)
    return render_template(
        "work_orders/my_jobs.html", orders=found, now=_now(), words=words, position=position
    )


@work_orders.get("/orders/<order_id>")
@access.allow(*STAFF)
def show_order(order_id: str) -> ResponseReturnValue:
    """Show an order: its state, its clocks, who had it, and what may be done now."""
    return _order_page(order_id)


def _order_page(
    order_id: str, problem: str = "", tried: str = "", photos: dict[str, Any] | None = None
) -> str:
    person, now = _person(), _now()
    with db.transaction() as session:
        position = fetch_head(session)
        sheet = service.describe_order(session, order_id, person, now)
        needs_crews = any(each.transition.action in SENDS for each in sheet.offers)
        crews = list_crews(session, now) if needs_crews else []
    return render_template(
        "work_orders/order.html",
        sheet=sheet,
        photos=photos or {},
        order=sheet.order,
        position=position,
        crews=crews,
        now=now,
        words=words,
        problem=problem,
        tried=tried,
        form=request.form,
        skill_names=SKILL_NAMES,
        is_crew_alone=not person.roles - {Role.CREW},
    )


@work_orders.post("/orders/<order_id>/<action>")
@access.allow(*STAFF)
def act(order_id: str, action: str) -> ResponseReturnValue:
    """Take an order a step further, or show again what was filled in, and what is wrong."""
    person, now = _person(), _now()
    drawings = _draw_photos()
    with db.transaction() as session:
        transition = service.find_step(session, order_id, action, person)
        photos = _keep_photos(session, drawings, person, now)
        body = read_page_step(request.form, transition, photos)
        operation, by_phone_for = read_step(order_id, action, body)
        actor = Actor.of(person, by_phone_for=by_phone_for)
        outcome = service.apply_operation(session, operation, actor, now)
    if outcome.status not in {"applied", "applied_with_conflict"}:
        status = {"forbidden": 403, "missing": 422}.get(outcome.status, 409)
        return _order_page(order_id, words.say_outcome(outcome), action, photos), status
    for line in words.say_conflicts(outcome.conflicts):
        flash(line, "error")
    flash(_("Recorded: %(step)s.", step=words.name_action(action, transition)), "done")
    return redirect(url("work_orders.show_order", order_id=order_id))


def _draw_photos() -> dict[str, Drawing]:
    """Draw the photos that came with a form, before a connection is held."""
    sent = {name: file.read() for name, file in request.files.items()}
    return {name: draw_photo(data) for name, data in sent.items() if data}


def _keep_photos(
    session: Session, drawings: Mapping[str, Drawing], person: Person, now: dt.datetime
) -> dict[str, Any]:
    """Keep the photos that came with a form, and give their hashes, and those kept before."""
    ending = "_kept"
    found = {
        name.removesuffix(ending): value
        for name, value in request.form.items()
        if name.endswith(ending)
    }
    for name, drawing in drawings.items():
        found[name] = keep_photo(session, drawing, person_id=person.id, now=now).sha256
    return found


@work_orders.get("/supervision")
@access.allow("manager", menu=_l("Supervision"))
def show_supervision() -> ResponseReturnValue:
    """Show what is late, what went in circles, and what was not right the first time."""
    now = _now()
    since = now - dt.timedelta(weeks=WEEKS_SHOWN)
    with db.transaction() as session:
        return render_template(
            "work_orders/supervision.html",
            late=service.list_late(session, now),
            notes=service.list_notes(session),
            rates=service.count_first_time_right(session, since, now),
            holders=service.sum_holders(session, since, now),
            weeks=WEEKS_SHOWN,
            now=now,
            words=words,
        )
