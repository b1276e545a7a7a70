"""Districts, and the two files of each that a tablet carries: one to draw, one to compute with."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import tempfile
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely.geometry
from shapely.errors import ShapelyError

from fieldops import jobs
from fieldops.baking.service import alone_in, bake_tiles
from fieldops.errors import ConflictError, FieldopsError, NotFoundError
from fieldops.network.queries import (
    is_reload_needed,
    load_network,
    read_changes,
    read_snap_m,
    read_state,
    read_unusual,
)
from fieldops.packs import queries
from fieldops.packs.queries import WHOLE, District, PackState
from gis.formats.pack import Pack, read_pack, write_pack
from gis.packing import topology_of
from gis.segments import SNAP_M
from gis.world import World

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.orm import Session

    from fieldops.network.queries import NetworkKeys, NetworkState
    from fieldops.settings import Settings
    from gis.packing import Topology

    Columns = Mapping[str, tuple[Any, ...]]

DEEPEST_ZOOM = 16
DRAWING_OPTIONS = (f"--maximum-zoom={DEEPEST_ZOOM}", "--drop-rate=1", "--no-tile-size-limit")
QUIET = dt.timedelta(seconds=30)
"""So long nobody must have drawn before packs are made: an import is followed by corrections."""
LONGEST_WAIT = dt.timedelta(minutes=10)
"""Whoever draws all day long must not keep packs from being made."""
ASK_AGAIN_AFTER_S = 30
KINDS = ("drawing", "topology")
ENDINGS = {"drawing": "pmtiles", "topology": "topology"}
DEVICE_TABLES = ("valve", "pump", "control_valve")
FORMAT = 1
HALF_THE_WORLD = 180 * 180
"""In square degrees; neither endless nor no number."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What there is for the tablets of a district: the last pack, and whether it is still right."""

    district: District
    pack: PackState | None
    is_current: bool
    revision: int
    geometry_revision: int


def packs_folder(settings: Settings) -> Path:
    """Name where the packs of this database lie."""
    database = hashlib.sha256((settings.database_url or "private").encode()).hexdigest()[:12]
    return settings.home / "packs" / database


def list_offers(session: Session) -> list[Offer]:
    """List what there is for every district, the whole network first."""
    state = read_state(session)
    packs = {pack.district: pack for pack in queries.fetch_packs(session)}
    return [
        _offer(session, district, packs.get(district.id), state)
        for district in (_whole(), *queries.fetch_districts(session))
    ]


def open_pack(session: Session, folder: Path, district: str) -> Offer:
    """
    Tell what there is for a district, and have it made if it is not there or old.

    Raises
    ------
    NotFoundError
        If there is no such district.
    """
    found = find_district(session, district)
    offer = _offer(session, found, queries.fetch_pack(session, district), read_state(session))
    if offer.pack is None and offer.geometry_revision:
        ask_for_baking(session, folder, district)
    return offer


def find_district(session: Session, district: str) -> District:
    """
    Find a district by its id.

    Raises
    ------
    NotFoundError
        If there is no such district.
    """
    found = _whole() if district == WHOLE else queries.fetch_district(session, district)
    if found is None:
        raise NotFoundError("There is no district %(district)s.", district=district)
    return found


def find_file(session: Session, folder: Path, district: str, name: str) -> tuple[Path, str]:
    """
    Give a file of the current pack, and its hash.

    Raises
    ------
    NotFoundError
        If the pack has no such file, or no longer.
    """
    pack = queries.fetch_pack(session, district)
    for each in pack.files if pack else ():
        path = folder / f"{each['sha256']}{Path(each['name']).suffix}"
        if each["name"] == name and path.exists():
            return path, each["sha256"]
    raise NotFoundError("There is no file %(name)s.", name=name)


