"""Packs: what a tablet fetches of its district, in pieces, and what it learns afterwards."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import math
from typing import TYPE_CHECKING, Any

import pytest
from pmtiles.reader import MemorySource, Reader
from sqlalchemy import text

from fieldops.access import Person, Role
from fieldops.devices.service import sign_in as sign_in_on_tablet
from fieldops.errors import ConflictError, FieldopsError
from fieldops.network.service import FactsWish, change_valve_facts
from fieldops.network_files.service import import_features
from fieldops.packs import service
from fieldops.packs.queries import WHOLE
from gis.formats.geojson import parse_geojson
from gis.formats.pack import read_pack
from tests.fieldops.maps.test_tiles import feature
from tests.people import bearer, make_person, sign_in

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from flask.testing import FlaskClient
    from sqlalchemy.orm import Session

    from fieldops.settings import Settings
    from gis.formats.pack import Pack

NOW = dt.datetime(2026, 7, 1, 8, 0, tzinfo=dt.UTC)
TOWN = [
    feature("pipe", "P1", 0, 100, diameter_mm=200, zone="west", material="DI", laid_on="1998"),
    feature("pipe", "P2", 100, 200, diameter_mm=150, zone="west"),
    feature("pipe", "P3", 200, 300, diameter_mm=100, zone="east"),
    feature("pipe", "P4", 300, 400, diameter_mm=100, zone="east"),
    feature("valve", "V1", 30, pipe="P1", turns=22, closes="anticlockwise", boundary=True),
    feature("valve", "V2", 60, pipe="P1", position="closed"),
    feature("valve", "V3", 250, pipe="P3", diameter_mm=80, valve_type="gate"),
    feature("valve", "V4", 350, pipe="P4"),
    feature("pipe", "P5", 400, 500, diameter_mm=100, zone="east"),
    feature("valve", "V5", 450, pipe="P5"),
    feature("source", "S1", 0, type="well", name="水厂"),
    feature("source", "S2", 500, type="reservoir"),
    feature("customer", "C1", 150, pipe="P2", properties=12, critical="hospital", name="王"),
    feature("customer", "C2", 260, pipe="P3", properties=3),
    feature("hydrant", "H1", 180, pipe="P2"),
    feature("road", "R1", 0, 400, name="澄溪路"),
]


@pytest.fixture
def town(session: Session) -> Session:
    """Import a street of four pipes, with a source at either end."""
    collection = json.dumps({"type": "FeatureCollection", "features": TOWN})
    import_features(session, parse_geojson(collection.encode()), by="test")
    session.commit()
    number_edits(session)
    return session


@pytest.fixture
def folder(settings: Settings) -> Path:
    """Give where packs lie."""
    return service.packs_folder(settings)


@pytest.fixture
def baked(
    town: Session, folder: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], Pack]:
    """Make packs, and read the topology of one; they are drawn only where a test asks for that."""
    if "drawing" not in request.node.name:
        monkeypatch.setattr(service, "_draw", lambda *_: b"drawn")

    def bake(district: str = WHOLE) -> Pack:
        service.bake(town, folder, NOW, asked=district)
        town.commit()
        return topology_of(town, folder, district)

    return bake


def topology_of(session: Session, folder: Path, district: str) -> Pack:
    """Read the topology of the last pack."""
    offer = service.open_pack(session, folder, district)
    assert offer.pack is not None
    name = next(each["name"] for each in offer.pack.files if each["kind"] == "topology")
    return read_pack(service.find_file(session, folder, district, name)[0].read_bytes())


def column(pack: Pack, name: str, of: str) -> dict[str, Any]:
    """Give a column by the id of its row."""
    values = pack.texts[name] if name in pack.texts else pack.arrays[name].tolist()
    return dict(zip(pack.texts[f"{of}_id"], values, strict=True))


def add_west(session: Session) -> str:
    """Add a district around the west of the street."""
    made = service.add_district(session, "城西", zone="west", geojson=None, by="test", now=NOW)
    session.commit()
    return made


def test_a_pack_tells_what_people_know_of_things(baked: Callable[..., Pack]) -> None:
    """Ids, places, turns and widths stand in the row of their thing; what is unknown is unknown."""
    pack = baked()

    assert set(pack.texts["pipe_id"]) == {"P1", "P2", "P3", "P4", "P5"}
    assert column(pack, "pipe_material", "pipe")["P1"] == "DI"
    assert column(pack, "pipe_material", "pipe")["P2"] == ""
    turns = column(pack, "device_turns", "device")
    assert turns["V1"] == 22
    assert math.isnan(turns["V2"])
    assert column(pack, "device_closes", "device") == dict.fromkeys(turns, 0) | {"V1": 2}
    # A valve without a width of its own is as wide as its pipe.
    widths = column(pack, "device_diameter_mm", "device")
    assert widths == {"V1": 200, "V2": 200, "V3": 80, "V4": 100, "V5": 100}
    assert column(pack, "device_boundary", "device")["V1"] == 1
    assert column(pack, "device_position", "device") == dict.fromkeys(turns, 0) | {"V2": 1}
    assert column(pack, "device_is_assumed", "device")["V2"] == 0
    assert pack.texts["premises_critical"] == ["hospital", ""]
    assert pack.about["has_sources"] is True


def test_nothing_of_a_customers_name_is_in_drawing_or_topology(
    baked: Callable[..., Pack], folder: Path
) -> None:
    """A tablet can be lost."""
    baked()
    assert not [path for path in folder.iterdir() if "王".encode() in path.read_bytes()]


def test_the_drawing_holds_the_street(
    town: Session, folder: Path, baked: Callable[..., Pack]
) -> None:
    """It is a PMTiles file down to zoom 16, with the layers of the map."""
    baked()
    offer = service.open_pack(town, folder, WHOLE)
    assert offer.pack is not None
    drawing = next(each for each in offer.pack.files if each["kind"] == "drawing")
    data = service.find_file(town, folder, WHOLE, drawing["name"])[0].read_bytes()
    reader = Reader(MemorySource(data))  # type: ignore[no-untyped-call]

    assert len(data) == drawing["bytes"]
    assert hashlib.sha256(data).hexdigest() == drawing["sha256"]
    header = reader.header()  # type: ignore[no-untyped-call]
    metadata = reader.metadata()  # type: ignore[no-untyped-call]
    assert header["max_zoom"] == service.DEEPEST_ZOOM
    layers = {layer["id"] for layer in metadata["vector_layers"]}
    assert layers == {"pipes", "valves", "sources", "hydrants", "roads", "customers"}


def test_a_district_holds_its_own_and_what_leads_out(
    town: Session, baked: Callable[..., Pack]
) -> None:
    """Blocks are kept whole, so P4 belongs to the west as far as its valve."""
    west = add_west(town)
    pack = baked(west)

    assert set(pack.texts["pipe_id"]) == {"P1", "P2", "P3", "P4"}
    assert set(pack.texts["device_id"]) == {"V1", "V2", "V3", "V4"}
    assert column(pack, "edge_is_pack_edge", "device") == {"V1": 0, "V2": 0, "V3": 0, "V4": 1}
    assert pack.texts["source_id"] == ["S1"]
    assert pack.about["name"] == "城西"
    # What is beyond V4 has its water from the other source.
    assert sorted(pack.arrays["block_beyond"].tolist()) == [0, 0, 0, 0, 2]


def test_a_pack_is_current_until_the_network_is_drawn_anew(
    town: Session, folder: Path, baked: Callable[..., Pack]
) -> None:
    """A new pipe makes it old; a closed valve does not; the old one stays until then."""
    baked()
    change_valve_facts(town, "V4", FactsWish(position="closed"), by="test", now=NOW)
    town.commit()
    number_edits(town)
    assert service.open_pack(town, folder, WHOLE).is_current

    town.execute(text("UPDATE pipe SET diameter_mm = 300 WHERE id = 'P4'"))
    town.commit()
    number_edits(town)
    offer = service.open_pack(town, folder, WHOLE)
    assert not offer.is_current
    assert offer.pack is not None
    before = offer.pack.geometry_revision
    drawn_at = NOW  # The clock of the last edit that was told one.
    assert not service.is_due(town, drawn_at + dt.timedelta(seconds=10))
    assert service.is_due(town, drawn_at + dt.timedelta(seconds=40))
    # Somebody who goes on drawing does not hold it up for ever.
    town.execute(text("UPDATE network_edit SET at = at - interval '11 minutes'"))
    town.execute(text("UPDATE pipe SET diameter_mm = 200 WHERE id = 'P4'"))
    town.commit()
    number_edits(town)
    assert service.is_due(town, drawn_at + dt.timedelta(seconds=10))
    assert column(baked(), "pipe_diameter_mm", "pipe")["P4"] == 200
    after = service.open_pack(town, folder, WHOLE).pack
    assert after is not None
    assert after.geometry_revision > before


def number_edits(session: Session) -> None:
    """Give edits their numbers now, as a commit does that is one."""
    session.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
    session.execute(text("SET CONSTRAINTS ALL DEFERRED"))
    session.execute(text("SELECT set_config('fieldops.edit', '', true)"))
    session.commit()


def test_a_district_drawn_anew_makes_its_pack_old(
    town: Session, folder: Path, baked: Callable[..., Pack]
) -> None:
    """And no other's."""
    west = add_west(town)
    baked(WHOLE)
    shape = {"type": "Polygon", "coordinates": [[[117, 31], [118, 31], [118, 32], [117, 31]]]}
    service.redraw_district(
        town, west, zone=None, geojson=json.dumps(shape), by="test", now=NOW + dt.timedelta(hours=1)
    )
    town.commit()
    assert not service.open_pack(town, folder, west).is_current
    assert service.open_pack(town, folder, WHOLE).is_current


