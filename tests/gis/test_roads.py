"""Ways between valves by road."""

from __future__ import annotations

import numpy as np
import pytest

from gis.roads import Roads
from gis.timeline import DETOUR, STREET_SPEED_KMH, ValveTask, plan_times

KMH_60 = 60.0
"""One kilometre a minute."""


def roads(*lines: str) -> Roads:
    """
    Draw roads in words, places in km: "0,0 1,0" and then "one-way", "closed" or a speed.

    They are driven at 60 km/h where nothing else is said.
    """
    drawn = [line.split() for line in lines]
    places = [[place.split(",") for place in words if "," in place] for words in drawn]
    speeds = [[float(word) for word in words if word.isdigit()] for words in drawn]
    return Roads.of_lines(
        np.array([place for line in places for place in line], dtype=np.float64) * 1000,
        np.repeat(np.arange(len(lines)), [len(line) for line in places]),
        speed_kmh=np.array([speed[0] if speed else KMH_60 for speed in speeds]),
        is_one_way=np.array(["one-way" in words for words in drawn]),
        is_closed=np.array(["closed" in words for words in drawn]),
    )


def minutes(net: Roads, *places: tuple[float, float]) -> list[list[float]]:
    """Give the minutes between places in km."""
    x, y = np.array(places).T * 1000
    found: list[list[float]] = net.travel_min(x, y).tolist()
    return found


def test_ways_follow_the_roads_through_shared_corners() -> None:
    """Round the corner it is two kilometres, as the crow flies one and a half."""
    net = roads("0,0 1,0", "1,0 1,1")
    assert minutes(net, (0, 0), (1, 1)) == [[0, pytest.approx(2)], [pytest.approx(2), 0]]


def test_roads_that_cross_without_a_corner_do_not_meet() -> None:
    """One may be a bridge."""
    net = roads("0,0 1,1", "0,1 1,0")
    assert np.isnan(minutes(net, (0, 0), (0, 1))[0][1])


def test_a_one_way_street_costs_a_detour_on_the_way_back() -> None:
    """There one minute, back by the other three sides of the square."""
    net = roads("0,0 1,0 one-way", "1,0 1,1 0,1 0,0")
    there, back = minutes(net, (0, 0), (1, 0))
    assert [there[1], back[0]] == pytest.approx([1, 3])


def test_a_closed_street_is_not_driven() -> None:
    """Neither way."""
    net = roads("0,0 1,0 closed", "1,0 1,1 0,1 0,0")
    assert minutes(net, (0, 0), (1, 0))[0][1] == pytest.approx(3)


def test_the_faster_of_two_roads_is_taken() -> None:
    """Also where both join the same corners."""
    net = roads("0,0 1,0 30", "0,0 1,0 120", "0,0 0,2")
    assert minutes(net, (0, 0), (1, 0))[0][1] == pytest.approx(0.5)


def test_an_unknown_speed_is_that_of_streets() -> None:
    """A road without a speed is still a road."""
    net = roads("0,0 1,0 0")
    assert minutes(net, (0, 0), (1, 0))[0][1] == pytest.approx(60 / STREET_SPEED_KMH)


def test_a_place_beside_the_road_has_a_way_to_it() -> None:
    """100 m on a straight line at the speed of streets."""
    net = roads("0,0 1,0")
    off = 0.1 * DETOUR / STREET_SPEED_KMH * 60
    assert minutes(net, (0, 0.1), (1, 0))[0][1] == pytest.approx(1 + off)


def test_two_places_at_one_corner_are_as_far_as_they_are() -> None:
    """Not once to the corner and back."""
    net = roads("0,0 1,0")
    near = minutes(net, (0.1, 0), (0.11, 0))[0][1]
    assert near == pytest.approx(0.01 * DETOUR / STREET_SPEED_KMH * 60)


@pytest.mark.parametrize("lines", [["0,0 1,0 closed"], ["9,9 9,8"], ["0,0 0,1", "1,0 1,1"]])
def test_where_there_is_no_way_none_is_made_up(lines: list[str]) -> None:
    """All closed, all too far away, or in two pieces."""
    assert np.isnan(minutes(roads(*lines), (0, 0), (1, 0))[0][1])


def three(net: Roads) -> tuple[tuple[int, ...], float]:
    """Close valves at 0, 1 and 2 km of a street; give their order, and when all are closed."""
    places = [(0.0, 0.0), (1000.0, 0.0), (2000.0, 0.0)]
    tasks = [ValveTask(k, x, y, 20) for k, (x, y) in enumerate(places)]
    x, y = np.array(places).T
    plan = plan_times(tasks, travel_min=net.travel_min(x, y).tolist())
    return plan.order, plan.water_stopped.p50


def test_closed_and_one_way_streets_change_the_order_of_work_and_its_time() -> None:
    """The street past the middle is closed or runs towards the first valve."""
    around = ["0,0 0,1 2,1 2,0"]
    plain, by_plain = three(roads("0,0 1,0", "1,0 2,0", *around))
    shut, by_shut = three(roads("0,0 1,0 closed", "1,0 2,0", *around))
    back, by_back = three(roads("1,0 0,0 one-way", "2,0 1,0 one-way", *around))

    assert plain == (0, 1, 2)
    # Over the ring and back by the middle: 4 km and 1 km, where straight on it was 2 km.
    assert shut == (0, 2, 1)
    assert by_shut - by_plain == pytest.approx(3 / 60)
    assert back == (2, 1, 0)
    assert by_back == pytest.approx(by_plain)
