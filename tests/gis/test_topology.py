"""Every feature finds its place, and what was guessed or is wrong is told."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Geod

from gis.formats import read as read_file
from gis.lines import Lines, distances_m
from gis.topology import PlacementError, cuts_m, network_of, place
from gis.world import World
from tests.gis.formats.drawing import feature, metres, node, pipe, read

if TYPE_CHECKING:
    from gis.findings import Finding
    from gis.topology import Placement


def lay(*features: Any, snap_m: float = 0.5) -> Placement:  # noqa: ANN401
    """Place features drawn by hand."""
    return place(read(*features), snap_m=snap_m)


def told(placement: Placement, code: str) -> list[Finding]:
    """Give the findings of one code."""
    return [finding for finding in placement.report if finding.code == code]


def codes(placement: Placement) -> set[str]:
    """Name everything that was found."""
    return {finding.code for finding in placement.report}


WORKS = feature("source", "works", metres(0))
STREET = (pipe("P1", (0, 0), (50, 0)), pipe("P2", (50, 0), (100, 0)), WORKS)


def test_ends_that_meet_get_a_node_named_by_its_place() -> None:
    """The same file makes the same node again."""
    one, two = lay(*STREET), lay(*reversed(STREET))

    assert one.pipes[0].end_node == one.pipes[1].start_node == "made-0.0004492_0.0000000"
    assert {n.id for n in one.nodes} == {n.id for n in two.nodes}
    assert all(n.is_made for n in one.nodes)
    assert {finding.params["ends"] for finding in told(one, "node-made")} == {1, 2}


def test_ends_within_the_snap_distance_of_a_node_are_joined_to_the_nearest() -> None:
    """Each join that moved something is told with its distance."""
    placement = lay(node("A", 0), node("B", 50.4), node("B2", 50.6), *STREET)

    assert placement.pipes[0].end_node == "B"
    assert [finding.params["distance_m"] for finding in told(placement, "end-snapped")] == [0.4] * 2
    assert not any(end.params["node"] == "A" for end in told(placement, "end-snapped"))


def test_an_end_beyond_the_snap_distance_is_not_joined() -> None:
    """Half a metre by default."""
    placement = lay(node("B", 50.6), *STREET)

    assert placement.pipes[0].end_node != "B"
    assert [finding.id for finding in told(placement, "node-alone")] == ["B"]


def test_of_two_nodes_at_one_place_the_lower_id_is_taken() -> None:
    """Whatever their order in the file."""
    for names in ("ab", "ba"):
        placement = lay(*(node(name, 50) for name in names), *STREET)
        assert placement.pipes[0].end_node == "a"


def test_an_end_on_the_middle_of_another_pipe_is_told_and_not_joined() -> None:
    """Neither within the snap distance nor exactly."""
    for y in (0, 0.3):
        placement = lay(*STREET, pipe("T", (25, y), (25, 40)))
        [finding] = told(placement, "end-on-pipe")

        assert (finding.id, finding.params) == ("T", {"end": "start", "pipe": "P1"})
        assert len({*placement.pipe_ends[2].tolist()} & {*placement.pipe_ends[0].tolist()}) == 0
        assert told(placement, "island-without-source")
        assert not told(placement, "pipe-crossing")


def test_pipes_that_cross_without_a_node_are_told_once_with_the_place() -> None:
    """And not when they meet at a node there."""
    placement = lay(*STREET, pipe("X", (20, -10), (20, 10)))
    [finding] = told(placement, "pipe-crossing")

    assert (finding.id, finding.params["pipe"]) == ("P1", "X")
    assert (finding.lon, finding.lat) == pytest.approx(metres(20))
    assert not told(lay(*STREET, pipe("Y", (50, 0), (50, 9))), "pipe-crossing")


def test_an_unknown_reference_refuses_the_file() -> None:
    """The finding says who names what; no network can be made."""
    placement = lay(*STREET, pipe("P3", (100, 0), (150, 0), end_node="nowhere"))
    [finding] = told(placement, "reference-unknown")

    assert (finding.severity, finding.id, finding.params["value"]) == ("error", "P3", "nowhere")
    with pytest.raises(PlacementError, match="nowhere"):
        network_of(placement)


@pytest.mark.parametrize(
    "lost",
    [
        feature("valve", "V", metres(5), pipe="nowhere"),
        feature("source", "S", metres(5), node="nowhere"),
        feature("customer", "C", metres(5), node="nowhere"),
        feature("customer", "C", metres(5), feeds=[{"pipe": "P1"}, {"pipe": "nowhere"}]),
        feature("hydrant", "H", metres(5), pipe="nowhere"),
        feature("pump", "U", [metres(5), metres(6)], start_node="nowhere"),
    ],
)
def test_every_kind_of_reference_is_checked(lost: dict[str, Any]) -> None:
    """Each by the feature that makes it."""
    [finding] = told(lay(*STREET, lost), "reference-unknown")

    assert finding.kind == lost["properties"]["kind"]


def test_copies_that_are_alike_are_kept_once_and_others_refuse_the_file() -> None:
    """Both are told."""
    alike = lay(*STREET, STREET[0])
    different = lay(*STREET, pipe("P1", (0, 0), (60, 0)))

    assert [pipe.id for pipe in alike.pipes] == ["P1", "P2"]
    assert told(alike, "id-twice-same")[0].severity == "wrong"
    assert told(different, "id-twice")[0].severity == "error"


def test_one_id_may_stand_in_several_kinds() -> None:
    """A valve and a pipe may share theirs; two that stand in one list are told."""
    shared = lay(*STREET, feature("valve", "P1", metres(5)))
    confused = lay(
        *STREET,
        feature("valve", "V", metres(5)),
        feature("control_valve", "V", [metres(50), metres(51)], isolates=True),
    )

    assert not shared.report.has_errors
    assert "id-of-two-devices" in codes(confused)


# --- valves ---


def test_a_valve_lies_along_the_pipe_in_its_recorded_length() -> None:
    """A pipe of 100 m that is drawn 50 m long has its middle at 50 m."""
    placement = lay(
        pipe("P1", (0, 0), (50, 0), length_m=100.0), feature("valve", "V", metres(12.5), pipe="P1")
    )

    assert placement.valves[0].at_m == pytest.approx(25.0, abs=1e-6)
    assert placement.valve_at_m.tolist() == [placement.valves[0].at_m]


def test_a_valve_without_a_pipe_is_put_on_the_nearest_within_the_tolerance() -> None:
    """It is told as a guess; of pipes equally near the lower id is taken."""
    placement = lay(
        *STREET, feature("valve", "V1", metres(20, 0.3)), feature("valve", "V2", metres(50))
    )

    assert [valve.pipe for valve in placement.valves] == ["P1", "P1"]
    assert [f.params["distance_m"] for f in told(placement, "valve-pipe-nearest")] == [
        pytest.approx(0.3, abs=0.01),
        0,
    ]
    assert [valve.at_m for valve in placement.valves] == pytest.approx([20, 50], abs=1e-3)


def test_a_valve_on_no_pipe_is_kept_and_takes_part_in_nothing() -> None:
    """It is in the placement and not in the network."""
    placement = lay(*STREET, feature("valve", "V", metres(20, 3), pipe=None))
    network, ids = network_of(placement)

    assert told(placement, "valve-on-no-pipe")[0].severity == "wrong"
    assert [valve.id for valve in placement.valves] == ["V"]
    assert (network.device_count, ids.devices) == (0, [])


def test_a_valve_far_from_the_pipe_that_it_names_is_told() -> None:
    """It stays on that pipe."""
    placement = lay(*STREET, feature("valve", "V", metres(20, 3), pipe="P1"))

    assert placement.valves[0].at_m == pytest.approx(20, abs=1e-3)
    assert told(placement, "valve-far-from-pipe")


def test_a_valve_may_be_a_link_between_two_nodes() -> None:
    """Its ends are joined like those of a pipe."""
    placement = lay(
        pipe("P1", (0, 0), (50, 0)),
        feature("valve", "V", [metres(50), metres(51)]),
        pipe("P2", (51, 0), (90, 0)),
        WORKS,
    )
    network, _ = network_of(placement)

    assert placement.valves[0].start_node == placement.pipes[0].end_node
    assert network.device_ends.tolist() == [[network.pipe_ends[0, 1], network.pipe_ends[1, 0]]]
    assert not told(placement, "island-without-source")


def test_a_missing_position_is_taken_as_open_and_counted() -> None:
    """Unknown is something else."""
    placement = lay(
        *STREET,
        feature("valve", "V1", metres(5)),
        feature("valve", "V2", metres(6), position="unknown"),
        feature("control_valve", "K", [metres(100), metres(101)], isolates=True),
    )
    network, ids = network_of(placement)

    assert [finding.id for finding in told(placement, "position-assumed")] == ["V1", "K"]
    assert dict(zip(ids.devices, network.facts.position.tolist(), strict=True)) == {
        "V1": 0,
        "V2": 2,
        "K": 0,
    }


def test_valves_cut_a_pipe_only_beyond_the_snap_distance_of_its_ends() -> None:
    """The same place counts once."""
    pipes, places = cuts_m(
        np.array([100.0, 0.8]),
        np.array([0, 0, 0, 0, 1]),
        np.array([0.5, 40.0, 40.0, 99.6, 0.4]),
    )

    assert (pipes.tolist(), places.tolist()) == ([0], [40.0])


# --- sources, customers, hydrants ---


def test_a_source_without_a_node_is_put_at_the_nearest() -> None:
    """At whatever distance."""
    placement = lay(*STREET[:2], feature("source", "S", metres(130, 40)))

    assert placement.sources[0].node == placement.pipes[1].end_node
    assert told(placement, "source-node-nearest")


def test_a_source_in_a_file_without_nodes_refuses_it() -> None:
    """There is nowhere to put it."""
    assert lay(WORKS).report.has_errors


def test_a_customer_without_a_place_is_put_on_the_nearest_pipe_that_feeds_customers() -> None:
    """Not on a nearer transmission main; and it is flagged."""
    placement = lay(
        *STREET,
        pipe("main", (0, 5), (100, 5), **{"class": "transmission"}),
        feature("customer", "C", metres(30, 6)),
    )

    [customer] = placement.customers
    assert (customer.pipe, customer.is_guessed) == ("P1", True)
    assert customer.feeds[0].at_m == pytest.approx(30, abs=1e-3)
    assert told(placement, "customer-pipe-nearest")


def test_a_customer_may_have_several_feeds() -> None:
    """Its own pipe is one of them, and none counts twice."""
    customer = feature(
        "customer", "C", metres(45, 5), pipe="P1", feeds=[{"pipe": "P2"}, {"pipe": "P1"}]
    )
    placement = lay(*STREET, customer)

    assert [feed.pipe for feed in placement.customers[0].feeds] == ["P1", "P2"]
    assert placement.feed_customer.tolist() == [0, 0]
    assert placement.feed_at_m.tolist() == pytest.approx([45, 0], abs=1e-3)


def test_a_customer_with_no_pipe_anywhere_is_kept_and_told() -> None:
    """Raw-water mains feed nobody."""
    placement = lay(
        pipe("raw", (0, 0), (50, 0), **{"class": "raw"}), feature("customer", "C", metres(9))
    )
    network, _ = network_of(placement)

    assert told(placement, "customer-on-no-pipe")
    assert (network.premises_count, len(network.feed_premises)) == (1, 0)


def test_a_hydrant_finds_its_pipe_or_keeps_its_node() -> None:
    """A pipe found is a guess."""
    placement = lay(
        node("A", 0),
        *STREET,
        feature("hydrant", "H1", metres(20, 2)),
        feature("hydrant", "H2", metres(0, 2), node="A"),
    )

    assert placement.hydrant_pipe.tolist() == [0, -1]
    assert placement.hydrant_node.tolist() == [-1, 0]
    assert [finding.id for finding in told(placement, "hydrant-pipe-nearest")] == ["H1"]


def test_a_source_that_is_a_node_by_its_own_name_makes_that_node() -> None:
    """As supply models know reservoirs and hydrants."""
    placement = lay(
        pipe("P1", (0, 0), (50, 0), start_node="R1"),
        feature("source", "R1", metres(0), node="R1"),
    )

    assert placement.pipes[0].start_node == "R1"
    assert told(placement, "node-implied")
    assert not placement.report.has_errors


# --- what is wrong ---


def test_an_island_without_a_source_is_told_with_its_customers() -> None:
    """By its lowest node, however far closed valves part it."""
    placement = lay(
        *STREET,
        node("Z", 300),
        node("Y", 350),
        pipe("lone", (300, 0), (350, 0)),
        feature("customer", "C", metres(310), pipe="lone"),
    )
    [finding] = told(placement, "island-without-source")

    assert (finding.id, finding.params) == ("Y", {"pipes": 1, "customers": 1})


def test_a_network_without_a_source_is_told_once() -> None:
    """Not for every part of it."""
    placement = lay(*STREET[:2], pipe("lone", (300, 0), (350, 0)))

    assert "no-source" in codes(placement)
    assert "island-without-source" not in codes(placement)


def test_pipes_without_length_are_told() -> None:
    """By record or by drawing; they stay in the network."""
    placement = lay(*STREET, pipe("A", (50, 0), (50, 0)), pipe("B", (0, 0), (9, 0), length_m=0))

    assert [finding.id for finding in told(placement, "pipe-zero-length")] == ["A", "B"]
    World.of(network_of(placement)[0])


def test_self_loops_and_parallel_pipes_are_legal() -> None:
    """Nothing is said of them."""
    placement = lay(
        node("A", 0),
        pipe("loop", (0, 0), (9, 9), (0, 9), (0, 0)),
        pipe("P", (0, 0), (50, 0)),
        WORKS,
    )

    assert placement.pipe_ends[0].tolist() == [0, 0]
    assert codes(placement) == {"node-made", "source-node-nearest", "end-dangling"}


def test_an_end_drawn_far_from_its_node_is_told() -> None:
    """The record is followed."""
    placement = lay(node("A", 0), node("B", 60), pipe("P", (0, 0), (50, 0), end_node="B"), WORKS)
    [finding] = told(placement, "end-far-from-node")

    assert finding.params == {"end": "end", "node": "B", "distance_m": pytest.approx(10, abs=0.01)}
    assert placement.pipes[0].end_node == "B"


def test_a_pipe_drawn_from_its_end_is_turned_round() -> None:
    """So that metres along it begin at its start node."""
    placement = lay(
        node("A", 0),
        node("B", 50),
        pipe("P", (0, 0), (50, 0), start_node="B", end_node="A"),
        feature("valve", "V", metres(10), pipe="P"),
    )

    assert [finding.id for finding in told(placement, "pipe-turned")] == ["P"]
    assert placement.valves[0].at_m == pytest.approx(40, abs=1e-3)


# --- as a whole ---


def _street_network(chance: random.Random) -> list[Any]:
    """Draw a grid with holes, its features in any order."""
    features: list[Any] = [feature("source", "S", metres(0))]
    for x in range(4):
        for y in range(4):
            for east, north in ((1, 0), (0, 1)):
                if chance.random() < 0.8:
                    jitter = chance.uniform(-0.1, 0.1)
                    name = f"P{x}{y}{east}"
                    begin = (x * 40 + jitter, y * 40.0)
                    features.append(pipe(name, begin, ((x + east) * 40, (y + north) * 40)))
                    at = metres(x * 40 + east * 15, y * 40 + north * 15)
                    features.append(feature("valve", f"V{name}", at))
                    features.append(feature("customer", f"C{name}", at))
    return features


@settings(deadline=None)
@given(st.integers(0, 10_000))
def test_the_order_of_the_file_changes_nothing(seed: int) -> None:
    """Every feature has the same place, and as much is found."""
    chance = random.Random(seed)  # noqa: S311
    features = _street_network(chance)
    one = lay(*features)
    chance.shuffle(features)
    two = lay(*features)

    def places(placement: Placement) -> dict[tuple[str, str], tuple[Any, ...]]:
        return {
            **{("p", p.id): (p.start_node, p.end_node, p.length_m) for p in placement.pipes},
            **{("v", v.id): (v.pipe, v.at_m) for v in placement.valves},
            **{("c", c.id): (c.pipe, c.feeds[0].at_m) for c in placement.customers},
        }

    assert places(one) == places(two)
    assert one.report.counts == two.report.counts


def test_placing_twice_gives_the_same() -> None:
    """What was guessed is guessed again, also with another tolerance."""
    features = read(*_street_network(random.Random(1)))  # noqa: S311
    first = place(features)
    ends = [(p.start_node, p.end_node) for p in first.pipes]
    counts = first.report.counts
    place(features, snap_m=0.01)
    again = place(features)

    assert again.report.counts == counts
    assert [(p.start_node, p.end_node) for p in again.pipes] == ends


def test_an_empty_file_is_an_empty_network() -> None:
    """With nothing wrong in it."""
    placement = lay()
    network, ids = network_of(placement)

    assert (network.node_count, network.pipe_count, len(placement.report)) == (0, 0, 0)
    assert ids.pipes == []


@settings(deadline=None)
@given(
    st.floats(-179, 179),
    st.floats(-80, 80),
    st.floats(-0.05, 0.05),
    st.floats(-0.05, 0.05),
)
def test_lengths_are_those_of_the_ellipsoid(
    lon: float, lat: float, east: float, north: float
) -> None:
    """To a tenth of a millimetre in a town, and at any latitude."""
    line = Lines.of([[(lon, lat), (lon + east, lat + north)]])
    length = Geod(ellps="WGS84").line_length([lon, lon + east], [lat, lat + north])

    assert line.length_m[0] == pytest.approx(length, abs=1e-4)


def test_lengths_across_the_date_line_are_short() -> None:
    """Taveuni in Fiji lies on it."""
    sides = [np.array([value]) for value in (179.999, -16.8, -179.999, -16.8)]

    assert distances_m(*sides)[0] == pytest.approx(213.1, abs=0.5)


@pytest.mark.parametrize("name", ["Net1", "Net3", "ky10"])
def test_models_that_come_with_wntr_become_networks(name: str) -> None:
    """With a supply for every customer of theirs."""
    import wntr

    folder = wntr.__file__.replace("__init__.py", "library/networks/")
    placement = place(read_file(f"{folder}{name}.inp", valves="ends"))
    network, ids = network_of(placement)

    assert not placement.report.has_errors
    assert len(ids.devices) == network.device_count >= 2 * len(placement.pipes)
    assert World.of(network).has_sources