def test_districts_refuse_what_is_no_area(town: Session) -> None:
    """A name twice, a line, a zone that is not there, no JSON at all."""
    add_west(town)
    line = json.dumps({"type": "LineString", "coordinates": [[117, 31], [118, 32]]})
    for zone, geojson in ((None, line), ("north", None), (None, "{"), (None, '{"type":"X"}')):
        with pytest.raises(FieldopsError, match="area"):
            service.add_district(town, "x", zone=zone, geojson=geojson, by="test", now=NOW)
    with pytest.raises(FieldopsError, match="name"):
        service.add_district(town, "  ", zone="west", geojson=None, by="test", now=NOW)
    with pytest.raises(ConflictError):
        service.add_district(town, "城西", zone="east", geojson=None, by="test", now=NOW)


def test_facts_since_a_pack_are_a_short_list(
    town: Session, folder: Path, baked: Callable[..., Pack]
) -> None:
    """Only what changed, only of the district; after more than facts, all that is unusual."""
    west = add_west(town)
    since = baked(west).about["revision"]
    assert service.list_facts(town, folder, west, since)["valves"] == []
    for valve in ("V1", "V5"):
        change_valve_facts(town, valve, FactsWish(position="closed"), by="test", now=NOW)
    town.commit()
    number_edits(town)

    told = service.list_facts(town, folder, west, since)
    assert told["is_whole"] is False
    assert told["revision"] > since
    assert told["valves"] == [
        {
            "kind": "valve",
            "id": "V1",
            "position": "closed",
            "operability": "unknown",
            "reachable": True,
            "is_assumed": False,
        }
    ]
    whole = service.list_facts(town, folder, WHOLE, 0)
    assert whole["is_whole"] is True
    assert {one["id"] for one in whole["valves"]} == {"V1", "V2", "V5"}