def list_facts(session: Session, folder: Path, district: str, since: int) -> dict[str, Any]:
    """
    Give the facts of the valves of a district that a pack of a revision has to learn.

    With `is_whole` every valve that is not listed is open, can be worked and reached.

    Raises
    ------
    NotFoundError
        If there is no such district.
    """
    find_district(session, district)
    state = read_state(session)
    is_whole = not 0 < since <= state.revision or is_reload_needed(session, since)
    changes = read_unusual(session) if is_whole else read_changes(session, since)
    inside = _keys_in_pack(session, folder, district)
    valves = []
    for kind in ("valve", "control_valve"):
        keys = {change.key for change in changes if change.kind == kind}
        if inside is not None:
            keys &= inside[kind]
        facts = queries.fetch_facts(session, kind, sorted(keys)) if keys else []
        valves += [
            {
                "kind": kind,
                "id": one.id,
                "position": one.position,
                "operability": one.operability,
                "reachable": one.reachable,
                "is_assumed": one.is_assumed,
            }
            for one in facts
        ]
    return {
        "revision": state.revision,
        "geometry_revision": state.geometry_revision,
        "is_whole": is_whole,
        "valves": valves,
    }


def add_district(
    session: Session,
    name: str,
    *,
    zone: str | None,
    geojson: str | None,
    by: str,
    now: dt.datetime,
) -> str:
    """
    Add a district around a supply zone or as drawn, and give its id.

    Raises
    ------
    FieldopsError
        If there is no area in it.
    ConflictError
        If there is a district of this name.
    """
    title = " ".join(name.split())
    if not title:
        raise FieldopsError("A district needs a name.")
    area = _read_area(session, zone, geojson)
    made = queries.insert_district(session, title, area, by=by, now=now)
    if made is None:
        raise ConflictError("There is a district %(name)s already.", name=title)
    return made


def redraw_district(
    session: Session,
    district: str,
    *,
    zone: str | None,
    geojson: str | None,
    by: str,
    now: dt.datetime,
) -> None:
    """
    Draw a district anew; its pack is then old.

    Raises
    ------
    NotFoundError
        If there is no such district.
    FieldopsError
        If there is no area in it.
    """
    if queries.fetch_district(session, district) is None:
        raise NotFoundError("There is no district %(district)s.", district=district)
    area = _read_area(session, zone, geojson)
    queries.update_area(session, district, area, by=by, now=now)


def _read_area(session: Session, zone: str | None, geojson: str | None) -> str:
    shape = None
    if geojson is not None:
        shape = _read_shape(geojson)
    area = None
    if shape is not None or geojson is None:
        area = queries.read_area(session, zone=zone, geojson=shape)
    if area is None:
        raise FieldopsError("There is no area in this: draw a polygon, or choose a zone.")
    return area


def _read_shape(geojson: str) -> str | None:
    """Find the polygon in a geometry, a feature or a collection of one; None if none is in it."""
    try:
        found = json.loads(geojson)
        while isinstance(found, dict) and found.get("type") not in {"Polygon", "MultiPolygon"}:
            found = found["geometry"] if "geometry" in found else found["features"][0]
        # Read here, not by the database, where a wrong one would end the transaction.
        area = shapely.geometry.shape(found)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, ShapelyError):
        return None
    return json.dumps(shapely.geometry.mapping(area)) if 0 < area.area < HALF_THE_WORLD else None


def delete_district(session: Session, district: str) -> None:
    """
    Forget a district; its tablets get nothing until they are given another.

    Raises
    ------
    NotFoundError
        If there is no such district.
    """
    if district == WHOLE or queries.fetch_district(session, district) is None:
        raise NotFoundError("There is no district %(district)s.", district=district)
    queries.delete_district(session, district)


def list_zones(session: Session) -> list[str]:
    """List the supply zones that a district can be made of."""
    return queries.fetch_zones(session)


def ask_for_baking(session: Session, folder: Path, district: str) -> None:
    """Queue the making of a pack, once in a while at most."""
    asked = session.info["kept"].setdefault("packs_asked", {})
    if time.monotonic() < asked.get(district, 0.0):
        return
    asked[district] = time.monotonic() + ASK_AGAIN_AFTER_S
    jobs.enqueue(session, "packs.bake", folder=str(folder), district=district)


def is_due(session: Session, now: dt.datetime) -> bool:
    """Tell whether any pack is old, and the network is drawn no more or has been for long."""
    old = _list_old(session, None)
    if not old:
        return False
    since = min((one.pack.revision for one in old if one.pack), default=0)
    first, last = queries.read_drawing_times(session, since)
    return first is None or last is None or now - last >= QUIET or now - first >= LONGEST_WAIT


