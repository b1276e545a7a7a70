"""Parts that live on tanks, and why somebody has water or none."""

from __future__ import annotations

import pytest

from gis.explain import Parted, SupplyPath, explain_block, explain_valve
from gis.isolation import Break, isolate
from gis.tanks import find_tank_fed
from gis.world import World
from tests.gis.drawing import Drawing

HILL = Drawing(
    # works W - a - b - tank T, houses on each pipe; valves at both ends of the middle pipe
    pipes=["W-a", "a-b", "b-T"],
    valves=[(1, 0.0), (1, 100.0)],
    sources={"W": None, "T": 12.0},
    customers=[[(0, 50.0)], [(1, 50.0)], [(2, 50.0)], [(2, 60.0)]],
    demand_l_day=3000.0,
)


def test_a_part_left_to_its_tank_lasts_volume_over_demand() -> None:
    """12 m3 for two houses of 3 m3 a day each: two days."""
    world = World.of(HILL.network())
    found = isolate(world, Break(pipes=[(1, 50.0)]))

    (part,) = find_tank_fed(world, found)

    assert found.premises_lost.tolist() == [1]
    assert part.premises.tolist() == [2, 3]
    assert part.hours == pytest.approx(48.0)


def test_a_part_that_works_still_feed_is_not_left_to_its_tank() -> None:
    """Only the part that lost its other supply is named."""
    world = World.of(HILL.network())

    assert find_tank_fed(world, isolate(world, Break(pipes=[(2, 50.0)]))) == []


def test_a_tank_of_unknown_volume_lasts_an_unknown_time() -> None:
    """None, which must never be shown as none."""
    drawing = Drawing(
        pipes=HILL.pipes,
        valves=HILL.valves,
        sources={"W": None, "T": float("nan")},
        customers=HILL.customers,
    )
    world = World.of(drawing.network())

    (part,) = find_tank_fed(world, isolate(world, Break(pipes=[(1, 50.0)])))

    assert part.volume_m3 is None
    assert part.hours is None


def test_a_supplied_house_is_explained_by_its_way_from_the_source() -> None:
    """The house by the tank drinks from the tank, past no valve."""
    world = World.of(HILL.network())
    found = isolate(world, Break(pipes=[(1, 50.0)]))
    block = int(world.members.feed_block[2])

    assert explain_block(world, found, block) == SupplyPath(source=1, devices=(), pipes=(2,))


def test_a_way_names_its_devices_and_pipes_in_the_order_of_the_flow() -> None:
    """Before anything is broken the works feed all: here with nothing but a closed far valve."""
    drawing = Drawing(
        pipes=HILL.pipes, valves=HILL.valves, sources={"W": None}, customers=HILL.customers
    )
    world = World.of(drawing.network())
    nothing = isolate(world, Break())

    way = explain_block(world, nothing, int(world.members.feed_block[3]))

    assert way == SupplyPath(source=0, devices=(0, 1), pipes=(0, 1, 2))


def test_a_cut_off_house_is_explained_by_the_devices_that_part_it() -> None:
    """Behind the shut pipe: the valve at its far end, with the drained segment beyond."""
    drawing = Drawing(
        pipes=HILL.pipes, valves=HILL.valves, sources={"W": None}, customers=HILL.customers
    )
    world = World.of(drawing.network())
    found = isolate(world, Break(pipes=[(1, 50.0)]))

    why = explain_block(world, found, int(world.members.feed_block[2]))

    assert why == Parted(devices=(1,), segment_is_between=True)


def test_a_valve_to_close_is_explained_by_the_water_behind_it() -> None:
    """And an optional one by there being none."""
    drawing = Drawing(
        pipes=HILL.pipes, valves=HILL.valves, sources={"W": None}, customers=HILL.customers
    )
    world = World.of(drawing.network())
    found = isolate(world, Break(pipes=[(1, 50.0)]))

    assert explain_valve(world, found, 0) == SupplyPath(source=0, devices=(), pipes=(0,))
    assert explain_valve(world, found, 1) is None
