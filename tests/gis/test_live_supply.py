"""Who is dry as the valves stand, and which of them keep a trench dry, whatever the town."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from gis.isolation import blocks_of, isolate
from gis.live_supply import LiveSupply, ValveWork, as_rows, premises_lost_to
from gis.network import DeviceKind, Position
from gis.world import World
from tests.gis import answer_of
from tests.gis.drawing import Drawing
from tests.gis.random_towns import make_town
from tests.gis.test_against_brute_force import anything, break_rows

if TYPE_CHECKING:
    from gis.isolation import Isolation
    from gis.network import Rows


on_seeds = given(seed=st.integers(0, 2**48))
enough = settings(max_examples=120, deadline=None, print_blob=True)


def whole_plan(found: Isolation) -> ValveWork:
    """Do all that a plan says."""
    return ValveWork(
        closed=np.union1d(found.valves_to_close, found.pumps_to_stop).astype(np.int32),
        sources_shut=found.sources_shut,
    )


def judged(seed: int) -> tuple[World, Rows, Isolation]:
    """Break something in a random town."""
    town = make_town(seed)
    dice = random.Random(seed + 1)  # noqa: S311
    asked = answer_of.ask(town)
    broken = break_rows(asked, [anything(town, dice)])
    return asked.world, blocks_of(asked.world, broken), isolate(asked.world, broken)


@on_seeds
@enough
def test_with_the_plan_carried_out_those_are_dry_whom_it_named(seed: int) -> None:
    """And nobody before the first valve."""
    world, broken, found = judged(seed)
    segment = found.blocks_shut
    begun = LiveSupply.of(world, ValveWork(), segment)
    done = LiveSupply.of(world, whole_plan(found), segment)

    if world.has_sources:
        assert begun.premises_dry().size == 0
    assert done.premises_dry().tolist() == found.premises_lost.tolist()
    assert done.is_trench_dry(broken)


@on_seeds
@enough
def test_a_guard_is_what_alone_keeps_the_trench_dry(seed: int) -> None:
    """Opened, it wets the trench; no other closed device does."""
    world, broken, found = judged(seed)
    work, segment = whole_plan(found), found.blocks_shut
    if not world.has_sources:
        return
    guards = set(LiveSupply.of(world, work, segment).find_guards(broken).tolist())
    kind = world.network.device_kind
    gates = np.flatnonzero(kind != DeviceKind.CONTROL_VALVE)

    for device in gates.tolist():
        if kind[device] == DeviceKind.PUMP:
            opened, less = world.with_facts(as_rows([device]), is_open=True), work
        else:
            opened = world.with_facts(as_rows([device]), position=Position.OPEN, is_open=True)
            less = work
        closed = np.setdiff1d(less.closed, [device]).astype(np.int32)
        after = LiveSupply.of(opened, ValveWork(closed, sources_shut=work.sources_shut), segment)
        assert (device in guards) == (not after.is_trench_dry(broken))


def test_two_closed_sets_take_more_than_both_apart() -> None:
    """A house between two streets has water while either street is open."""
    drawing = Drawing(
        # W - a, then a - b - d and a - c - d; the house is at d.
        pipes=["W-a", "a-b", "b-d", "a-c", "c-d"],
        valves=[(1, 0.0), (3, 0.0)],
        sources={"W": None},
        customers=[[(2, 90.0)]],
    )
    world = World.of(drawing.network())

    assert premises_lost_to(world, as_rows([0])).size == 0
    assert premises_lost_to(world, as_rows([1])).size == 0
    assert premises_lost_to(world, as_rows([0, 1])).tolist() == [0]
