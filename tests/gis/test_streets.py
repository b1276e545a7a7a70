"""How long crews anywhere need to a job, looked up in the fields of the open jobs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gis.roads import Roads
from gis.streets import Streets
from gis.timeline import DETOUR, STREET_SPEED_KMH

KMH_60 = 60.0
"""One kilometre a minute."""


def streets(*lines: str) -> Streets:
    """
    Draw streets in words, places in km: "0,0 1,0" and then "one-way", "closed" or a speed.

    They are driven at 60 km/h where nothing else is said.
    """
    drawn = [line.split() for line in lines]
    places = [[place.split(",") for place in words if "," in place] for words in drawn]
    speeds = [[float(word) for word in words if word.isdigit()] for words in drawn]
    return Streets.of_lines(
        np.array([place for line in places for place in line], dtype=np.float64) * 1000,
        np.repeat(np.arange(len(lines)), [len(line) for line in places]),
        speed_kmh=np.array([speed[0] if speed else KMH_60 for speed in speeds]),
        is_one_way=np.array(["one-way" in words for words in drawn]),
        is_closed=np.array(["closed" in words for words in drawn]),
    )


def minutes(net: Streets, crew: tuple[float, float], job: tuple[float, float]) -> float:
    """Give the minutes from a crew to a job, places in km."""
    field = net.minutes_to(job[0] * 1000, job[1] * 1000)
    found = net.minutes_from(field, np.array([crew[0] * 1000]), np.array([crew[1] * 1000]))
    return float(found[0])


def test_parts_of_stretches_count() -> None:
    """From the middle of one street round the corner to a quarter of the next."""
    net = streets("0,0 1,0", "1,0 1,1")
    assert minutes(net, (0.5, 0), (1, 0.25)) == pytest.approx(0.75)


def test_a_crew_and_a_job_on_one_stretch_need_not_reach_its_ends() -> None:
    """A hundred metres are a tenth of a minute."""
    net = streets("0,0 1,0")
    assert minutes(net, (0.5, 0), (0.6, 0)) == pytest.approx(0.1)
    assert minutes(net, (0.6, 0), (0.5, 0)) == pytest.approx(0.1)


def test_a_one_way_street_is_driven_one_way() -> None:
    """To a job behind it a crew goes round the square."""
    net = streets("0,0 1,0 one-way", "1,0 1,1 0,1 0,0")
    assert minutes(net, (0.2, 0), (0.7, 0)) == pytest.approx(0.5)
    assert minutes(net, (0.7, 0), (0.2, 0)) == pytest.approx(0.3 + 3 + 0.2)


def test_a_dead_end_entered_one_way_is_never_left() -> None:
    """There is a way in and none out."""
    net = streets("0,0 1,0 one-way", "0,0 0,1")
    assert minutes(net, (0, 0.5), (1, 0)) == pytest.approx(1.5)
    assert minutes(net, (1, 0), (0, 0.5)) == np.inf


def test_a_closed_street_changes_the_way_and_opens_again() -> None:
    """Round the ring while it is closed."""
    net = streets("0,0 1,0", "1,0 1,1 0,1 0,0")
    crew, job = (0, 0.1), (1, 0.1)
    assert minutes(net, crew, job) == pytest.approx(1.2)
    closed = net.closing(np.array([True, False]))
    assert minutes(closed, crew, job) == pytest.approx(2.8)
    assert minutes(closed.closing(np.array([False, False])), crew, job) == pytest.approx(1.2)


def test_places_beside_the_street_have_a_way_to_it() -> None:
    """Each 100 m on a straight line at the speed of streets."""
    net = streets("0,0 1,0")
    off = 0.1 * DETOUR / STREET_SPEED_KMH * 60
    assert minutes(net, (0, 0.1), (1, -0.1)) == pytest.approx(1 + 2 * off)


def test_two_places_in_one_yard_are_as_far_as_they_are() -> None:
    """Not once to the street and back."""
    net = streets("0,0 1,0")
    near = minutes(net, (0.5, 0.2), (0.51, 0.2))
    assert near == pytest.approx(0.01 * DETOUR / STREET_SPEED_KMH * 60)


@pytest.mark.parametrize("lines", [["0,0 1,0 closed"], ["9,9 9,8"], ["0,0 0,1", "1,0 1,1"]])
def test_where_there_is_no_way_none_is_made_up(lines: list[str]) -> None:
    """All closed, all too far away, or in two pieces."""
    assert minutes(streets(*lines), (0, 0), (1, 0)) == np.inf


def test_without_jobs_there_is_nothing_to_look_up() -> None:
    """An empty matrix, with a row for every crew."""
    found = streets("0,0 1,0").minutes_between([], np.zeros(3), np.zeros(3))
    assert found.shape == (3, 0)


@st.composite
def _towns(draw: st.DrawFn) -> tuple[list[str], list[int], list[int]]:
    """Draw a grid of streets of which some are closed, one-way or slow, and places on corners."""
    side = draw(st.integers(2, 4))
    at = [(x, y) for x in range(side) for y in range(side)]
    ends = [(a, b) for a in at for b in at if (b[0] - a[0], b[1] - a[1]) in ((0, 1), (1, 0))]
    kinds = draw(
        st.lists(
            st.sampled_from(["", "one-way", "closed", "30", "90 one-way"]),
            min_size=len(ends),
            max_size=len(ends),
        )
    )
    lines = [
        f"{a[0]},{a[1]} {b[0]},{b[1]} {kind}" for (a, b), kind in zip(ends, kinds, strict=True)
    ]
    place = st.lists(st.integers(0, len(at) - 1), min_size=1, max_size=3)
    return lines, draw(place), draw(place)


@settings(max_examples=60, deadline=None)
@given(_towns())
def test_between_corners_it_agrees_with_searching_from_each(
    town: tuple[list[str], list[int], list[int]],
) -> None:
    """The search forward from every crew finds the same minutes."""
    lines, crews, jobs = town
    net = streets(*lines)
    usable = np.unique(
        np.concatenate([net.roads.start, net.roads.end])[np.tile(~net.roads.is_closed, 2)]
    )
    if usable.size == 0:
        return
    corner = net.roads.corner_m[usable]
    crew, job = corner[np.array(crews) % usable.size], corner[np.array(jobs) % usable.size]
    fields = [net.minutes_to(x, y) for x, y in job.tolist()]
    found = net.minutes_between(fields, crew[:, 0], crew[:, 1])
    x, y = np.vstack([crew, job]).T
    forward = Roads.travel_min(net.roads, x, y)[: len(crew), len(crew) :]
    np.testing.assert_allclose(found, np.where(np.isnan(forward), np.inf, forward), atol=1e-4)