def bake(
    session: Session, folder: Path, now: dt.datetime, *, asked: str | None = None
) -> list[PackState]:
    """
    Make the packs that are old, unless somebody else is at it; all of one state of the network.

    That of the whole network is made once it has been asked for: with districts nobody may want it.

    Raises
    ------
    BakingError
        If tippecanoe fails.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with alone_in(folder) as is_ours:
        old = _list_old(session, asked) if is_ours else []
        if not old or not old[0].geometry_revision:
            return []
        snap_m = read_snap_m(session)
        network, keys = load_network(session)
        world = World.of(network, SNAP_M if snap_m is None else snap_m)
        made = []
        for offer in old:
            files = _bake_one(session, folder, offer, (world, keys), now)
            pack = PackState(
                district=offer.district.id,
                geometry_revision=offer.geometry_revision,
                revision=offer.revision,
                drawn_at=offer.district.drawn_at,
                baked_at=now,
                files=files,
            )
            queries.write_pack(session, pack)
            made.append(pack)
        _delete_old(session, folder, now)
        return made


def _list_old(session: Session, asked: str | None) -> list[Offer]:
    return [
        one
        for one in list_offers(session)
        if not one.is_current and (one.pack or one.district.id == asked or one.district.drawn_at)
    ]


def _whole() -> District:
    return District(id=WHOLE, name="")


def _offer(
    session: Session, district: District, pack: PackState | None, state: NetworkState
) -> Offer:
    is_current = (
        pack is not None
        and pack.geometry_revision == state.geometry_revision
        and pack.drawn_at == district.drawn_at
        and not is_reload_needed(session, pack.revision)
    )
    return Offer(district, pack, is_current, state.revision, state.geometry_revision)


def _bake_one(
    session: Session,
    folder: Path,
    offer: Offer,
    network: tuple[World, NetworkKeys],
    now: dt.datetime,
) -> list[dict[str, Any]]:
    world, keys = network
    inside = None
    if offer.district.id != WHOLE:
        found = queries.find_inside(session, offer.district.id)
        inside = np.isin(keys.pipes, found)
    topology = topology_of(world, inside)
    kept = _keys_of(topology, keys)
    drawing = _draw(session, folder, kept, None if inside is None else offer.district.id)
    data = write_pack(_describe(session, offer, topology, kept, now))
    files = []
    for kind, content in zip(KINDS, (drawing, data), strict=True):
        sha256 = hashlib.sha256(content).hexdigest()
        name = f"{offer.district.id}-{offer.geometry_revision}.{ENDINGS[kind]}"
        path = folder / f"{sha256}.{ENDINGS[kind]}"
        draft = path.with_suffix(".draft")
        draft.write_bytes(content)
        draft.replace(path)
        files.append({"kind": kind, "name": name, "bytes": len(content), "sha256": sha256})
    return files


def _keys_of(topology: Topology, keys: NetworkKeys) -> dict[str, queries.Keys]:
    """Give the keys of everything in a pack, in the order of its rows."""
    found = {
        "pipe": keys.pipes[topology.pipes],
        "source": keys.sources[topology.sources],
        "hydrant": keys.hydrants[topology.hydrants],
        "customer": keys.customers[topology.premises],
    }
    for table, since, until in zip(
        DEVICE_TABLES, keys.device_starts[:-1], keys.device_starts[1:], strict=True
    ):
        mine = topology.devices[(topology.devices >= since) & (topology.devices < until)]
        found[table] = keys.devices[mine]
    return found


def _describe(
    session: Session,
    offer: Offer,
    topology: Topology,
    kept: Mapping[str, queries.Keys],
    now: dt.datetime,
) -> Pack:
    """Put what people know of things beside the arrays."""
    arrays = dict(topology.arrays)
    texts: dict[str, list[str]] = {}
    for kind in ("pipe", "source", "hydrant"):
        columns = queries.fetch_details(session, kind, kept[kind])
        texts |= {
            f"{kind}_{name}": [str(one) for one in columns[name]]
            for name in ("id", "material", "laid_on", "type")
            if name in columns
        }
        arrays |= _places(kind, kept[kind], columns)
        if "diameter_mm" in columns:
            arrays[f"{kind}_diameter_mm"] = np.array(columns["diameter_mm"], dtype=np.float32)
    devices = [queries.fetch_details(session, table, kept[table]) for table in DEVICE_TABLES]
    joined = {name: sum((one[name] for one in devices), ()) for name in devices[0]}
    of_table = [np.full(len(kept[table]), at) for at, table in enumerate(DEVICE_TABLES)]
    keys = np.concatenate([kept[table] for table in DEVICE_TABLES])
    arrays |= _places("device", keys, joined)
    arrays |= {
        "device_table": np.concatenate(of_table).astype(np.uint8),
        "device_turns": np.array(joined["turns"], dtype=np.float32),
        "device_closes": np.array(joined["closes"], dtype=np.uint8),
        "device_diameter_mm": np.array(joined["diameter_mm"], dtype=np.float32),
        "device_is_assumed": np.array(joined["is_assumed"], dtype=np.bool_),
    }
    critical = queries.fetch_critical(session, kept["customer"])
    texts |= {
        "device_id": list(joined["id"]),
        "device_type": list(joined["type"]),
        "premises_critical": [critical.get(key, "") for key in kept["customer"].tolist()],
    }
    about = {
        "format": FORMAT,
        "district": offer.district.id,
        "name": offer.district.name,
        "geometry_revision": offer.geometry_revision,
        "revision": offer.revision,
        "baked_at": now.isoformat(),
        "has_sources": topology.has_sources,
        "extent": _extent(arrays),
        "counts": {
            "pipes": len(topology.pipes),
            "devices": len(topology.devices),
            "blocks": len(arrays["block_beyond"]),
            "edges": len(arrays["edge_is_dead"]),
            "premises": len(topology.premises),
            "feeds": len(arrays["feed_block"]),
            "sources": len(topology.sources),
            "hydrants": len(topology.hydrants),
        },
    }
    return Pack(about, arrays, texts)


def _places(kind: str, keys: queries.Keys, columns: Columns) -> dict[str, Any]:
    return {
        # Keys are whole numbers that a browser can hold exactly, in a column that it can look at.
        f"{kind}_key": keys.astype(np.float64),
        f"{kind}_lon": np.array(columns["lon"], dtype=np.float64),
        f"{kind}_lat": np.array(columns["lat"], dtype=np.float64),
    }


def _extent(arrays: Mapping[str, Any]) -> list[float] | None:
    lon, lat = arrays["pipe_lon"], arrays["pipe_lat"]
    if not lon.size:
        return None
    return [float(one) for one in (lon.min(), lat.min(), lon.max(), lat.max())]


def _draw(
    session: Session, folder: Path, kept: Mapping[str, queries.Keys], district: str | None
) -> bytes:
    with tempfile.TemporaryDirectory(dir=folder, prefix=".baking-") as scratch:
        features = queries.stream_drawing(session, kept, district)
        baked = bake_tiles(Path(scratch), features, lambda _size: DRAWING_OPTIONS)
        return b"" if baked is None else baked.read_bytes()


def _keys_in_pack(session: Session, folder: Path, district: str) -> dict[str, set[int]] | None:
    """Tell which valves are in a district's pack, none before it is made; None where all are."""
    if district == WHOLE:
        return None
    pack = queries.fetch_pack(session, district)
    if pack is None:
        # A tablet of a district is told nothing of the rest of the town.
        return {name: set() for name in DEVICE_TABLES}
    of_topology = next(one for one in pack.files if one["kind"] == "topology")
    return _read_keys(find_file(session, folder, district, of_topology["name"])[0])


@lru_cache(maxsize=64)
def _read_keys(path: Path) -> dict[str, set[int]]:
    arrays = read_pack(path.read_bytes()).arrays
    table, keys = arrays["device_table"], arrays["device_key"].astype(np.int64)
    return {name: set(keys[table == at].tolist()) for at, name in enumerate(DEVICE_TABLES)}


def _delete_old(session: Session, folder: Path, now: dt.datetime) -> None:
    """Delete what no pack names any more; whoever is reading such a file reads on."""
    current = {one["sha256"] for pack in queries.fetch_packs(session) for one in pack.files}
    for path in folder.glob("*.*"):
        is_fresh = now.timestamp() - path.stat().st_mtime < QUIET.total_seconds()
        if path.is_file() and path.stem not in current and not is_fresh:
            path.unlink(missing_ok=True)
