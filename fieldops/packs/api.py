"""What a tablet fetches of its district: files in pieces, and facts of valves as a list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, current_app, request, send_file

from fieldops import access, db
from fieldops.access import STAFF
from fieldops.devices.api import current_device
from fieldops.errors import ForbiddenError
from fieldops.packs import service
from fieldops.packs.queries import WHOLE

if TYPE_CHECKING:
    from pathlib import Path

    from flask.typing import ResponseReturnValue

    from fieldops.packs.queries import PackState

packs_api = Blueprint("packs_api", __name__, url_prefix="/api/v1/packs")


@packs_api.get("/<district>")
@access.allow(*STAFF)
def show_pack(district: str) -> ResponseReturnValue:
    """Tell which files a tablet of this district wants, and how large they are."""
    _check_district(district)
    with db.transaction() as session:
        offer = service.open_pack(session, _folder(), district)
    return {
        "district": offer.district.id,
        "name": offer.district.name,
        "is_current": offer.is_current,
        "latest_geometry_revision": offer.geometry_revision,
        "latest_revision": offer.revision,
        **_pack_as_json(district, offer.pack),
    }


@packs_api.get("/<district>/files/<name>")
@access.allow(*STAFF)
def give_file(district: str, name: str) -> ResponseReturnValue:
    """Give a file or the rest of it; with an If-Range of an older one, the whole of the new."""
    _check_district(district)
    with db.transaction() as session:
        path, sha256 = service.find_file(session, _folder(), district, name)
    response = send_file(
        path, mimetype="application/octet-stream", etag=sha256, conditional=True, last_modified=None
    )
    response.headers["Cache-Control"] = "private, no-cache"
    # A proxy that packs the bytes anew would move them: pieces would no longer fit together.
    response.headers["Cache-Control"] += ", no-transform"
    return response


@packs_api.get("/<district>/facts")
@access.allow(*STAFF)
def list_facts(district: str) -> ResponseReturnValue:
    """Give the facts of valves that changed after a revision: ?since=12."""
    _check_district(district)
    since = request.args.get("since", default=0, type=int)
    with db.transaction() as session:
        return service.list_facts(session, _folder(), district, since)


def _check_district(district: str) -> None:
    """
    Let a tablet have the pack of its own district alone: it may be lost tomorrow.

    Raises
    ------
    ForbiddenError
        If this is another's.
    """
    device = current_device()
    if device is not None and (device.district or WHOLE) != district:
        raise ForbiddenError("This tablet is of another district.")


def _folder() -> Path:
    return service.packs_folder(current_app.extensions["fieldops.settings"])


def _pack_as_json(district: str, pack: PackState | None) -> dict[str, Any]:
    if pack is None:
        return {"geometry_revision": None, "revision": None, "baked_at": None, "files": []}
    return {
        "geometry_revision": pack.geometry_revision,
        "revision": pack.revision,
        "baked_at": pack.baked_at.isoformat(),
        "files": [
            each | {"url": f"/api/v1/packs/{district}/files/{each['name']}"} for each in pack.files
        ],
    }
