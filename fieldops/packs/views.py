"""The page of districts: what tablets carry, and where each district lies."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from flask import Blueprint, current_app, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from fieldops import access, db
from fieldops.errors import FieldopsError
from fieldops.packs import service

if TYPE_CHECKING:
    from pathlib import Path

    from flask.typing import ResponseReturnValue

packs = Blueprint("packs", __name__)


@packs.get("/packs")
@access.allow("planner", "manager", "admin", menu=_l("Districts"))
def list_districts() -> ResponseReturnValue:
    """List the districts and their packs."""
    return _page()


def _page(problem: str | None = None) -> str:
    with db.transaction() as session:
        offers = service.list_offers(session)
        zones = service.list_zones(session)
    return render_template(
        "packs/packs.html",
        offers=offers,
        zones=zones,
        problem=problem,
        given=request.form,
        size_of=lambda pack: sum(each["bytes"] for each in pack.files),
    )


@packs.post("/packs")
@access.allow("planner", "manager", "admin")
def add_district() -> ResponseReturnValue:
    """Add a district."""
    try:
        with db.transaction() as session:
            made = service.add_district(
                session, request.form.get("name", ""), **_area(), by=_name(), now=_now()
            )
            service.ask_for_baking(session, _folder(), made)
    except FieldopsError as error:
        return _page(str(error)), error.status
    flash(_("The district is there; its pack is being made."), "success")
    return redirect(url_for("packs.list_districts"))


@packs.post("/packs/<district>/area")
@access.allow("planner", "manager", "admin")
def redraw_district(district: str) -> ResponseReturnValue:
    """Draw a district anew."""
    try:
        with db.transaction() as session:
            service.redraw_district(session, district, **_area(), by=_name(), now=_now())
            service.ask_for_baking(session, _folder(), district)
    except FieldopsError as error:
        return _page(str(error)), error.status
    flash(_("The district is drawn anew; its pack is being made."), "success")
    return redirect(url_for("packs.list_districts"))


@packs.post("/packs/<district>/bake")
@access.allow("planner", "manager", "admin")
def bake_pack(district: str) -> ResponseReturnValue:
    """Have a pack made now."""
    with db.transaction() as session:
        service.find_district(session, district)
        service.ask_for_baking(session, _folder(), district)
    flash(_("The pack is being made."), "success")
    return redirect(url_for("packs.list_districts"))


@packs.post("/packs/<district>/delete")
@access.allow("planner", "manager", "admin")
def delete_district(district: str) -> ResponseReturnValue:
    """Forget a district."""
    with db.transaction() as session:
        service.delete_district(session, district)
    flash(_("The district is gone. Give its tablets another."), "success")
    return redirect(url_for("packs.list_districts"))


def _area() -> dict[str, str | None]:
    """Read where the district lies: a file of GeoJSON, GeoJSON as text, or a zone."""
    file = request.files.get("file")
    written = file.read().decode("utf-8", "replace") if file and file.filename else ""
    written = written or request.form.get("geojson", "").strip()
    return {"zone": request.form.get("zone") or None, "geojson": written or None}


def _folder() -> Path:
    return service.packs_folder(current_app.extensions["fieldops.settings"])


def _name() -> str:
    person = access.current_person()
    assert person is not None  # noqa: S101 - the routes let nobody else through
    return person.name


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
