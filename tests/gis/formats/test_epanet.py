"""EPANET models are read with everything that had to be assumed, and written with what is lost."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import wntr

from gis.formats import FormatError, read, write
from gis.topology import place
from tests.gis.formats import drawing

if TYPE_CHECKING:
    from gis.features import FeatureSet
    from gis.findings import Finding

NETWORKS = Path(wntr.__file__).parent / "library/networks"

SMALL = """
[JUNCTIONS]
 J1 10 2
 J2 11 0
 J3 12 -1
[RESERVOIRS]
 R1 50
[TANKS]
 T1 30 2 1 5 10 0
[PIPES]
 P1 R1 J1 1000 300 100 0 Open
 P2 J1 J2 500 200 100 0 CV
 P3 J2 T1 500 200 100 0 Closed
[PUMPS]
 U1 J1 J3 POWER 5
[VALVES]
 V1 J2 J3 150 PRV 30 0
 V2 J2 J3 150 GPV 1 0
[CURVES]
 1 1 1
 1 2 4
[STATUS]
 U1 Closed
[CONTROLS]
 LINK P3 OPEN AT TIME 5
[OPTIONS]
 Units LPS
 Demand Multiplier 1.5
[COORDINATES]
 R1 0 0
 J1 1000 0
 J2 1000 500
 J3 1500 500
 T1 1000 1000
"""


def parse(tmp_path: Path, text: str | bytes, **options: str) -> FeatureSet:
    """Read a model from its text."""
    path = tmp_path / "model.inp"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read(path, **options)  # type: ignore[arg-type]


def faults(tmp_path: Path, text: str) -> list[Finding]:
    """Give what a model is refused for."""
    with pytest.raises(FormatError) as caught:
        parse(tmp_path, text)
    return caught.value.findings


def test_links_become_what_they_are(tmp_path: Path) -> None:
    """A check valve is a one-way pipe; a closed pipe and a stopped pump stay so."""
    features = parse(tmp_path, SMALL)

    assert [(p.id, p.status, p.one_way, p.length_m, p.diameter_mm) for p in features.pipes] == [
        ("P1", "open", False, 1000, 300),
        ("P2", "open", True, 500, 200),
        ("P3", "closed", False, 500, 200),
    ]
    assert [(u.id, u.status) for u in features.pumps] == [("U1", "closed")]
    assert [(v.id, v.type, v.extra.get("epanet_type")) for v in features.control_valves] == [
        ("V1", "PRV", None),
        ("V2", None, "GPV"),
    ]


def test_reservoirs_and_tanks_become_sources(tmp_path: Path) -> None:
    """A tank holds what lies between its lowest and highest level."""
    sources = {source.id: source for source in parse(tmp_path, SMALL).sources}

    assert (sources["R1"].type, sources["R1"].head_m) == ("reservoir", 50)
    assert sources["T1"].type == "tank"
    assert sources["T1"].volume_m3 == pytest.approx(3.14159 / 4 * 100 * 4, abs=0.01)


def test_each_junction_with_demand_becomes_a_customer_and_that_is_said(tmp_path: Path) -> None:
    """Demand counts its multiplier; water that comes in is no customer."""
    features = parse(tmp_path, SMALL)

    [customer] = features.customers
    assert (customer.node, customer.properties, customer.people) == ("J1", 1, None)
    assert customer.demand_l_per_property_day == pytest.approx(2 * 1.5 * 86_400)
    assert customer.extra["assumed"]
    found = {finding.code: finding for finding in features.remarks}
    assert found["inp-customers-assumed"].params["count"] == 1
    assert found["inp-junction-supplies"].id == "J3"
    assert found["inp-controls-left-out"].params["count"] == 1


def test_valves_are_assumed_only_when_asked_for(tmp_path: Path) -> None:
    """Each says of itself that it is assumed."""
    features = parse(tmp_path, SMALL, valves="ends")

    assert parse(tmp_path, SMALL).valves == []
    assert sorted(valve.id for valve in features.valves)[:2] == ["P1@end", "P1@start"]
    assert all(valve.extra == {"assumed_layer": True} for valve in features.valves)
    assert "inp-valves-assumed" in {finding.code for finding in features.remarks}
    placed = {valve.id: valve.at_m for valve in place(features).valves}
    assert (placed["P2@start"], placed["P2@end"]) == (0, 500)


def test_coordinates_that_are_no_degrees_are_drawn_to_scale_and_that_is_said(
    tmp_path: Path,
) -> None:
    """Lines on the map are as long as pipes."""
    features = parse(tmp_path, SMALL)
    place(features)

    assert "inp-drawn-locally" in {finding.code for finding in features.remarks}
    assert max(abs(lon) for pipe in features.pipes for lon, _ in pipe.geometry) < 0.01
    drawn = drawing.read()
    drawn.pipes = features.pipes
    for pipe in drawn.pipes:
        pipe.is_length_measured = True
    assert [p.length_m for p in place(drawn).pipes] == pytest.approx([1000, 500, 500], rel=1e-3)


def test_coordinates_that_fit_as_degrees_are_degrees(tmp_path: Path) -> None:
    """Where lengths agree with the drawing."""
    text = SMALL.replace("R1 0 0", "R1 116.3 39.9").replace("J1 1000 0", "J1 116.3117 39.9")
    text = text.replace("J2 1000 500", "J2 116.3117 39.9045")
    text = text.replace("J3 1500 500", "J3 116.32 39.9045")
    text = text.replace("T1 1000 1000", "T1 116.3117 39.909")
    features = parse(tmp_path, text)

    assert "inp-drawn-locally" not in {finding.code for finding in features.remarks}
    assert features.sources[0].geometry == [(116.3, 39.9)]


def test_a_named_coordinate_system_is_used(tmp_path: Path) -> None:
    """Nothing is drawn locally then."""
    text = SMALL.replace("R1 0 0", "R1 539000 4805000").replace("J1 1000 0", "J1 540000 4805000")
    features = parse(tmp_path, text, crs="EPSG:26917")

    assert "inp-drawn-locally" not in {finding.code for finding in features.remarks}
    lon, lat = features.sources[0].geometry[0]
    assert (round(lon, 2), round(lat, 2)) == (-80.52, 43.4)


def test_nodes_without_coordinates_are_drawn_beside_a_neighbour(tmp_path: Path) -> None:
    """And are told."""
    features = parse(tmp_path, SMALL.replace(" J2 1000 500\n", ""))
    places = {node.id: node.geometry for node in features.nodes}

    assert places["J2"] in (places["J1"], places["J3"], places["T1"])
    assert "inp-coordinates-missing" in {finding.code for finding in features.remarks}


@pytest.mark.parametrize(
    ("old", "new", "code", "name"),
    [
        ("P1 R1 J1 1000", "P1 R1 J1 abc", "inp-not-number", "P1"),
        ("P1 R1 J1 1000", "P1 R1 J1 nan", "inp-not-number", "P1"),
        ("P1 R1 J1 1000", "P1 R1 J1 -5", "inp-negative", "P1"),
        ("P1 R1 J1 1000 300", "P1 R1 J1 1000 0", "inp-negative", "P1"),
        ("P1 R1 J1", "P1 nowhere J1", "inp-no-such-node", "P1"),
        ("P1 R1 J1 1000 300 100 0 Open", "P1 R1 J1", "inp-too-short", "P1"),
        ("CV", "Ajar", "inp-not-state", "P2"),
        ("P2 J1", "P1 J1", "inp-twice", "P1"),
        ("J2 11 0", "J1 11 0", "inp-twice", "J1"),
        ("J1 10 2", "J1 10 2 nopattern", "inp-no-such-pattern", "J1"),
        ("T1 30 2 1 5", "T1 30 9 1 5", "inp-tank-levels", "T1"),
        ("POWER 5", "POWER x", "inp-not-number", "U1"),
        ("POWER 5", "HEAD 7", "inp-no-such-pattern", "U1"),
        (" U1 Closed", " U9 Closed", "inp-no-such-link", "U9"),
    ],
)
def test_a_wrong_line_is_named_with_its_number(
    tmp_path: Path, old: str, new: str, code: str, name: str
) -> None:
    """Before EPANET's reader sees it, which would not say whose it is."""
    text = SMALL.replace(old, new, 1)
    found = [error for error in faults(tmp_path, text) if error.code == code]

    assert {error.id for error in found} == {name}
    line = int(str(found[-1].params["line"]))
    assert name in text.splitlines()[line - 1]


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    """In one sentence."""
    assert [error.code for error in faults(tmp_path, "hello\n")] == ["inp-no-nodes"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "gb18030", "utf-16"])
