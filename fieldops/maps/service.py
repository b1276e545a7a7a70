"""What the map shows: tiles cut now or baked before, places, and what a search finds."""

from __future__ import annotations

import hashlib
import tempfile
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from pmtiles.reader import MmapSource, Reader

from fieldops import jobs
from fieldops.baking.service import alone_in, bake_tiles
from fieldops.errors import FieldopsError, NotFoundError
from fieldops.maps import queries
from fieldops.maps.queries import FIRST_EXACT_ZOOM, Tile
from fieldops.network.queries import read_state

if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence

    from sqlalchemy.orm import Session

    from fieldops.maps.queries import Extent, Found, Place
    from fieldops.settings import Settings

SMALL_BYTES = 1 << 22
"""So little is shown whole at every zoom."""
ASK_AGAIN_AFTER_S = 600
MOST_FOUND = 30
LONGEST_SEARCH = 100
MOST_PLACES = 100
PLACED_KINDS = ("pipe", "valve", "pump", "source", "hydrant", "customer", "node")


@dataclass(frozen=True, slots=True)
class MapState:
    """What the page has to know before its first tile."""

    revision: int
    geometry_revision: int
    extent: Extent | None


@dataclass(frozen=True, slots=True)
class TileAnswer:
    """A tile, or that the browser's own is still good (`body` is None)."""

    etag: str
    body: bytes | None
    is_gzip: bool = False


@dataclass(frozen=True, slots=True)
class SearchAnswer:
    """What was found; addresses and names may still be on their way into the index."""

    results: list[Found]
    is_indexed: bool


def tiles_folder(settings: Settings) -> Path:
    """Name where the far tiles of this database lie."""
    database = hashlib.sha256((settings.database_url or "private").encode()).hexdigest()[:12]
    return settings.home / "tiles" / database


def open_map(session: Session, folder: Path) -> MapState:
    """Tell where the network lies and stands, and have its far tiles baked if they are not."""
    state = read_state(session)
    extent = queries.fetch_extent(session)
    if extent is not None and not _is_ready(session, folder, state.geometry_revision):
        ask_for_baking(session, folder, state.geometry_revision)
    return MapState(state.revision, state.geometry_revision, extent)


def show_tile(session: Session, folder: Path, tile: Tile, known: Container[str]) -> TileAnswer:
    """
    Give a tile of the network as it is drawn now, or nothing where one in `known` is still good.

    Raises
    ------
    NotFoundError
        If the grid has no such tile.
    """
    if not tile.is_there():
        raise NotFoundError("There is no tile %(z)s/%(x)s/%(y)s.", **tile._asdict())
    revision = read_state(session).geometry_revision
    baked = baked_file(folder, revision)
    is_far = tile.z < FIRST_EXACT_ZOOM
    is_baked = is_far and baked.exists()
    etag = f"{revision}-{'baked' if is_baked else 'simple'}" if is_far else str(revision)
    if etag in known:
        return TileAnswer(etag, None)
    if is_baked:
        return TileAnswer(etag, _read_baked(baked, tile), is_gzip=True)
    if is_far:
        ask_for_baking(session, folder, revision)
    return TileAnswer(etag, queries.make_tile(session, tile))


def search(session: Session, text: str) -> SearchAnswer:
    """Find things by the beginning of their id, or by a part of their id, address or name."""
    typed = " ".join(text[:LONGEST_SEARCH].replace("\0", "").split())
    if not typed:
        return SearchAnswer([], is_indexed=True)
    found = queries.find_ids(session, typed, MOST_FOUND)
    known = {(one.kind, one.id) for one in found}
    found += [
        one
        for one in queries.find_words(session, typed, MOST_FOUND)
        if (one.kind, one.id) not in known
    ]
    indexed = queries.read_searched_revision(session)
    is_indexed = indexed == read_state(session).geometry_revision
    return SearchAnswer(found[:MOST_FOUND], is_indexed)


def find_places(
    session: Session, wanted: Mapping[str, Sequence[str]], at_m: float | None = None
) -> list[Place]:
    """
    Tell where things are, pipes at their middle or `at_m` along them.

    A valve may also be an isolating control valve.

    Raises
    ------
    FieldopsError
        If too many are asked for at once.
    """
    if sum(len(ids) for ids in wanted.values()) > MOST_PLACES:
        raise FieldopsError("Ask for at most %(most)s places at once.", most=MOST_PLACES)
    places = [
        place
        for kind, ids in wanted.items()
        for place in queries.fetch_places(session, kind, ids, at_m)
    ]
    valves = set(wanted.get("valve", ())) - {one.id for one in places if one.kind == "valve"}
    if valves:
        places += queries.fetch_control_valves(session, sorted(valves))
    return places


def ask_for_baking(session: Session, folder: Path, geometry_revision: int) -> None:
    """Queue the making of what far views and the search need, once in a while at most."""
    kept = session.info["kept"]
    asked, again_at = kept.get("maps_baking", (None, 0.0))
    if asked == geometry_revision and time.monotonic() < again_at:
        return
    kept["maps_baking"] = geometry_revision, time.monotonic() + ASK_AGAIN_AFTER_S
    jobs.enqueue(session, "maps.bake", folder=str(folder))


def bake(session: Session, folder: Path) -> Path | None:
    """
    Make the far tiles and the words to search in, unless they are there or being made.

    Raises
    ------
    BakingError
        If tippecanoe fails.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with alone_in(folder) as is_ours:
        if not is_ours:
            return None
        revision = read_state(session).geometry_revision
        if queries.read_searched_revision(session) != revision:
            queries.write_search_texts(session, revision)
        baked = baked_file(folder, revision)
        if not baked.exists():
            _bake_tiles(session, baked)
        for old in folder.glob("*.pmtiles"):
            if old != baked:
                old.unlink()
        return baked


def baked_file(folder: Path, geometry_revision: int) -> Path:
    """Name the file of the far tiles of one drawing of the network."""
    return folder / f"{geometry_revision}.pmtiles"


def _is_ready(session: Session, folder: Path, geometry_revision: int) -> bool:
    is_baked = baked_file(folder, geometry_revision).exists()
    return is_baked and queries.read_searched_revision(session) == geometry_revision


def _bake_tiles(session: Session, baked: Path) -> None:
    with tempfile.TemporaryDirectory(dir=baked.parent, prefix=".baking-") as scratch:
        draft = bake_tiles(Path(scratch), queries.stream_far_features(session), _choose_options)
        if draft is not None:
            draft.replace(baked)


def _choose_options(size: int) -> list[str]:
    size_limit = "--no-tile-size-limit" if size < SMALL_BYTES else "--maximum-tile-bytes=600000"
    return [f"--maximum-zoom={FIRST_EXACT_ZOOM - 1}", size_limit, "--drop-smallest-as-needed"]


def _read_baked(baked: Path, tile: Tile) -> bytes:
    return _open_baked(baked).get(*tile) or b""  # type: ignore[no-untyped-call]


@lru_cache(maxsize=4)
def _open_baked(baked: Path) -> Reader:
    with baked.open("rb") as file:
        return Reader(MmapSource(file))  # type: ignore[no-untyped-call]
