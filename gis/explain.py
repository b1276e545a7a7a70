"""Why somebody has water or has none: the path that brings it, or what parts it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gis.floods import DRAINED, ROOT, UNSUPPLIED, spread

if TYPE_CHECKING:
    from gis.isolation import Isolation
    from gis.network import Codes, Rows
    from gis.world import World


@dataclass(frozen=True, slots=True)
class SupplyPath:
    """
    A way that water takes.

    Attributes
    ----------
    source
        The source it comes from.
    devices
        Devices it passes, in the order of the flow.
    pipes
        Pipes it runs through, in the order of the flow.
    """

    source: int
    devices: tuple[int, ...]
    pipes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Parted:
    """
    Why there is no way from any source.

    Attributes
    ----------
    devices
        Closed, or to be closed, at the edge of all that could reach the place.
    segment_is_between
        Whether the drained segment is part of that edge.
    """

    devices: tuple[int, ...]
    segment_is_between: bool


def explain_block(world: World, isolation: Isolation, block: int) -> SupplyPath | Parted:
    """
    Explain why a block has supply or has none once a break is isolated.

    Parameters
    ----------
    world, isolation
        The network, and the effect of the break on it.
    block
        The block asked about.

    Returns
    -------
    SupplyPath or Parted
        A path for a block with supply; for a dry one what parts it from
        every source. A block on the segment is parted by the segment's border.
    """
    feeder, mark = _supply_after(world, isolation)
    if mark[block] == DRAINED:
        border = [isolation.valves_to_close, isolation.valves_verify_shut, isolation.pumps_to_stop]
        return Parted(tuple(np.unique(np.concatenate(border)).tolist()), segment_is_between=True)
    if feeder[block] == UNSUPPLIED:
        return _parted(world, feeder, mark, block)
    return _path(world, feeder, block)


def explain_valve(world: World, isolation: Isolation, device: int) -> SupplyPath | None:
    """
    Show the path by which water would reach the segment if this border valve stayed open.

    Returns
    -------
    SupplyPath or None
        None where there is no supply behind the valve: it is optional.
    """
    feeder, mark = _supply_after(world, isolation)
    sides = world.blocks.edge_blocks[device].tolist()
    for block in sides:
        if mark[block] != DRAINED and feeder[block] != UNSUPPLIED:
            return _path(world, feeder, block)
    return None


def _supply_after(world: World, isolation: Isolation) -> tuple[Rows, Codes]:
    """Give the feeder of each block once the break is isolated, and the marks of the search."""
    hanging, new_feeder, mark = world.take_away(isolation.blocks_shut, isolation.closing)
    feeder = world.feeder.copy()
    feeder[hanging] = new_feeder
    feeder[isolation.blocks_shut] = UNSUPPLIED
    return feeder, mark


def _parted(world: World, feeder: Rows, mark: Codes, block: int) -> Parted:
    """Flood the dry part around a block and list the devices at its edge."""
    is_dry = (feeder == UNSUPPLIED) & (mark != DRAINED)
    passable = world.state.copy()
    passable[passable > 0] |= 3  # look both ways: what could bring water, not only what does
    seeds = np.array([block], dtype=np.int32)
    edges, ends = world.edges, world.blocks.edge_blocks
    dry = spread(edges.start, edges.members, ends, passable, seeds, is_dry)
    inside = np.zeros(world.blocks.count, dtype=np.bool_)
    inside[dry] = True
    touching = np.unique(edges.of_blocks(dry))
    first, second = ends[touching].T
    at_edge = inside[first] != inside[second]
    outside = np.where(inside[first], second, first)[at_edge]
    devices = touching[at_edge]
    is_device = devices < world.network.device_count
    return Parted(
        devices=tuple(devices[is_device].tolist()),
        segment_is_between=bool((mark[outside] == DRAINED).any()),
    )


def _path(world: World, feeder: Rows, block: int) -> SupplyPath:
    """Follow the feeders up to a source, then find the pipes in between, block by block."""
    ends, vertices = world.blocks.edge_blocks, world.blocks.edge_vertices
    edges: list[int] = []
    blocks = [block]
    while feeder[blocks[-1]] != ROOT:
        edge = int(feeder[blocks[-1]])
        edges.append(edge)
        first, second = ends[edge].tolist()
        blocks.append(first if second == blocks[-1] else second)
    edges.reverse()
    blocks.reverse()
    source = int(world.members.sources.of_blocks(np.array(blocks[:1]))[0])

    here = int(world.network.source_node[source])
    pipes: list[int] = []
    for number, edge in enumerate(edges):
        near, far = vertices[edge].tolist()
        if ends[edge, 0] != blocks[number]:
            near, far = far, near
        pipes += _pipes_between(world, blocks[number], here, near)
        here = far
    members = world.members.parts.of_blocks(np.array(blocks[-1:]))
    if members.size:
        pipes += _pipes_between(world, blocks[-1], here, world.blocks.nodes + int(members[0]))
    devices = [edge for edge in edges if edge < world.network.device_count]
    return SupplyPath(source, tuple(devices), tuple(dict.fromkeys(pipes)))


def _pipes_between(world: World, block: int, start: int, goal: int) -> list[int]:
    """List the pipes on a shortest way inside a block, by number of pipes."""
    blocks, network = world.blocks, world.network
    parts = world.members.parts.of_blocks(np.array([block]))
    neighbours: dict[int, list[int]] = {}
    for part in parts.tolist():
        pipe = int(blocks.part_pipe[part])
        for node in network.pipe_ends[pipe].tolist():
            if blocks.of_vertex[node] == block:
                neighbours.setdefault(node, []).append(blocks.nodes + part)
                neighbours.setdefault(blocks.nodes + part, []).append(node)
    came: dict[int, int] = {start: start}
    queue = deque([start])
    while queue and goal not in came:
        here = queue.popleft()
        for other in neighbours.get(here, []):
            if other not in came:
                came[other] = here
                queue.append(other)
    found = []
    here = goal if goal in came else start
    while True:
        if here >= blocks.nodes and here - blocks.nodes < len(blocks.part_pipe):
            found.append(int(blocks.part_pipe[here - blocks.nodes]))
        if came[here] == here:
            return found[::-1]
        here = came[here]