def test_chinese_names_are_read_in_the_encodings_of_chinese_programs(
    tmp_path: Path, encoding: str
) -> None:
    """Strict UTF-8 first, then strict GB18030."""
    text = SMALL.replace("J1", "节点1").replace("P1", "管线1")
    features = parse(tmp_path, text.encode(encoding))

    assert features.pipes[0].id == "管线1"


def test_a_model_written_and_read_is_the_same_model(tmp_path: Path) -> None:
    """Of one that holds nothing else."""
    given = read(NETWORKS / "ky10.inp")
    lost = write(tmp_path / "again.inp", given)
    again = read(tmp_path / "again.inp")

    assert {finding.code for finding in lost} == {"inp-customers-summed", "inp-pump-power"}
    for kind in ("nodes", "pipes", "pumps", "control_valves", "sources", "customers"):
        before = {feature.id: feature for feature in getattr(given, kind)}
        after = {feature.id: feature for feature in getattr(again, kind)}
        assert before.keys() == after.keys()
    lengths = {pipe.id: pipe.length_m for pipe in again.pipes}
    assert [lengths[pipe.id] for pipe in given.pipes] == pytest.approx(
        [pipe.length_m for pipe in given.pipes]
    )
    demands = {node.id: node.demand_m3_day for node in again.nodes if node.demand_m3_day}
    for node in given.nodes:
        if node.demand_m3_day:
            assert demands[node.id] == pytest.approx(node.demand_m3_day, rel=1e-6)


def test_what_a_model_cannot_carry_is_told(tmp_path: Path) -> None:
    """A pipe with a closed valve on it is written closed, a long name short."""
    features = drawing.read(
        drawing.pipe("管 " * 20, (0, 0), (50, 0)),
        drawing.feature("valve", "V", drawing.metres(5), position="closed"),
        drawing.feature("hydrant", "H", drawing.metres(5)),
        drawing.feature("source", "S", drawing.metres(0), head_m=40),
    )
    lost = {finding.code for finding in write(tmp_path / "n.inp", features)}
    [pipe] = read(tmp_path / "n.inp").pipes

    assert lost == {"inp-lost", "inp-renamed"}
    assert pipe.status == "closed"
    assert len(pipe.id.encode()) <= 31
