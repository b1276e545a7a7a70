"""GeoPackages and shapefiles come and go without loss, and zips do no harm."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

import numpy as np
import pytest
import shapely
from pyogrio import raw

from gis.features import KINDS
from gis.formats import FormatError, read, shapefile, write
from tests.gis.formats import drawing
from tests.gis.formats.drawing import feature, metres, node, pipe

if TYPE_CHECKING:
    from pathlib import Path

    from gis.features import FeatureSet


def town() -> FeatureSet:
    """Draw a network with every property that a table may lose."""
    return drawing.read(
        node("N1", 0),
        pipe(
            "管线/1",
            (0, 0),
            (50, 0),
            length_m=51.25,
            roughness_mm=0.1,
            laid_on="1998-05",
            one_way=True,
            zone="东",
            名字={"a": [1, None, "<b>"]},
            **{"class": "transmission"},
        ),
        pipe("P2", (50, 0), (100, 0), (150, 20)),
        feature("valve", "V1", metres(10), operability="inoperable", reachable=False, turns=21.5),
        feature("valve", "V2", [metres(50), metres(51)], last_exercised_on="2020-01-02"),
        feature("control_valve", "K", [metres(50), metres(51)], type="PRV", isolates=True),
        feature("pump", "U", [metres(50), metres(51)], status="closed"),
        feature("source", "S", metres(0), type="tank", volume_m3=500, inflow=False),
        feature("customer", "C1", metres(9), people=0, critical="医院", building_tank_m3=2.5),
        feature("customer", "C2", metres(9), feeds=[{"pipe": "P2"}, {"node": "N1"}]),
        feature("hydrant", "H", metres(9), flow_l_s=15),
        feature("road", "R", [metres(0), metres(9)], one_way=True, name="解放路"),
        feature("depot", "D", metres(0)),
    )


@pytest.mark.parametrize("ending", ["gpkg", "zip", "shp"])
def test_what_is_written_reads_back_the_same(tmp_path: Path, ending: str) -> None:
    """Every property of every kind, Chinese names and unknown properties too."""
    path = tmp_path / f"town.{ending}"
    assert write(path, town()) == []
    again = read(tmp_path / "town_pipe.shp" if ending == "shp" else path)

    for kind in KINDS:
        before = sorted(getattr(town(), kind + "s"), key=lambda f: f.id)
        assert sorted(getattr(again, kind + "s"), key=lambda f: f.id) == before


@pytest.mark.parametrize("ending", ["gpkg", "zip"])
def test_the_same_network_gives_the_same_bytes(tmp_path: Path, ending: str) -> None:
    """No clock is in the file."""
    one, two = tmp_path / f"a.{ending}", tmp_path / f"b.{ending}"
    write(one, town())
    first = one.read_bytes()
    one.rename(two)
    write(one, town())

    assert one.read_bytes() == first


def test_a_text_too_long_for_a_shapefile_is_told(tmp_path: Path) -> None:
    """With the feature whose it is."""
    features = drawing.read(feature("road", "R", [metres(0), metres(9)], name="路" * 100))
    [finding] = write(tmp_path / "n.zip", features)

    assert (finding.code, finding.id) == ("shapefile-text-cut", "R")
    assert read(tmp_path / "n.zip").roads[0].name == "路" * 84


def write_table(
    path: Path, crs: str | None = "EPSG:4326", encoding: str = "UTF-8", **columns: list[object]
) -> None:
    """Write points as another program would."""
    count = len(next(iter(columns.values())))
    at = [(116.3 + row / 1000, 39.9) for row in range(count)]
    if crs == "EPSG:26917":
        at = [(539000.0 + row, 4805000.0) for row in range(count)]
    raw.write(
        path,
        np.array([shapely.to_wkb(shapely.Point(point)) for point in at], dtype=object),
        [
            np.array(values, dtype=object if isinstance(values[0], str) else None)
            for values in columns.values()
        ],
        list(columns),
        geometry_type="Point",
        crs=crs,
        encoding=encoding,
        driver="GPKG" if path.suffix == ".gpkg" else "ESRI Shapefile",
        layer=path.stem,
    )


@pytest.mark.parametrize("encoding", ["UTF-8", "GB18030"])
@pytest.mark.parametrize("has_note", [True, False])
def test_texts_are_read_by_their_note_or_by_what_fits(
    tmp_path: Path,
    encoding: str,
    has_note: bool,  # noqa: FBT001
) -> None:
    """The .cpg file first, then strict UTF-8, then strict GB18030."""
    path = tmp_path / "town_node.shp"
    write_table(path, encoding=encoding, id=["节点亐一", "b"])
    if not has_note:
        path.with_suffix(".cpg").unlink()

    assert [n.id for n in read(path).nodes] == ["节点亐一", "b"]


def test_texts_that_fit_nothing_are_refused(tmp_path: Path) -> None:
    """Rather than shown as other letters."""
    path = tmp_path / "town_node.shp"
    write_table(path, encoding="ISO-8859-1", id=["caf\xe9", "b"])
    path.with_suffix(".cpg").unlink()
    with pytest.raises(FormatError) as caught:
        read(path)

    assert caught.value.findings[0].code == "text-encoding"


def test_numbers_and_shortened_names_of_other_programs_are_understood(tmp_path: Path) -> None:
    """Ids as numbers, flags as 0 and 1, names cut after ten letters."""
    write_table(
        tmp_path / "customer.shp",
        id=[1, 2],
        building_t=["2.5", "3"],
        properties=[4.0, 5.0],
        node=[7, 8],
    )
    features = read(tmp_path / "customer.shp")

    assert [c.id for c in features.customers] == ["1", "2"]
    assert [c.building_tank_m3 for c in features.customers] == [2.5, 3]
    assert [(c.properties, c.node) for c in features.customers] == [(4, "7"), (5, "8")]


def test_a_coordinate_system_in_the_file_is_followed(tmp_path: Path) -> None:
    """And the one given explicitly before it."""
    for name in ("node.gpkg", "node.shp"):
        write_table(tmp_path / name, crs="EPSG:26917", id=["a"])
        lon, lat = read(tmp_path / name).nodes[0].geometry[0]
        assert (round(lon, 2), round(lat, 2)) == (-80.52, 43.4)
    (tmp_path / "node.prj").unlink()
    with pytest.raises(FormatError, match="--crs"):
        read(tmp_path / "node.shp")
    assert read(tmp_path / "node.shp", crs="EPSG:26917").nodes


def test_old_chinese_systems_in_a_file_are_refused(tmp_path: Path) -> None:
    """By the name in the .prj file."""
    write_table(tmp_path / "node.shp", crs="EPSG:4610", id=["a"])
    with pytest.raises(FormatError) as caught:
        read(tmp_path / "node.shp")

    assert caught.value.findings[0].code == "crs-needs-parameters"


def test_layers_of_other_kinds_are_counted_and_skipped(tmp_path: Path) -> None:
    """As features of unknown kinds are."""
    write_table(tmp_path / "manhole.gpkg", id=["a", "b"])

    assert read(tmp_path / "manhole.gpkg").skipped == {"manhole": 2}


@pytest.mark.parametrize("name", ["n.gpkg", "n.shp", "n.zip"])
def test_rubbish_is_refused_by_the_name_of_the_file(tmp_path: Path, name: str) -> None:
    """And without the folders of this machine."""
    path = tmp_path / name
    path.write_bytes(b"rubbish" * 100)
    with pytest.raises(FormatError) as caught:
        read(path)

    assert "n." in str(caught.value)
    assert str(tmp_path) not in str(caught.value)


def test_a_file_of_another_format_is_not_followed(tmp_path: Path) -> None:
    """A list of sources under our ending would lead to other files, or into the network."""
    write_table(tmp_path / "secret.gpkg", id=["a"])
    for name in ("n.gpkg", "node.shp"):
        (tmp_path / name).write_text(
            "<OGRVRTDataSource><OGRVRTLayer name='node'>"
            f"<SrcDataSource>{tmp_path}/secret.gpkg</SrcDataSource><SrcLayer>secret</SrcLayer>"
            "</OGRVRTLayer></OGRVRTDataSource>"
        )
        with pytest.raises(FormatError) as caught:
            read(tmp_path / name)
        assert caught.value.findings[0].code == "file-of-another-format"


# --- zips ---


def refused(path: Path) -> str:
    """Give the code for which a zip is refused."""
    with pytest.raises(FormatError) as caught:
        read(path)
    return caught.value.findings[0].code


def test_a_zip_that_unpacks_to_gigabytes_is_refused(tmp_path: Path) -> None:
    """By what it says, before anything is unpacked."""
    path = tmp_path / "bomb.zip"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("node.shp", "w") as inside,
    ):
        for _ in range(60):
            inside.write(bytes(1 << 20))

    assert refused(path) == "zip-too-large"


def test_a_zip_that_lies_about_its_size_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bytes are counted as they come out."""
    monkeypatch.setattr(shapefile, "LARGEST_UNPACKED", 1_000_000)
    path = tmp_path / "liar.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("node.shp", bytes(5_000_000))
    data = path.read_bytes().replace((5_000_000).to_bytes(4, "little"), (9).to_bytes(4, "little"))
    path.write_bytes(data)

    assert refused(path) in {"zip-too-large", "zip-broken"}


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("../../node.shp", "zip-name-wrong"),
        ("/etc/node.shp", "zip-name-wrong"),
        ("a\\..\\..\\node.shp", "zip-name-wrong"),
        ("C:/node.shp", "zip-name-wrong"),
        ("inner.zip", "zip-nested"),
        ("readme.txt", "zip-no-shapefile"),
    ],
)
def test_a_zip_with_a_wrong_name_in_it_is_refused(tmp_path: Path, name: str, code: str) -> None:
    """Nothing is written outside of the folder made for it."""
    path = tmp_path / "n.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, b"x")

    assert refused(path) == code


def test_a_zip_with_thousands_of_files_is_refused(tmp_path: Path) -> None:
    """A network needs fifty."""
    path = tmp_path / "n.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(1001):
            archive.writestr(f"{number}.shp", b"")

    assert refused(path) == "zip-too-many"


def test_shapefiles_in_a_folder_of_a_zip_are_found(tmp_path: Path) -> None:
    """Whatever the case of their endings."""
    write_table(tmp_path / "node.shp", id=["节点"])
    path = tmp_path / "n.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for ending in ("shp", "shx", "dbf", "cpg"):
            archive.write(tmp_path / f"node.{ending}", f"数据/NODE.{ending.upper()}")

    assert [n.id for n in read(path).nodes] == ["节点"]
