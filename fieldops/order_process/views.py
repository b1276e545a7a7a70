"""The page on which a manager adds stages and needs."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from flask import Blueprint, flash, redirect, render_template, request
from flask import url_for as url
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from fieldops import access, db
from fieldops.access import ROLE_NAMES
from fieldops.errors import FieldopsError
from fieldops.events.service import Actor
from fieldops.order_process import forms, service

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

order_process = Blueprint("order_process", __name__)


@order_process.get("/process")
@access.allow("manager", menu=_l("Process"))
def show_process() -> ResponseReturnValue:
    """Show the stages and steps with what they need, as a new order begins with."""
    with db.transaction() as session:
        process = service.find_process(session, service.newest_version(session))
        versions = service.list_versions(session)
    return render_template(
        "order_process/process.html",
        process=process,
        versions=versions,
        words=forms,
        role_names=ROLE_NAMES,
    )


@order_process.post("/process/<change>")
@access.allow("manager")
def change_process(change: str) -> ResponseReturnValue:
    """Make a new version with a need or a stage more, or a need less."""
    person = access.current_person()
    assert person is not None  # noqa: S101 - the route lets nobody else through
    actor, now = Actor.of(person), dt.datetime.now(dt.UTC)
    base, key = forms.read_place(request.form)
    with db.transaction() as session:
        if change == "needs":
            need = forms.read_need(request.form)
            version = service.add_need(session, base, key, need, actor, now)
        elif change == "removals":
            name = request.form.get("field", "")
            version = service.remove_need(session, base, key, name, actor, now)
        elif change == "bounds":
            name, bounds = forms.read_bounds(request.form)
            version = service.change_bounds(session, (base, key, name), bounds, actor, now)
        elif change == "stages":
            version = service.add_stage(
                session, base, forms.read_stage(request.form, key), actor, now
            )
        else:
            raise FieldopsError("The request cannot be understood.")
    flash(_("Version %(n)s holds for orders opened from now on.", n=version), "done")
    return redirect(url("order_process.show_process"))
