"""Tiles: what they hold, when they are still good, and where there are none."""

from __future__ import annotations

import json
import math
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from fieldops.access import Role
from fieldops.baking.service import TIPPECANOE, alone_in
from fieldops.maps import queries, service
from fieldops.maps.queries import Tile
from fieldops.maps.service import bake, show_tile
from fieldops.network_files.service import import_features
from gis.formats.geojson import parse_geojson
from tests.people import bearer

if TYPE_CHECKING:
    from pathlib import Path

    from flask.testing import FlaskClient
    from sqlalchemy.orm import Session

HERE = (117.34634, 31.12115)
"""In the west of a tile of zoom 16, so that the town lies in it."""
METRE = 1 / 95_000
"""About a metre eastward, in degrees."""


def feature(kind: str, text_id: str, *places: float, **properties: object) -> dict[str, Any]:
    """Draw a feature eastward of HERE: one place for a point, two for a line, in metres."""
    shape: list[Any] = [[HERE[0] + metres * METRE, HERE[1]] for metres in places]
    geometry = (
        {"type": "Point", "coordinates": shape[0]}
        if len(shape) == 1
        else {"type": "LineString", "coordinates": shape}
    )
    return {
        "type": "Feature",
        "geometry": geometry,
        "properties": {"kind": kind, "id": text_id, **properties},
    }


TOWN = [
    feature("pipe", "P1", 0, 100, diameter_mm=200),
    feature("pipe", "P2", 100, 200, diameter_mm=100),
    feature("valve", "V1", 30, pipe="P1"),
    feature("valve", "V2", 60, pipe="P1"),
    feature("source", "S1", 0, type="well", name="水厂"),
    feature("customer", "C1", 150, pipe="P2", address="澄溪路5号"),
    feature("hydrant", "H1", 80, pipe="P1"),
    feature("road", "R1", 0, 200, name="澄溪路"),
]


@pytest.fixture
def town(session: Session) -> Session:
    """Import a pipe with two valves on it, and a pipe without."""
    collection = json.dumps({"type": "FeatureCollection", "features": TOWN})
    import_features(session, parse_geojson(collection.encode()), by="test")
    session.commit()
    return session


def tile_at(zoom: int) -> Tile:
    """Name the tile that holds HERE."""
    lon, lat = HERE
    north = math.asinh(math.tan(math.radians(lat))) / math.pi
    return Tile(zoom, int((lon + 180) / 360 * 2**zoom), int((1 - north) / 2 * 2**zoom))


def layers_of(body: bytes, tile: Tile, folder: Path) -> dict[str, dict[int, dict[str, Any]]]:
    """Read a tile with another program: by layer, the properties of each feature id."""
    file = folder / "tile.mvt"
    file.write_bytes(body)
    decoder = TIPPECANOE.with_name("tippecanoe-decode")
    place = [str(number) for number in tile]
    done = subprocess.run([decoder, file, *place], capture_output=True, text=True, check=True)
    return {
        layer["properties"]["layer"]: {one["id"]: one["properties"] for one in layer["features"]}
        for layer in json.loads(done.stdout)["features"]
    }


def keys_of(session: Session, kind: str) -> dict[str, int]:
    """Give the key of every id of a kind."""
    rows = session.execute(text(f"SELECT id, key FROM {kind}"))  # noqa: S608 - a name of ours
    return {row.id: row.key for row in rows}


def test_a_near_tile_holds_every_kind_under_its_key(town: Session, tmp_path: Path) -> None:
    """Answers name keys; the map must find them."""
    tile = tile_at(16)
    layers = layers_of(queries.make_tile(town, tile), tile, tmp_path)

    assert set(layers) == {
        *("pipes", "sources", "roads", "valves", "hydrants", "customers", "nodes"),
    }
    for layer, kind in (("valves", "valve"), ("customers", "customer"), ("hydrants", "hydrant")):
        keys = keys_of(town, kind)
        assert {one["id"]: key for key, one in layers[layer].items()} == keys


def test_a_pipe_with_valves_on_it_is_cut_at_them(town: Session, tmp_path: Path) -> None:
    """Each part has an id of its own: the pipe's key times 64, and its number."""
    tile = tile_at(16)
    pipes = layers_of(queries.make_tile(town, tile), tile, tmp_path)["pipes"]
    keys = keys_of(town, "pipe")

    assert {fid: (one["id"], one["part"]) for fid, one in pipes.items()} == {
        keys["P1"] * 64: ("P1", 0),
        keys["P1"] * 64 + 1: ("P1", 1),
        keys["P1"] * 64 + 2: ("P1", 2),
        keys["P2"] * 64: ("P2", 0),
    }


