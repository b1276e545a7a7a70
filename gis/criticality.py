"""What every segment and every valve of a network would cost if it failed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from gis.floods import BACKWARD, CLOSABLE, FORWARD
from gis.isolation import isolate_blocks
from gis.network import DeviceKind
from gis.segments import Groups

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gis.isolation import Isolation
    from gis.network import Network, Rows
    from gis.world import World


@dataclass(frozen=True, slots=True, eq=False)
class Segments:
    """
    Blocks that are joined both ways past nothing closed or closable.

    Attributes
    ----------
    count
        Number of segments.
    of_block
        Segment of each block. Shape (blocks,).
    blocks
        Blocks of each segment.
    """

    count: int
    of_block: Rows
    blocks: Groups


@dataclass(frozen=True, slots=True)
class Loss:
    """Properties and critical premises that lose supply together."""

    properties_shut: int
    properties_cut_off: int
    critical: int

    @property
    def properties(self) -> int:
        """Shut and cut off together."""
        return self.properties_shut + self.properties_cut_off

    @classmethod
    def of(cls, network: Network, isolation: Isolation) -> Loss:
        """Add up the premises of an isolation."""
        count = network.premises_properties
        return cls(
            properties_shut=int(count[isolation.premises_shut].sum()),
            properties_cut_off=int(count[isolation.premises_cut_off].sum()),
            critical=int(network.premises_is_critical[isolation.premises_lost].sum()),
        )


@dataclass(frozen=True, slots=True)
class ValveLoss:
    """What the failure of a closed-in-need valve costs: both its segments shut as one."""

    device: int
    properties_lost: int
    extra: int
    """Beyond the larger of the two segments' own losses."""


def find_segments(world: World) -> Segments:
    """
    Divide the network as its devices are now: a valve that cannot be closed parts nothing.

    Notes
    -----
    Joined both ways means strongly connected by the edges that pass water
    and cannot be closed, so a one-way link alone does not join its two sides.
    """
    edges = np.flatnonzero((world.state & CLOSABLE) == 0)
    first, second = world.blocks.edge_blocks[edges].T
    on = (world.state[edges] & FORWARD) > 0
    back = (world.state[edges] & BACKWARD) > 0
    tails = np.concatenate([first[on], second[back]])
    heads = np.concatenate([second[on], first[back]])
    count = world.blocks.count
    graph = coo_array((np.ones(tails.size, dtype=np.int8), (tails, heads)), shape=(count, count))
    number, label = connected_components(graph, connection="strong")
    of_block = label.astype(np.int32)
    return Segments(int(number), of_block, Groups.of(of_block, int(number)))


def isolate_each(world: World, segments: Segments) -> Iterator[Isolation]:
    """Isolate every segment in turn, in the order of their numbers."""
    for number in range(segments.count):
        one = segments.blocks.start[number]
        yield isolate_blocks(world, segments.blocks.members[one : one + 1])


def valve_losses(world: World, segments: Segments, losses: list[Loss]) -> list[ValveLoss]:
    """
    Shut the two segments of every isolation valve as one.

    Parameters
    ----------
    world, segments
        The network, and its segments as they are now.
    losses
        The loss of each segment by itself, in the order of their numbers.

    Returns
    -------
    list[ValveLoss]
        Every isolation valve in the order of devices. Zero where the valve is
        closed, stands on a closed pipe, or has one segment on both sides.
    """
    network = world.network
    kind = network.device_kind
    has_gate = (kind == DeviceKind.VALVE) | (kind == DeviceKind.ISOLATING_CONTROL_VALVE)
    onward = _behind_checks(world)
    found = []
    for device in np.flatnonzero(has_gate).tolist():
        sides = onward[world.blocks.edge_blocks[device]]
        first, second = segments.of_block[sides]
        if world.state[device] == 0 or first == second:
            found.append(ValveLoss(device, 0, 0))
            continue
        together = Loss.of(network, isolate_blocks(world, np.unique(sides))).properties
        larger = max(losses[first].properties, losses[second].properties)
        found.append(ValveLoss(device, together, together - larger))
    return found


def _behind_checks(world: World) -> Rows:
    """Give each block itself, but for the joint between a valve and a check what lies beyond."""
    blocks = world.blocks
    onward = np.arange(blocks.count, dtype=np.int32)
    checks = slice(world.network.device_count, None)
    is_stub = blocks.edge_vertices[checks, 0] >= blocks.nodes + len(blocks.part_pipe)
    before, behind = blocks.edge_blocks[checks][is_stub].T
    onward[before] = behind
    return onward
