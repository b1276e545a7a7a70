"""The page of tablets: who holds which, when it was heard of, and what to do when one is lost."""

from __future__ import annotations

import datetime as dt

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue  # noqa: TC002 - Flask's own word for an answer
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from fieldops import access, db
from fieldops.devices import service
from fieldops.devices.forms import WIPE_NAMES
from fieldops.events.service import Actor

devices = Blueprint("devices", __name__)


def _actor() -> Actor:
    person = access.current_person()
    assert person is not None  # noqa: S101 - the routes let nobody else through
    return Actor.of(person)


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


@devices.get("/devices")
@access.allow("dispatcher", "manager", "admin", menu=_l("Tablets"))
def list_devices() -> ResponseReturnValue:
    """List the tablets."""
    with db.transaction() as session:
        found = service.list_devices(session)
        districts = service.list_districts(session)
    return render_template(
        "devices/devices.html",
        devices=found,
        districts=districts,
        district_names=dict(districts),
        wipe_names=WIPE_NAMES,
        now=_now(),
    )


@devices.post("/devices/<device>/revoke")
@access.allow("dispatcher", "manager", "admin")
def revoke(device: str) -> ResponseReturnValue:
    """Revoke a lost tablet."""
    with db.transaction() as session:
        service.revoke(session, device, request.form.get("wipe", ""), _actor(), _now())
    flash(_("The tablet is revoked; it clears itself at its next contact."), "done")
    return redirect(url_for("devices.list_devices"))


@devices.post("/devices/<device>/reassign")
@access.allow("dispatcher", "manager", "admin")
def reassign(device: str) -> ResponseReturnValue:
    """Give a tablet another name, district or holder."""
    with db.transaction() as session:
        service.reassign(
            session,
            device,
            name=request.form.get("name", ""),
            district=request.form.get("district") or None,
            is_signed_out="sign_out" in request.form,
            actor=_actor(),
            now=_now(),
        )
    flash(_("Saved."), "done")
    return redirect(url_for("devices.list_devices"))
