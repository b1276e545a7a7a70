"""Tiles of the basemap, from our own address only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, Response, current_app

from fieldops import access
from fieldops.access import STAFF
from fieldops.basemaps.service import BasemapTile, fetch_tianditu_tile, read_basemap_tile

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

basemaps = Blueprint("basemaps", __name__, url_prefix="/basemap")

KEEP_S = 7 * 24 * 3600


def _send(tile: BasemapTile) -> Response:
    response = Response(tile.body, mimetype=tile.mimetype)
    response.headers["Cache-Control"] = f"private, max-age={KEEP_S}"
    if tile.is_gzip and tile.body:
        response.headers["Content-Encoding"] = "gzip"
    return response


@basemaps.get("/file/<int:z>/<int:x>/<int:y>")
@access.allow(*STAFF)
def give_file_tile(z: int, x: int, y: int) -> ResponseReturnValue:
    """Give a tile of the basemap's file."""
    return _send(read_basemap_tile(current_app.extensions["fieldops.settings"], z, x, y))


@basemaps.get("/tianditu/<layer>/<int:z>/<int:x>/<int:y>")
@access.allow(*STAFF)
def give_tianditu_tile(layer: str, z: int, x: int, y: int) -> ResponseReturnValue:
    """Give a tile of Tianditu without the browser ever talking to it, or learning the key."""
    settings = current_app.extensions["fieldops.settings"]
    return _send(fetch_tianditu_tile(settings, layer, z, x, y))
