"""A world after an edit is the world that would be built anew."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from gis.network import Position
from gis.world import World
from tests.gis.drawing import Drawing


def ladder() -> World:
    """Draw two streets and three rungs with a valve at every end, works at one corner."""
    pipes = ["A-B", "B-C", "D-E", "E-F", "A-D", "B-E", "C>F"]
    valves: list[tuple[int, float] | str] = [(p, at) for p in range(7) for at in (0.0, 100.0)]
    return World.of(Drawing(pipes=pipes, valves=valves, sources={"A": None, "F": 5.0}).network())


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 13), st.sampled_from(Position)), max_size=8))
def test_edits_carry_the_world_with_unknown_valves_closed_along(
    edits: list[tuple[int, Position]],
) -> None:
    """Whether it was asked for before the edits or only after, supply and edges are the same."""
    asked, fresh = ladder(), ladder()
    for row, position in [(3, Position.UNKNOWN), *edits]:
        asked.with_unknown_closed()
        asked = asked.with_facts(np.array([row], dtype=np.int32), position=int(position))
        fresh = fresh.with_facts(np.array([row], dtype=np.int32), position=int(position))
    carried, rebuilt = asked.with_unknown_closed(), fresh.with_unknown_closed()

    assert carried.facts.position.tolist() == rebuilt.facts.position.tolist()
    assert carried.state.tolist() == rebuilt.state.tolist()
    assert carried.openable.tolist() == rebuilt.openable.tolist()
    for name in ("feeder", "lasting_feeder"):
        has = [getattr(world, name) != -1 for world in (carried, rebuilt)]
        assert has[0].tolist() == has[1].tolist()