def test_a_district_without_a_pack_learns_no_facts_of_the_rest_of_the_town(
    town: Session, folder: Path
) -> None:
    """A tablet carries its own district and no more, also before that has been made."""
    assert service.list_facts(town, folder, WHOLE, 0)["valves"]
    assert service.list_facts(town, folder, add_west(town), 0)["valves"] == []


def test_old_files_are_deleted_and_current_ones_stay(
    town: Session, folder: Path, baked: Callable[..., Pack]
) -> None:
    """A disk must not fill with the drawings of every day."""
    baked()
    before = {path.name for path in folder.glob("*.topology")}
    town.execute(text("UPDATE pipe SET diameter_mm = 300 WHERE id = 'P4'"))
    town.commit()
    number_edits(town)
    later = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=5)
    service.bake(town, folder, later, asked=WHOLE)
    assert len([path for path in folder.glob("*.*") if path.is_file()]) == 2
    assert before
    assert not before & {path.name for path in folder.glob("*.topology")}


def test_a_file_is_fetched_in_pieces_and_goes_on_where_it_was_cut_off(
    town: Session, client: FlaskClient, baked: Callable[..., Pack]
) -> None:
    """Range and If-Range: pieces of one file, never of two."""
    baked()
    headers = bearer(town, "crew")
    offer = client.get("/api/v1/packs/whole", headers=headers).get_json()
    file = next(each for each in offer["files"] if each["kind"] == "topology")
    whole = client.get(file["url"], headers=headers, buffered=True)
    assert whole.status_code == 200
    assert len(whole.data) == file["bytes"]
    assert whole.headers["ETag"] == f'"{file["sha256"]}"'

    half = file["bytes"] // 2
    etag = f'"{file["sha256"]}"'
    rest = client.get(
        file["url"], headers={**headers, "Range": f"bytes={half}-", "If-Range": etag}, buffered=True
    )
    assert rest.status_code == 206
    assert rest.headers["Content-Range"] == f"bytes {half}-{file['bytes'] - 1}/{file['bytes']}"
    assert rest.data == whole.data[half:]
    other = client.get(
        file["url"],
        headers={**headers, "Range": f"bytes={half}-", "If-Range": '"another"'},
        buffered=True,
    )
    assert other.status_code == 200
    assert other.data == whole.data
    known = client.get(file["url"], headers={**headers, "If-None-Match": etag}, buffered=True)
    assert known.status_code == 304


