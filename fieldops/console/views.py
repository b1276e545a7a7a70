"""The dispatcher's console."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, current_app, render_template
from flask_babel import get_locale
from flask_babel import lazy_gettext as _l

from fieldops import access, db
from fieldops.access import Role
from fieldops.basemaps.service import list_basemaps
from fieldops.console.forms import say_words
from fieldops.maps.service import open_map, tiles_folder

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

console = Blueprint("console", __name__)


@console.get("/dispatch")
@access.allow("dispatcher", "manager", menu=_l("Dispatch"))
def show_dispatch() -> ResponseReturnValue:
    """Show the queue beside the map; the scripts fill both, and keep them up to date."""
    settings = current_app.extensions["fieldops.settings"]
    with db.transaction() as session:
        state = open_map(session, tiles_folder(settings))
    person = access.current_person()
    assert person is not None  # noqa: S101 - the route lets nobody else through
    extent = state.extent
    page_data = {
        "language": str(get_locale()).replace("_", "-"),
        "revision": state.revision,
        "geometry_revision": state.geometry_revision,
        "extent": extent and [extent.west, extent.south, extent.east, extent.north],
        "may_record": Role.DISPATCHER in person.roles,
        "import_url": None,
        "basemaps": list_basemaps(settings),
    }
    return render_template("console/dispatch.html", page_data=page_data, words=say_words())
