"""GeoJSON files are read whole or refused with every fault named."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from gis.features import ValveFeature
from gis.formats import ENDINGS, FormatError, read, write
from gis.formats.geojson import parse_geojson, write_geojson
from gis.topology import place
from tests.gis.formats import drawing
from tests.gis.formats.drawing import as_file, errors_of, feature, node, pipe

if TYPE_CHECKING:
    from pathlib import Path

STREET = pipe("P1", (0, 0), (50, 0))


def changed(**properties: object) -> bytes:
    """Write a file with a sound pipe and one that has these properties."""
    return as_file(STREET, pipe("P2", (0, 0), (50, 0), **properties))


def test_properties_that_the_format_does_not_know_are_kept() -> None:
    """Also those that are called like something of ours."""
    odd = {"名字": {"a": [1, None]}, "is_start_guessed": True, "extra": 7, "pipe_class": "x"}
    [read_pipe] = drawing.read(pipe("P", (0, 0), (9, 0), **odd)).pipes

    assert read_pipe.extra == odd
    assert not read_pipe.is_start_guessed
    assert read_pipe.pipe_class == "distribution"


@pytest.mark.parametrize(
    ("properties", "code"),
    [
        ({"diameter_mm": None}, "property-missing"),
        ({"diameter_mm": 0}, "property-out-of-range"),
        ({"diameter_mm": "150"}, "property-not-number"),
        ({"diameter_mm": True}, "property-not-number"),
        ({"length_m": -1}, "property-out-of-range"),
        ({"one_way": "true"}, "property-not-boolean"),
        ({"one_way": 1}, "property-not-boolean"),
        ({"class": "sewer"}, "property-not-one-of"),
        ({"material": 7}, "property-not-text"),
        ({"laid_on": "1998-13"}, "property-not-date"),
        ({"laid_on": "1998-02-30"}, "property-not-date"),
    ],
)
def test_a_wrong_property_is_named_with_its_feature(properties: dict[str, Any], code: str) -> None:
    """The finding says which feature, which property and what stands there."""
    [error] = errors_of(changed(**properties))

    assert (error.code, error.kind, error.id, error.index) == (code, "pipe", "P2", 1)
    assert error.params["property"] == next(iter(properties))
    assert "P2" in error.text()


@pytest.mark.parametrize("day", ["1998", "1998-05", "1998-05-01"])
def test_a_day_may_be_known_to_the_year_only(day: str) -> None:
    """All three forms of the format stay as they are."""
    assert drawing.read(pipe("P", (0, 0), (9, 0), laid_on=day)).pipes[0].laid_on == day


def test_all_faults_of_a_file_are_told_at_once() -> None:
    """At most a thousand a code are listed, and all are counted."""
    broken = [pipe(f"P{n}", (0, 0), (9, 0), diameter_mm=0) for n in range(1200)]
    with pytest.raises(FormatError) as caught:
        parse_geojson(as_file(*broken, feature("node", "", (0, 0))))

    report = caught.value.report
    assert report.total("error") == 1201
    assert len(report.errors) == 1001


@pytest.mark.parametrize(
    ("at", "code"),
    [
        ([], "coordinates-wrong"),
        ([1], "coordinates-wrong"),
        ([None, 1], "coordinates-wrong"),
        (["1", "2"], "coordinates-wrong"),
        ([439000.0, 4400000.0], "coordinates-out-of-range"),
        ([181, 0], "coordinates-out-of-range"),
    ],
)
def test_coordinates_must_be_degrees(at: list[Any], code: str) -> None:
    """Metres are told from degrees, with what to do about it."""
    errors = errors_of(as_file(STREET, feature("node", "N", at)))

    assert {(error.code, error.id) for error in errors} == {(code, "N")}


@pytest.mark.parametrize("shape", ["Point", "Polygon", "MultiLineString", None, 5])
def test_a_pipe_is_a_line(shape: object) -> None:
    """Anything else is refused by the pipe's name."""
    wrong = pipe("P2", (0, 0), (9, 0))
    wrong["geometry"]["type"] = shape

    [error] = errors_of(as_file(STREET, wrong))
    assert error.code in {"geometry-type", "geometry-missing"}
    assert error.id == "P2"


def test_a_line_of_one_part_and_heights_are_taken_as_lines_and_places() -> None:
    """Desktop programs write both."""
    multi = pipe("P", (0, 0), (9, 0))
    line = [[*point, 40.5] for point in multi["geometry"]["coordinates"]]
    multi["geometry"] = {"type": "MultiLineString", "coordinates": [line]}

    [read_pipe] = drawing.read(multi).pipes
    assert read_pipe.geometry == [drawing.metres(0), drawing.metres(9)]


