"""The map page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, current_app, render_template, url_for
from flask_babel import get_locale
from flask_babel import lazy_gettext as _l

from fieldops import access, db
from fieldops.access import STAFF, Role
from fieldops.basemaps.service import list_basemaps
from fieldops.maps.forms import say_words
from fieldops.maps.service import open_map, tiles_folder

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

    from fieldops.access import Person

maps = Blueprint("maps", __name__)


@maps.get("/")
@access.allow(*STAFF, menu=_l("Map"))
def show_map() -> ResponseReturnValue:
    """Show the network, and answer whoever clicks a pipe."""
    settings = current_app.extensions["fieldops.settings"]
    with db.transaction() as session:
        state = open_map(session, tiles_folder(settings))
    person = access.current_person()
    extent = state.extent
    page_data = {
        "language": str(get_locale()).replace("_", "-"),
        "revision": state.revision,
        "geometry_revision": state.geometry_revision,
        "extent": extent and [extent.west, extent.south, extent.east, extent.north],
        "may_record": person is not None and Role.DISPATCHER in person.roles,
        "import_url": _import_url(person),
        "basemaps": list_basemaps(settings),
    }
    return render_template("maps/map.html", page_data=page_data, words=say_words())


def _import_url(person: Person | None) -> str | None:
    """Tell where whoever may import a network does so."""
    may_import = person and person.roles & {Role.PLANNER, Role.MANAGER, Role.ADMIN}
    return url_for("network_files.list_imports") if may_import else None
