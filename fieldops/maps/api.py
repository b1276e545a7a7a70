"""Tiles, places and search, for the map's scripts and for machines."""

from __future__ import annotations

import gzip
from dataclasses import asdict
from typing import TYPE_CHECKING

from flask import Blueprint, current_app, make_response, request

from fieldops import access, db
from fieldops.access import STAFF
from fieldops.maps.queries import Tile
from fieldops.maps.service import PLACED_KINDS, find_places, search, show_tile, tiles_folder

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

maps_api = Blueprint("maps_api", __name__)

TILE_TYPE = "application/vnd.mapbox-vector-tile"


@maps_api.get("/tiles/<int:z>/<int:x>/<int:y>.mvt")
@access.allow(*STAFF)
def give_tile(z: int, x: int, y: int) -> ResponseReturnValue:
    """Give a vector tile; 304 while the browser's own is still good."""
    folder = tiles_folder(current_app.extensions["fieldops.settings"])
    known = request.if_none_match.as_set(include_weak=True)
    with db.transaction() as session:
        answer = show_tile(session, folder, Tile(z, x, y), known)
    response = make_response(answer.body or b"", 304 if answer.body is None else 200)
    response.mimetype = TILE_TYPE
    response.set_etag(answer.etag)
    response.headers["Cache-Control"] = "private, no-cache"
    response.headers["Vary"] = "Accept-Encoding, Cookie"
    if answer.is_gzip and answer.body:
        if request.accept_encodings["gzip"] > 0:
            response.headers["Content-Encoding"] = "gzip"
        else:
            response.set_data(gzip.decompress(answer.body))
    return response


@maps_api.get("/api/v1/search")
@access.allow(*STAFF)
def find() -> ResponseReturnValue:
    """Find things by id, address or name; never by a person's name or number."""
    with db.transaction() as session:
        answer = search(session, request.args.get("q", ""))
    return asdict(answer)


@maps_api.get("/api/v1/places")
@access.allow(*STAFF)
def show_places() -> ResponseReturnValue:
    """Tell where things are and what is recorded of them: ?valve=V1&valve=V2&pipe=P1."""
    wanted = {
        kind: ids
        for kind in PLACED_KINDS
        if (ids := list(dict.fromkeys(request.args.getlist(kind))))
    }
    at_m = request.args.get("at_m", type=float)
    with db.transaction() as session:
        return {"places": [asdict(place) for place in find_places(session, wanted, at_m)]}