def test_a_number_serves_as_an_id_and_is_reported() -> None:
    """References by number find it."""
    features = drawing.read(
        feature("node", 12, (0, 0)), pipe("P", (0, 0), (9, 0), start_node=12, end_node=12)
    )

    assert features.nodes[0].id == features.pipes[0].start_node == "12"
    assert [finding.code for finding in features.remarks] == ["id-was-a-number"]


@pytest.mark.parametrize("name", ["", " ", "a\nb", "x" * 201, None, 1.5, True, [], "a\u2028b"])
def test_an_id_is_text_of_one_line(name: object) -> None:
    """What could not be typed or printed as one is refused by its place in the file."""
    [error] = errors_of(as_file(STREET, feature("node", name, (0, 0))))

    assert error.code in {"id-wrong", "id-missing"}
    assert error.index == 1


@pytest.mark.parametrize("name", ["管线/一号", "=1+1", "<b>&amp;", 'O\'Brien "x"', "a%20b", "𠮷"])
def test_any_text_of_one_line_is_an_id(name: str) -> None:
    """It comes back as it was."""
    assert drawing.read(feature("node", name, (0, 0))).nodes[0].id == name


def test_unknown_kinds_are_counted_and_skipped() -> None:
    """The rest is read."""
    features = drawing.read(
        STREET, feature("manhole", "M1", (0, 0)), feature("manhole", "M2", (0, 0))
    )

    assert features.skipped == {"manhole": 2}
    assert len(features.pipes) == 1
    assert "2 features of kind manhole" in str(next(iter(features.remarks)))


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        ("NaN", "json-not-a-number"),
        ("-Infinity", "json-not-a-number"),
        ("1e999", "property-out-of-range"),
        ("9" * 5000, "property-out-of-range"),
        ("[" * 100_000, "json-too-deep"),
        ("[" * 100_000 + "]" * 100_000, "json-too-deep"),
        ('1, "remark": 2', "key-twice"),
        ('"a\\u0000b"', "text-wrong"),
        ('"\\ud800"', "json-broken"),
        ("tru", "json-broken"),
    ],
)
def test_what_is_no_json_is_told_with_its_place(raw: str, code: str) -> None:
    """Some feature near it is named, or its line."""
    data = changed(remark="@").replace(b'"@"', raw.encode())

    errors = errors_of(data)
    assert [error.code for error in errors] == [code]
    assert errors[0].id == "P2" or "near" in errors[0].params


def test_a_file_cut_short_is_told_apart_from_a_broken_one() -> None:
    """The last feature that is still in it is named."""
    [error] = errors_of(changed()[:-12])

    assert error.code == "json-truncated"
    assert "P2" in str(error.params["near"])


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_other_forms_of_unicode_are_read(encoding: str) -> None:
    """Windows programs write them."""
    text = json.dumps(
        {"type": "FeatureCollection", "features": [feature("node", "节点", (0, 0))]},
        ensure_ascii=False,
    )

    assert parse_geojson(text.encode(encoding)).nodes[0].id == "节点"


def test_text_that_is_no_unicode_is_refused_by_its_feature() -> None:
    """GB18030 cannot be told from others by a machine."""
    text = json.dumps(
        {"type": "FeatureCollection", "features": [STREET, feature("node", "节点", (0, 0))]},
        ensure_ascii=False,
    )
    [error] = errors_of(text.encode("gb18030"))

    assert (error.code, error.kind) == ("json-encoding", "node")


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b"null", b'{"type":"FeatureCollection"}'])
def test_a_file_that_is_something_else_is_refused(data: bytes) -> None:
    """With one sentence about the whole."""
    assert errors_of(data)[0].code in {"file-empty", "not-a-feature-collection"}


def test_a_feature_that_is_null_is_refused() -> None:
    """It is not passed over."""
    assert [error.index for error in errors_of(as_file(STREET, None))] == [1]


@pytest.mark.parametrize(
    "feeds", [{}, "P1", [1], [{}], [{"pipe": [1]}], [{"pipe": "P1", "node": "N"}]]
)
def test_feeds_name_one_place_each(feeds: object) -> None:
    """Anything else is refused by the customer's name."""
    [error] = errors_of(as_file(STREET, feature("customer", "C", (0, 0), feeds=feeds)))

    assert (error.kind, error.id, error.params["property"]) == ("customer", "C", "feeds")


