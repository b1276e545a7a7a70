"""Features find their places by rule, and everything guessed or wrong is told once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from gis.formats.building import Builder
from gis.topology import network_of, place

if TYPE_CHECKING:
    from gis.features import FeatureSet
    from gis.placement import Placement

_M = 1 / 111_319.490793  # degrees of longitude a metre, on the equator


def spot(x_m: float, y_m: float = 0.0) -> tuple[float, float]:
    """Give a place in metres from longitude 0, latitude 0."""
    return x_m * _M, y_m * _M * 1.006739  # a degree of latitude is shorter there


def draw(*features: dict[str, Any]) -> FeatureSet:
    """Make features, checked as a reader does it."""
    builder = Builder()
    for index, feature in enumerate(features):
        fields = dict(feature)
        at = fields.pop("at")
        shape = "LineString" if isinstance(at, list) else "Point"
        builder.add(fields.pop("kind"), fields, shape, at, index)
    return builder.finish()


def pipe(name: str, *at: tuple[float, float], **properties: object) -> dict[str, Any]:
    """Draw a pipe."""
    return {"kind": "pipe", "id": name, "at": list(at), "diameter_mm": 100, **properties}


def point(kind: str, name: str, at: tuple[float, float], **properties: object) -> dict[str, Any]:
    """Draw a point."""
    return {"kind": kind, "id": name, "at": at, **properties}


def works(at: tuple[float, float] = (0.0, 0.0), **properties: object) -> dict[str, Any]:
    """Draw a source."""
    return point("source", "W", at, **properties)


def codes(placement: Placement, severity: str | None = None) -> dict[str, int]:
    """Count the findings by code."""
    return {
        code: number
        for (kind, code), number in placement.report.counts.items()
        if severity in {None, kind}
    }


def finding(placement: Placement, code: str) -> dict[str, object]:
    """Give the values of the only finding of a code."""
    (only,) = [finding for finding in placement.report if finding.code == code]
    return {"id": only.id, "kind": only.kind, "place": (only.lon, only.lat), **only.params}


def nodes(*x_m: float) -> list[dict[str, Any]]:
    """Draw nodes N0, N1 and so on along the equator."""
    return [point("node", f"N{row}", spot(x)) for row, x in enumerate(x_m)]


def test_an_end_joins_the_nearest_node_within_the_snap_distance() -> None:
    """Not the one drawn first; and it says how far it reached."""
    placement = place(
        draw(*nodes(0, 99.6, 100.3), pipe("P", spot(0), spot(100)), works(), works_road())
    )

    assert placement.pipe_ends.tolist() == [[0, 2]]
    told = finding(placement, "end-snapped")
    assert (told["id"], told["node"], told["end"]) == ("P", "N2", "end")
    assert told["distance_m"] == pytest.approx(0.3, abs=0.001)
    assert placement.pipes[0].is_end_guessed


def works_road() -> dict[str, Any]:
    """Draw a road, which joins nothing."""
    return {"kind": "road", "id": "R", "at": [spot(0, 500), spot(100, 500)]}


def test_a_node_out_of_reach_is_not_joined() -> None:
    """A node is made at the end itself."""
    placement = place(draw(*nodes(0, 100.6), pipe("P", spot(0), spot(100)), works()))

    assert placement.nodes[2].is_made
    assert placement.nodes[2].geometry == [pytest.approx(spot(100))]
    assert codes(placement)["node-alone"] == 1
    assert finding(placement, "node-made")["ends"] == 1


def test_ends_that_meet_without_a_node_share_a_made_one() -> None:
    """Within the snap distance of each other, whichever pipe is drawn first."""
    one, two = pipe("A", spot(0), spot(100)), pipe("B", spot(100.4), spot(200))
    forth = place(draw(works(), one, two))
    back = place(draw(works(), two, one))

    assert forth.pipes[0].end_node == forth.pipes[1].start_node
    assert {node.id for node in forth.nodes} == {node.id for node in back.nodes}
    assert codes(forth)["node-made"] == 3


def test_a_valve_is_put_on_the_nearest_pipe_and_in_its_given_length() -> None:
    """The place is a share of the recorded length; ties go to the lower id."""
    placement = place(
        draw(
            *nodes(0, 100, 200),
            pipe("B", spot(0), spot(100), length_m=120.0),
            pipe("A", spot(100), spot(200)),
            point("valve", "V1", spot(50, 0.4), position="open"),
            point("valve", "V2", spot(100), position="open"),
            point("valve", "V3", spot(50, 3), position="open"),
            point("valve", "V4", spot(150, 2), pipe="A", position="open"),
            works(),
        )
    )

    assert placement.valve_pipe.tolist() == [0, 1, -1, 1]
    assert placement.valve_at_m[:2].tolist() == pytest.approx([60, 0], abs=0.01)
    assert codes(placement)["valve-pipe-nearest"] == 2
    assert finding(placement, "valve-on-no-pipe")["id"] == "V3"
    assert finding(placement, "valve-far-from-pipe")["id"] == "V4"
    network, ids = network_of(placement)
    assert ids.devices == ["V1", "V2", "V4"]
    assert network.device_pipe.tolist() == [0, 1, 1]


def test_valves_in_series_at_one_place_keep_their_order_by_id() -> None:
    """However the file orders them."""
    valves = [point("valve", name, spot(40), pipe="P", position="open") for name in ("b", "a", "c")]
    placement = place(draw(*nodes(0, 100), pipe("P", spot(0), spot(100)), *valves, works()))
    network, ids = network_of(placement)

    assert len(set(network.device_at_m.tolist())) == 1
    rank = dict(zip(ids.devices, network.device_rank.tolist(), strict=True))
    assert sorted(rank, key=rank.__getitem__) == ["a", "b", "c"]


def test_customers_and_hydrants_find_the_nearest_pipe_that_may_feed_them() -> None:
    """A transmission main feeds no house; a hydrant stands on whatever is nearest."""
    placement = place(
        draw(
            *nodes(0, 100),
            pipe("main", spot(0), spot(100), **{"class": "transmission"}),
            pipe("street", spot(0), spot(0, 30), spot(100, 30), spot(100)),
            point("customer", "C", spot(50, 1), properties=2),
            point("hydrant", "H", spot(20, 1)),
            works(),
        )
    )

    assert placement.customers[0].feeds[0].pipe == "street"
    assert placement.customers[0].is_guessed
    assert finding(placement, "customer-pipe-nearest")["distance_m"] == pytest.approx(29, abs=0.1)
    assert placement.hydrants[0].pipe == "main"
    assert finding(placement, "hydrant-pipe-nearest")["id"] == "H"


def test_feeds_are_kept_in_order_and_once_each() -> None:
    """The customer's own pipe first."""
    feeds = [{"pipe": "Q"}, {"pipe": "P"}, {"node": "N2"}, {"pipe": "Q"}]
    placement = place(
        draw(
            *nodes(0, 100, 200),
            pipe("P", spot(0), spot(100)),
            pipe("Q", spot(100), spot(200)),
            point("customer", "C", spot(50), pipe="P", feeds=feeds, properties=1),
            works(),
        )
    )

    assert placement.feed_pipe.tolist() == [0, 1, -1]
    assert placement.feed_node.tolist() == [-1, -1, 2]


