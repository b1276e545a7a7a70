"""Tiles of a basemap: read from a file of our own, or fetched from Tianditu on the way."""

from __future__ import annotations

import http.client
import threading
from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from flask_babel import gettext as _
from pmtiles.reader import MmapSource, Reader
from pmtiles.tile import Compression, TileType

from fieldops.errors import FieldopsError, NotFoundError

if TYPE_CHECKING:
    from pathlib import Path

    from fieldops.settings import Settings

TIANDITU_HOSTS = tuple(f"t{number}.tianditu.gov.cn" for number in range(8))
TIANDITU_LAYERS = ("vec", "cva")
"""The plain map, and the names on it."""
TIANDITU_ZOOMS = range(1, 19)
PATIENCE_S = 5
LARGEST_TILE = 1 << 20
MOST_KEPT_TILES = 1000
MOST_AT_ONCE = 6
MIMETYPES = {
    TileType.MVT: "application/vnd.mapbox-vector-tile",
    TileType.PNG: "image/png",
    TileType.JPEG: "image/jpeg",
    TileType.WEBP: "image/webp",
}


class BasemapError(FieldopsError):
    """The basemap cannot be had at the moment."""

    status = 502
    code = "basemap-unavailable"


@dataclass(frozen=True, slots=True)
class BasemapTile:
    """One tile as it is sent on."""

    mimetype: str
    body: bytes
    is_gzip: bool = False


def list_basemaps(settings: Settings) -> list[dict[str, Any]]:
    """Describe for the map's style what lies below the network; nothing, unless it was set."""
    if settings.basemap is not None and settings.basemap.exists():
        return [_describe_file(settings.basemap)]
    if settings.tianditu_key:
        return [
            {
                "kind": "raster",
                "tiles": [f"/basemap/tianditu/{layer}/{{z}}/{{x}}/{{y}}"],
                "minzoom": TIANDITU_ZOOMS[0],
                "maxzoom": TIANDITU_ZOOMS[-1],
                "attribution": _("Tianditu"),
                "layers": [],
            }
            for layer in TIANDITU_LAYERS
        ]
    return []


def read_basemap_tile(settings: Settings, z: int, x: int, y: int) -> BasemapTile:
    """
    Read a tile of the basemap's file.

    Raises
    ------
    NotFoundError
        If no file is set, or the grid has no such tile.
    """
    if settings.basemap is None or not settings.basemap.exists() or not _is_in_grid(z, x, y):
        raise NotFoundError("There is no tile %(z)s/%(x)s/%(y)s.", z=z, x=x, y=y)
    reader = _open(settings.basemap)
    header = reader.header()  # type: ignore[no-untyped-call]
    mimetype = MIMETYPES.get(header["tile_type"], "application/octet-stream")
    body = reader.get(z, x, y) or b""  # type: ignore[no-untyped-call]
    return BasemapTile(mimetype, body, header["tile_compression"] == Compression.GZIP)


def fetch_tianditu_tile(settings: Settings, layer: str, z: int, x: int, y: int) -> BasemapTile:
    """
    Fetch a tile from Tianditu, or give the one kept: only these hosts, these layers, this grid.

    Raises
    ------
    NotFoundError
        If Tianditu is not switched on, or has no such tile.
    BasemapError
        If it does not answer, or with something else than a picture.
    """
    key = settings.tianditu_key
    is_known = layer in TIANDITU_LAYERS and z in TIANDITU_ZOOMS and _is_in_grid(z, x, y)
    if not key or not is_known:
        raise NotFoundError("There is no tile %(z)s/%(x)s/%(y)s.", z=z, x=x, y=y)
    place = (layer, z, x, y)
    tile = _kept.get(place)
    if tile is None:
        tile = _fetch(key, layer, z, x, y)
        _kept.put(place, tile)
    return tile


def _describe_file(path: Path) -> dict[str, Any]:
    reader = _open(path)
    header = reader.header()  # type: ignore[no-untyped-call]
    metadata = reader.metadata()  # type: ignore[no-untyped-call]
    is_vector = header["tile_type"] == TileType.MVT
    layers = metadata.get("vector_layers") or []
    return {
        "kind": "vector" if is_vector else "raster",
        "tiles": ["/basemap/file/{z}/{x}/{y}"],
        "minzoom": header["min_zoom"],
        "maxzoom": header["max_zoom"],
        # Attributions of such files are HTML; the map's page shows text.
        "attribution": _plain(str(metadata.get("attribution") or "")),
        "layers": [str(layer.get("id")) for layer in layers] if is_vector else [],
    }


def _plain(markup: str) -> str:
    text, depth = [], 0
    for letter in markup:
        depth += letter == "<"
        if not depth:
            text.append(letter)
        depth -= letter == ">" and depth > 0
    return "".join(text)[:200].replace("&", "&amp;")


@lru_cache(maxsize=2)
def _open(path: Path) -> Reader:
    with path.open("rb") as file:
        return Reader(MmapSource(file))  # type: ignore[no-untyped-call]


def _is_in_grid(z: int, x: int, y: int) -> bool:
    return 0 <= z <= 24 and 0 <= x < 1 << z and 0 <= y < 1 << z


def _fetch(key: str, layer: str, z: int, x: int, y: int) -> BasemapTile:
    """Ask one of the fixed hosts; a redirect elsewhere is not followed."""
    query = urlencode(
        {
            "SERVICE": "WMTS", "REQUEST": "GetTile", "VERSION": "1.0.0", "LAYER": layer,
            "STYLE": "default", "TILEMATRIXSET": "w", "FORMAT": "tiles",
            "TILEMATRIX": z, "TILEROW": y, "TILECOL": x, "tk": key,
        }
    )  # fmt: skip
    host = TIANDITU_HOSTS[(x + y) % len(TIANDITU_HOSTS)]
    # At most so many threads of the web process wait for a stranger; the others answer at once.
    if not _waiting.acquire(timeout=PATIENCE_S):
        raise BasemapError("The basemap does not answer.")
    connection = http.client.HTTPSConnection(host, timeout=PATIENCE_S)
    try:
        connection.request("GET", f"/{layer}_w/wmts?{query}")
        response = connection.getresponse()
        body = response.read(LARGEST_TILE + 1)
        mimetype = response.headers.get_content_type()
    except (OSError, http.client.HTTPException) as error:
        raise BasemapError("The basemap does not answer.") from error
    finally:
        connection.close()
        _waiting.release()
    is_picture = mimetype in {"image/png", "image/jpeg"} and len(body) <= LARGEST_TILE
    if response.status != 200 or not is_picture:
        raise BasemapError("The basemap answered with fault %(status)s.", status=response.status)
    return BasemapTile(mimetype, body)


class _Kept:
    """The tiles used last."""

    def __init__(self) -> None:
        self._tiles: OrderedDict[tuple[str, int, int, int], BasemapTile] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, place: tuple[str, int, int, int]) -> BasemapTile | None:
        with self._lock:
            if place in self._tiles:
                self._tiles.move_to_end(place)
            return self._tiles.get(place)

    def put(self, place: tuple[str, int, int, int], tile: BasemapTile) -> None:
        with self._lock:
            self._tiles[place] = tile
            while len(self._tiles) > MOST_KEPT_TILES:
                self._tiles.popitem(last=False)


_kept = _Kept()
_waiting = threading.BoundedSemaphore(MOST_AT_ONCE)
