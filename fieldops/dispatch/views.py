"""The pages of closed roads and of dispatch's settings."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from fieldops import access, db
from fieldops.candidates.service import fetch_settings
from fieldops.dispatch import service
from fieldops.dispatch.forms import SettingsForm, read_settings
from fieldops.events.service import Actor
from fieldops.street_times.service import close_road, list_closed_roads, search_roads

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

dispatch = Blueprint("dispatch", __name__, url_prefix="/dispatch")


@dispatch.get("/settings")
@access.allow("manager", menu=_l("Dispatch settings"))
def show_settings() -> ResponseReturnValue:
    """Show the settings, what was learnt, and the closed roads."""
    with db.transaction() as session:
        settings, roads = fetch_settings(session), list_closed_roads(session)
    form = SettingsForm(formdata=None, obj=settings)
    return render_template("dispatch/settings.html", form=form, settings=settings, roads=roads)


@dispatch.get("/roads")
@access.allow("dispatcher", "manager", menu=_l("Closed roads"))
def show_roads() -> ResponseReturnValue:
    """Show the closed roads, and others by a part of their name."""
    words = request.args.get("q", "")
    with db.transaction() as session:
        closed, found = list_closed_roads(session), search_roads(session, words)
    return render_template("dispatch/roads.html", closed=closed, found=found, words=words)


@dispatch.post("/roads")
@access.allow("dispatcher", "manager")
def change_road() -> ResponseReturnValue:
    """Close a road, or open it again."""
    is_closed = request.form.get("closed") == "yes"
    with db.transaction() as session:
        road = close_road(
            session,
            request.form.get("road", ""),
            is_closed=is_closed,
            actor=_actor(),
            now=dt.datetime.now(dt.UTC),
        )
    name = road.name or road.id
    said = (
        _("%(road)s is closed now.", road=name) if is_closed else _("%(road)s is open.", road=name)
    )
    flash(said, "success")
    return redirect(url_for("dispatch.show_roads", q=request.form.get("q") or None))


def _actor() -> Actor:
    person = access.current_person()
    assert person is not None  # noqa: S101 - the route lets nobody else through
    return Actor.of(person)


@dispatch.post("/settings")
@access.allow("manager")
def change_settings() -> ResponseReturnValue:
    """Change the settings."""
    form = SettingsForm()
    if not form.validate() or not str(form.version.data).isdigit():
        with db.transaction() as session:
            settings, roads = fetch_settings(session), list_closed_roads(session)
        page = render_template("dispatch/settings.html", form=form, settings=settings, roads=roads)
        return page, 422
    with db.transaction() as session:
        service.change_settings(
            session,
            read_settings(form),
            int(form.version.data),
            _actor(),
            dt.datetime.now(dt.UTC),
        )
    flash(_("Saved."), "success")
    return redirect(url_for("dispatch.show_settings"))