def test_other_coordinate_systems_only_when_asked_for() -> None:
    """A file that names one is refused, and read when it is named to us."""
    at = [539000.0, 4805000.0]
    file = {
        "type": "FeatureCollection",
        "crs": {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::26917"}},
        "features": [feature("node", "N", at)],
    }
    data = json.dumps(file).encode()

    assert errors_of(data)[0].code == "crs-named"
    lon, lat = parse_geojson(data, crs="EPSG:26917").nodes[0].geometry[0]
    assert (round(lon, 2), round(lat, 2)) == (-80.52, 43.4)


@pytest.mark.parametrize("crs", ["EPSG:2334", "EPSG:4610", "EPSG:4214", "EPSG:2414"])
def test_old_chinese_systems_are_refused_without_parameters(crs: str) -> None:
    """The library would shift them by nothing and be a hundred metres wrong."""
    with pytest.raises(FormatError) as caught:
        parse_geojson(as_file(STREET), crs=crs)

    assert caught.value.findings[0].code == "crs-needs-parameters"


def test_old_chinese_systems_are_read_with_parameters() -> None:
    """The parameters of the survey stand in the definition."""
    crs = "+proj=longlat +ellps=krass +towgs84=15.8,-154.4,-82.3,0,0,0,0 +type=crs"
    data = as_file(feature("node", "N", [116.3, 39.9]))

    lon, lat = parse_geojson(data, crs=crs).nodes[0].geometry[0]
    assert 1e-5 < abs(lon - 116.3) + abs(lat - 39.9) < 5e-3


def test_an_unknown_coordinate_system_is_told() -> None:
    """By what was given."""
    with pytest.raises(FormatError, match="EPSG:999999"):
        parse_geojson(as_file(STREET), crs="EPSG:999999")


def test_what_is_written_reads_back_the_same(tmp_path: Path) -> None:
    """And guesses again what was guessed before."""
    given = [
        *[node(f"N{x}", x) for x in (0, 50)],
        pipe("P1", (0, 0), (50, 0), **{"class": "service", "zone": "东", "length_m": 51.5}),
        feature("valve", "V1", drawing.metres(10), turns=21.5, note=[1, {"a": None}]),
        feature("valve", "V2", [drawing.metres(50), drawing.metres(50.2)], position="closed"),
        feature("customer", "C1", drawing.metres(20, 5), critical="hospital", properties=3),
        feature("source", "S", drawing.metres(0), type="tank", inflow=False),
        feature("road", "R", [drawing.metres(0), drawing.metres(50)], name="解放路"),
    ]
    first, second = tmp_path / "first.geojson", tmp_path / "second.geojson"
    placed = place(drawing.read(*given))
    write_geojson(first, drawing.read(*given))
    again = read(first)
    write_geojson(second, again)
    replaced = place(again)

    assert first.read_bytes() == second.read_bytes()
    assert replaced.report.counts == placed.report.counts
    assert [valve.at_m for valve in replaced.valves] == [valve.at_m for valve in placed.valves]


def test_guesses_are_not_written_as_facts(tmp_path: Path) -> None:
    """So the next reader of the file is told of them too."""
    features = drawing.read(pipe("P1", (0, 0), (50, 0)), feature("valve", "V", drawing.metres(9)))
    place(features)
    write_geojson(tmp_path / "n.geojson", features)

    written = {
        f["properties"]["id"]: f
        for f in json.loads((tmp_path / "n.geojson").read_text())["features"]
    }
    assert written["V"]["properties"].keys() & {"pipe", "position", "at_m"} == set()
    assert written["P1"]["properties"].keys() & {"start_node", "length_m"} == set()


def test_an_unknown_ending_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    """For reading and for writing."""
    with pytest.raises(FormatError, match=r"\.geojson") as caught:
        read(tmp_path / "network.docx")
    with pytest.raises(FormatError):
        write(tmp_path / "network.docx", drawing.read(STREET))

    assert all(ending in str(caught.value) for ending in ENDINGS)


def test_a_file_that_is_not_there_is_told_by_its_name(tmp_path: Path) -> None:
    """And not by the folders of this machine."""
    with pytest.raises(FormatError, match=r"no file there\.geojson") as caught:
        read(tmp_path / "there.geojson")

    assert str(tmp_path) not in str(caught.value)


def test_progress_is_told() -> None:
    """At the beginning and at the end."""
    told: list[tuple[int, int]] = []
    parse_geojson(as_file(STREET), progress=lambda done, total: told.append((done, total)))

    assert told == [(0, 1), (1, 1)]


def test_features_can_be_made_by_hand() -> None:
    """With the same checks as in a file."""
    assert ValveFeature(id="V", geometry=[(0, 0)]).operability == "unknown"
    with pytest.raises(ValueError, match="position"):
        ValveFeature(id="V", geometry=[(0, 0)], position="ajar")  # type: ignore[arg-type]
