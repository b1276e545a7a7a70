"""The stages of a job, and each customer's own interval."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gis.intervals import block_intervals, premises_intervals
from gis.isolation import Break, Isolation, isolate
from gis.timeline import Stages, Timeline, ValveTask, plan_times, route
from gis.world import World
from tests.gis.drawing import Drawing

LINE = [ValveTask(k, 100.0 * k, 0.0, 20) for k in range(4)]
"""Four valves along a street."""


def test_the_round_starts_at_the_valve_next_to_the_crew() -> None:
    """From beyond the last valve the crew works backwards along the street."""
    assert route(LINE, start=(1000.0, 0.0)) == [3, 2, 1, 0]


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=1, max_size=5))
def test_the_round_is_at_most_a_quarter_longer_than_the_best(places: list[tuple[int, int]]) -> None:
    """Rings have few valves, so all orders can be tried."""
    tasks = [ValveTask(k, x, y) for k, (x, y) in enumerate(places)]

    def length(order: tuple[int, ...] | list[int]) -> float:
        stops = [(0.0, 0.0), *((tasks[k].x_m, tasks[k].y_m) for k in order)]
        return sum(math.dist(a, b) for a, b in itertools.pairwise(stops))

    best = min(length(order) for order in itertools.permutations(range(len(tasks))))

    assert sorted(route(tasks, (0.0, 0.0))) == list(range(len(tasks)))
    assert length(route(tasks, (0.0, 0.0))) <= 1.25 * best + 1e-9


def test_more_turns_take_longer() -> None:
    """A valve of 200 turns is closed later than one of 10."""
    few = plan_times([ValveTask(0, 0, 0, 10)]).water_stopped
    many = plan_times([ValveTask(0, 0, 0, 200)]).water_stopped

    assert few.p10 < many.p10
    assert few.p50 < many.p50
    assert few.p90 < many.p90


def times_in_order(plan: Timeline) -> bool:
    """Tell whether closing, water stopped, reopening and restored follow each other."""
    closed = [q.p50 for q in plan.closed]
    reopened = [q.p50 for q in plan.reopened]
    return (
        closed == sorted(closed)
        and reopened == sorted(reopened)
        and plan.water_stopped.p50 <= plan.restored.p50
        and closed[-1] == plan.water_stopped.p50
        and reopened[-1] == plan.restored.p50
    )


@given(st.floats(0, 100))
def test_stages_follow_each_other_however_late_it_is(now_h: float) -> None:
    """Also when more hours are gone than anybody forecast."""
    plan = plan_times(LINE, stages=Stages(now_h=now_h))

    assert times_in_order(plan)
    assert plan.water_stopped.p10 >= now_h


def test_what_has_happened_has_its_own_time() -> None:
    """Water stopped after 2 h and all restored after 7 h are facts, not forecasts."""
    plan = plan_times(LINE, stages=Stages(now_h=8, water_stopped_h=2, restored_h=7))

    assert {plan.water_stopped.p10, plan.water_stopped.p90} == {2}
    assert {plan.restored.p10, plan.restored.p90} == {7}


STREET = Drawing(
    # W - a - b - c with a house on each pipe
    pipes=["W-a", "a-b", "b-c"],
    valves=[(0, 100.0), (1, 100.0), (2, 50.0)],
    sources={"W": None},
    customers=[[(0, 50.0)], [(1, 50.0)], [(2, 10.0)], [(2, 90.0)]],
)


def test_everybody_behind_the_one_valve_loses_and_regains_with_it() -> None:
    """Only the valve towards the works counts; the far one closes nothing off."""
    world = World.of(STREET.network())
    found = isolate(world, Break(pipes=[(1, None)]))
    devices = np.array([0, 1], dtype=np.int32)

    lost, back = block_intervals(world, found, devices, np.array([1.0, 2.0]), np.array([9.0, 8.0]))
    premises, off, dry, restored = premises_intervals(world, found, lost, back)

    assert premises.tolist() == [1, 2, 3]
    assert off.tolist() == dry.tolist() == [1.0, 1.0, 1.0]
    # The far valve has been open since 8 h when the near one lets water in at 9 h.
    assert restored.tolist() == [9.0, 9.0, 9.0]


def test_the_later_of_two_reopenings_on_the_way_counts() -> None:
    """The house behind both valves waits for the second."""
    world = World.of(STREET.network())
    found = isolate(world, Break(pipes=[(1, None)]))
    devices = np.array([0, 1], dtype=np.int32)

    lost, back = block_intervals(world, found, devices, np.array([1.0, 2.0]), np.array([8.0, 9.0]))

    assert premises_intervals(world, found, lost, back)[3].tolist() == [8.0, 9.0, 9.0]


def test_a_building_tank_keeps_the_tap_running_after_the_mains_are_off() -> None:
    """2 m3 at 1,000 l a day last two days."""
    drawing = Drawing(
        pipes=STREET.pipes,
        valves=STREET.valves,
        sources=STREET.sources,
        customers=STREET.customers,
        tank_m3=2.0,
    )
    world = World.of(drawing.network())
    found = isolate(world, Break(pipes=[(1, None)]))
    one = np.array([0, 1], dtype=np.int32)

    lost, back = block_intervals(world, found, one, np.array([1.0, 2.0]), np.array([9.0, 8.0]))
    _, off, dry, _ = premises_intervals(world, found, lost, back)

    assert (dry - off).tolist() == [48.0, 48.0, 48.0]


def every_path(world: World, isolation: Isolation) -> dict[int, list[list[int]]]:
    """List, for each block that loses supply, the edges of every simple path from supply to it."""
    affected = {*isolation.blocks_shut.tolist(), *isolation.blocks_cut_off.tolist()}
    affected = {b for b in affected if world.feeder[b] != -1}
    found: dict[int, list[list[int]]] = {b: [] for b in affected}

    def walk(block: int, seen: set[int], edges: list[int]) -> None:
        found[block].append(edges)
        for edge, (a, b) in enumerate(world.blocks.edge_blocks.tolist()):
            for here, there, bit in ((a, b, 1), (b, a, 2)):
                passes = world.state[edge] & bit
                if here == block and passes and there in affected and there not in seen:
                    walk(there, seen | {there}, [*edges, edge])

    for edge, (a, b) in enumerate(world.blocks.edge_blocks.tolist()):
        for here, there, bit in ((a, b, 1), (b, a, 2)):
            outside = here not in affected and world.feeder[here] != -1
            if outside and there in affected and world.state[edge] & bit:
                walk(there, {there}, [edge])
    return found


@settings(max_examples=150, deadline=None)  # the first one compiles
@given(st.integers(0, 2**32 - 1))
def test_two_passes_agree_with_every_path_tried(seed: int) -> None:
    """Loss is the max over paths of the min closing, return the min of the max reopening."""
    random = np.random.default_rng(seed)
    names = "ABCDEF"
    pairs = [
        f"{names[a]}{'->'[int(random.random() < 0.1)]}{names[b]}"
        for a, b in random.integers(0, 6, (8, 2))
    ]
    drawing = Drawing(
        pipes=pairs,
        valves=[
            (int(p), float(at)) for p in range(8) for at in (0.0, 100.0) if random.random() < 0.6
        ],
        sources={"A": None},
        customers=[[(p, 50.0)] for p in range(8)],
    )
    world = World.of(drawing.network())
    found = isolate(world, Break(pipes=[(int(random.integers(8)), None)]))
    if not found.is_isolated:
        return
    gates = found.valves_to_close
    closed, opened = random.random(gates.size), 10 + random.random(gates.size)
    lost, back = block_intervals(world, found, gates, closed, opened)

    at = dict(zip(gates.tolist(), zip(closed, opened, strict=True), strict=True))
    for block, paths in every_path(world, found).items():
        assert paths
        assert lost[block] == max(min(at[e][0] for e in path if e in at) for path in paths)
        assert back[block] == min(max(at[e][1] for e in path if e in at) for path in paths)
        assert lost[block] <= back[block]


def test_unaffected_blocks_have_no_interval() -> None:
    """Nan, not zero: the house by the works loses nothing."""
    world = World.of(STREET.network())
    found = isolate(world, Break(pipes=[(2, 90.0)]))
    lost, _ = block_intervals(
        world, found, np.array([2], dtype=np.int32), np.array([1.0]), np.array([2.0])
    )

    assert np.isnan(lost[world.members.feed_block[0]])
    assert lost[world.members.feed_block[3]] == pytest.approx(1.0)
