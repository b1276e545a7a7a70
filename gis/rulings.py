"""A break judged: what it takes away, what brings water back, which valves leave a doubt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gis.isolation import isolate
from gis.network import DeviceKind, Operability, Position
from gis.refeed import find_refeeds

if TYPE_CHECKING:
    from gis.isolation import Break, Isolation
    from gis.network import Rows
    from gis.refeed import Refeed
    from gis.world import World


@dataclass(frozen=True, slots=True, eq=False)
class Ruling:
    """
    All that is said of a break, as rows.

    Attributes
    ----------
    world, broken
        The network as it is taken to be, and what breaks.
    isolation
        The effect of isolating it.
    refeeds
        Closed valves that would bring water back, the best first.
    """

    world: World
    broken: Break
    isolation: Isolation
    refeeds: list[Refeed]

    @classmethod
    def of(cls, world: World, broken: Break) -> Ruling:
        """
        Judge a break.

        Raises
        ------
        IndexError
            If something broken is not in the network, or a place not on its pipe.
        """
        isolation = isolate(world, broken)
        return cls(world, broken, isolation, find_refeeds(world, isolation))

    def says_the_same_as(self, other: Ruling) -> bool:
        """Compare all that an answer tells."""
        mine, theirs = self.isolation, other.isolation
        lists = (
            *("valves_to_close", "valves_optional", "valves_verify_shut", "pumps_to_stop"),
            *("sources_shut", "pipes_shut", "pipes_cut_off", "premises_shut"),
            *("premises_cut_off", "premises_already_dry", "hydrants_dry"),
        )
        same = all(np.array_equal(getattr(mine, one), getattr(theirs, one)) for one in lists)
        return same and self.refeeds == other.refeeds

    @property
    def border(self) -> Rows:
        """Every device that a crew has to do with. Shape (devices,), each list ascending."""
        found = self.isolation
        return np.concatenate(
            [
                found.valves_to_close,
                found.valves_optional,
                found.valves_verify_shut,
                found.pumps_to_stop,
            ]
        )

    @property
    def has_water_to_stop(self) -> bool:
        """Whether there is a job at all: what breaks on closed pipes alone drains by itself."""
        broken, is_open = self.broken, self.world.network.pipe_is_open
        others = (broken.nodes, broken.devices, broken.hydrants, broken.closing)
        return any(map(len, others)) or any(bool(is_open[pipe]) for pipe, _ in broken.pipes)


def _gates_touching(world: World, blocks: Rows) -> Rows:
    """List the live isolation valves at some blocks."""
    edges = np.unique(world.edges.of_blocks(blocks))
    devices = edges[edges < world.network.device_count]
    kind = world.network.device_kind[devices]
    has_gate = (kind == DeviceKind.VALVE) | (kind == DeviceKind.ISOLATING_CONTROL_VALVE)
    found: Rows = devices[has_gate & ~world.blocks.edge_is_dead[devices]]
    return found


def find_stuck(ruling: Ruling) -> Rows:
    """List the open valves that cannot be closed and so let the segment grow past them."""
    world, isolation = ruling.world, ruling.isolation
    gates = _gates_touching(world, isolation.blocks_shut)
    facts = world.facts
    cannot = (facts.operability[gates] == Operability.INOPERABLE) | ~facts.reachable[gates]
    gates = gates[cannot & (world.state[gates] > 0)]
    inside = np.isin(world.blocks.edge_blocks[gates], isolation.blocks_shut).all(axis=1)
    found: Rows = gates[inside]
    return found


def find_doubtful(ruling: Ruling, other: Ruling | None) -> Rows:
    """
    List the valves of unknown position at what either answer takes away.

    Parameters
    ----------
    ruling, other
        With valves of unknown position open, and with them closed where that differs.
    """
    world = ruling.world
    if not (world.facts.position == Position.UNKNOWN).any():
        return ruling.isolation.valves_to_close[:0]
    blocks = [ruling.isolation.blocks_shut]
    for one in (ruling, other) if other else ():
        blocks += [one.isolation.blocks_shut, one.isolation.blocks_cut_off]
    gates = _gates_touching(world, np.unique(np.concatenate(blocks)))
    found: Rows = gates[world.facts.position[gates] == Position.UNKNOWN]
    return found