def test_a_tile_names_nobody(town: Session, tmp_path: Path) -> None:
    """Whatever else a file says of a customer stays out of the tiles."""
    tile = tile_at(16)
    customers = layers_of(queries.make_tile(town, tile), tile, tmp_path)["customers"]
    assert [set(one) for one in customers.values()] == [{"id"}]


def test_customers_and_valves_wait_for_near_views(town: Session, tmp_path: Path) -> None:
    """A tile of a whole city must stay small."""
    tile = tile_at(14)
    layers = layers_of(queries.make_tile(town, tile), tile, tmp_path)
    assert "valves" in layers
    assert "customers" not in layers
    tile = tile_at(13)
    assert set(layers_of(queries.make_tile(town, tile), tile, tmp_path)) == {"pipes", "sources"}


def test_baked_tiles_know_the_same_parts_and_old_files_go(town: Session, tmp_path: Path) -> None:
    """Recolouring works at every zoom."""
    (tmp_path / "999.pmtiles").touch()
    near, far = tile_at(16), tile_at(11)
    baked = bake(town, tmp_path)

    assert baked is not None
    assert [file.name for file in tmp_path.glob("*.pmtiles")] == [baked.name]
    layers = layers_of(service._read_baked(baked, far), far, tmp_path)
    exact = layers_of(queries.make_tile(town, near), near, tmp_path)
    assert set(layers) == {"pipes", "sources"}
    assert set(layers["pipes"]) == set(exact["pipes"])


def test_far_tiles_are_simple_until_they_are_baked(
    town: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for the worker, who is asked only once."""
    asked: list[str] = []
    monkeypatch.setattr("fieldops.jobs.enqueue", lambda *task, **_values: asked.append(task[1]))
    tile = tile_at(10)
    first = show_tile(town, tmp_path, tile, frozenset())
    again = show_tile(town, tmp_path, tile, {first.etag})

    assert first.body
    assert not first.is_gzip
    assert again.body is None
    assert asked == ["maps.bake"]
    bake(town, tmp_path)
    baked = show_tile(town, tmp_path, tile, {first.etag})
    assert baked.body
    assert baked.is_gzip
    assert baked.etag != first.etag


def test_a_second_baker_leaves_the_first_alone(town: Session, tmp_path: Path) -> None:
    """Two workers must not write one file."""
    with alone_in(tmp_path) as is_ours:
        assert is_ours
        assert bake(town, tmp_path) is None


def test_an_unchanged_tile_is_not_sent_again(client: FlaskClient, town: Session) -> None:
    """The tag stands for the drawing: a valve that gets stuck changes no tile."""
    headers = bearer(town, Role.CREW)
    url = "/tiles/{}/{}/{}.mvt".format(*tile_at(15))
    first = client.get(url, headers=headers)
    assert first.status_code == 200
    assert first.mimetype == "application/vnd.mapbox-vector-tile"
    tag = first.headers["ETag"]

    town.execute(text("UPDATE valve SET operability = 'inoperable'"))
    town.commit()
    same = client.get(url, headers={**headers, "If-None-Match": tag})
    assert (same.status_code, same.data) == (304, b"")
    other = client.get(url, headers={**headers, "If-None-Match": '"other"'})
    assert other.data == first.data


@pytest.mark.parametrize(
    "path", ["15/0/32768", "15/32768/0", "17/0/0", "99999999999999999999/0/0", "1/-1/0", "1/a/0"]
)
def test_there_is_no_tile_outside_the_grid(
    client: FlaskClient, session: Session, path: str
) -> None:
    """Such numbers never reach the database."""
    answer = client.get(f"/tiles/{path}.mvt", headers=bearer(session, Role.CREW))
    assert answer.status_code == 404
    assert answer.mimetype == "application/problem+json"


def test_the_page_of_an_empty_network_says_so(client: FlaskClient, session: Session) -> None:
    """It knows no place to show, and its scripts are told."""
    page = client.get("/?lang=en", headers=bearer(session, Role.CREW)).get_data(as_text=True)
    assert '"extent": null' in page
    assert '"may_record": false' in page
    assert '"import_url": null' in page
    page = client.get("/?lang=en", headers=bearer(session, Role.PLANNER)).get_data(as_text=True)
    assert '"import_url": "/network/imports/"' in page