@pytest.mark.parametrize(
    ("code", "features"),
    [
        ("end-on-pipe", [pipe("P", spot(0), spot(100)), pipe("Q", spot(50), spot(50, 40))]),
        ("pipe-crossing", [pipe("P", spot(0), spot(100)), pipe("Q", spot(50, -9), spot(50, 9))]),
        (
            "island-without-source",
            [pipe("P", spot(0), spot(100)), pipe("Q", spot(0, 9), spot(9, 9))],
        ),
        ("pipe-zero-length", [pipe("P", spot(0), spot(100)), pipe("Q", spot(100), spot(100))]),
        ("node-alone", [pipe("P", spot(0), spot(100)), point("node", "alone", spot(500))]),
        (
            "id-twice-same",
            [pipe("P", spot(0), spot(100)), pipe("P", spot(0), spot(100))],
        ),
        (
            "pipe-and-node",
            [
                *nodes(0, 100),
                pipe("P", spot(0), spot(100)),
                point("customer", "C", spot(50), pipe="P", node="N1", properties=1),
            ],
        ),
        (
            "customer-on-no-pipe",
            [
                pipe("P", spot(0), spot(100), **{"class": "raw"}),
                point("customer", "C", spot(50), properties=1),
            ],
        ),
    ],
)
def test_what_is_wrong_is_told_once_with_its_place(
    code: str, features: list[dict[str, Any]]
) -> None:
    """And lands nevertheless."""
    placement = place(draw(*features, works()))

    assert codes(placement, "wrong").get(code) == 1
    assert not placement.report.has_errors
    assert None not in finding(placement, code)["place"]  # type: ignore[operator]


@pytest.mark.parametrize(
    ("code", "feature"),
    [
        ("id-twice", pipe("P", spot(0), spot(77))),
        ("reference-unknown", pipe("Q", spot(0), spot(9), end_node="nowhere")),
        ("reference-unknown", point("valve", "Q", spot(9), pipe="nowhere")),
        ("reference-unknown", point("customer", "Q", spot(9), node="nowhere", properties=1)),
        ("reference-unknown", point("hydrant", "Q", spot(9), pipe="nowhere")),
    ],
)
def test_what_cannot_be_understood_refuses_the_file(code: str, feature: dict[str, Any]) -> None:
    """Naming the feature."""
    placement = place(draw(*nodes(0, 100), pipe("P", spot(0), spot(100)), feature, works()))

    assert codes(placement, "error") == {code: 1}
    assert placement.report.errors[0].id == feature["id"]
    assert str(feature["id"]) in placement.report.errors[0].text()