def test_a_tablet_gets_the_pack_of_its_own_district_alone(
    town: Session, client: FlaskClient, baked: Callable[..., Pack]
) -> None:
    """It may be lost tomorrow, with all that is on it."""
    west = add_west(town)
    baked(west)
    crew = frozenset({Role.CREW})
    person = Person(id=make_person(town, Role.CREW), name="王芳", roles=crew)
    signed_in = sign_in_on_tablet(
        town, person, name="平板 1", device_id=None, last_token=None, now=dt.datetime.now(dt.UTC)
    )
    town.commit()
    headers = {"Authorization": f"Bearer {signed_in.token}"}
    assert client.get("/api/v1/packs/whole", headers=headers).status_code == 200
    assert client.get(f"/api/v1/packs/{west}", headers=headers).status_code == 403
    town.execute(text("UPDATE device SET district = :west"), {"west": west})
    town.commit()
    offer = client.get(f"/api/v1/packs/{west}", headers=headers)
    assert offer.status_code == 200
    assert client.get("/api/v1/packs/whole", headers=headers).status_code == 403
    assert client.get("/api/v1/packs/whole/facts", headers=headers).status_code == 403
    facts = client.get(f"/api/v1/packs/{west}/facts?since=0", headers=headers).get_json()
    assert {one["id"] for one in facts["valves"]} == {"V2"}


def test_nothing_is_said_to_be_there_before_it_is_made(town: Session, client: FlaskClient) -> None:
    """The first who asks has it made, and is told that it is not there yet."""
    headers = bearer(town, "crew")
    offer = client.get("/api/v1/packs/whole", headers=headers).get_json()
    assert offer["files"] == []
    assert offer["is_current"] is False
    asked = town.execute(
        text("SELECT args FROM procrastinate_jobs WHERE task_name = 'packs.bake'")
    ).scalar_one()
    assert asked["district"] == WHOLE
    assert client.get("/api/v1/packs/nowhere", headers=headers).status_code == 404


def test_only_planners_and_managers_draw_districts(town: Session, client: FlaskClient) -> None:
    """And the page tells them what there is."""
    refused = sign_in(client, town, "crew")
    assert client.post("/packs", data={"name": "x"}, headers=refused).status_code == 403
    token = sign_in(client, town, "planner")
    sent = {"name": "城西", "zone": "west"}
    assert client.post("/packs", data=sent, headers=token).status_code == 302
    page = client.get("/packs").get_data(as_text=True)
    assert "城西" in page
    assert service.list_offers(town)[1].district.name == "城西"
    wrong = client.post("/packs", data={"name": "城东", "geojson": "{"}, headers=token)
    assert wrong.status_code == 400
    assert "城东" in wrong.get_data(as_text=True)
