"""Closed valves that would give cut-off parts their water back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gis.floods import DRAINED, HANGING, HELD, UNSUPPLIED, UNTOUCHED, let_in, spread_back
from gis.network import NONE

if TYPE_CHECKING:
    from gis.isolation import Isolation
    from gis.network import Codes, Flags, Rows
    from gis.world import World


@dataclass(frozen=True, slots=True)
class Refeed:
    """One closed valve that could be opened."""

    device: int
    properties_regained: int
    crosses_boundary: bool
    """It parts two zones: pressure or quality may differ."""


def find_refeeds(world: World, isolation: Isolation) -> list[Refeed]:
    """
    Find the closed valves whose opening brings water back to cut-off parts.

    Parameters
    ----------
    world
        The network with its devices as they are.
    isolation
        The effect of a break on it.

    Returns
    -------
    list[Refeed]
        Most properties regained first, ties in text order of the valves' ids.
        A valve is listed when any part or node that was cut off regains supply.

    Notes
    -----
    Cost: the dry blocks that lead to what was cut off, and what each valve there would fill.
    """
    lost = _blocks_with_parts(world, isolation.blocks_cut_off)
    if lost.size == 0 or world.openable.size == 0:
        return []
    mark = np.zeros(world.blocks.count, dtype=np.int8)
    mark[isolation.blocks_cut_off] = HANGING
    mark[isolation.blocks_shut] = DRAINED
    graph = (world.edges.start, world.edges.members, world.blocks.edge_blocks, world.state)
    leading = spread_back(*graph, lost, world.feeder, mark)

    found = []
    filled: dict[int, Rows] = {}
    for device, into in _candidates(world, leading, mark):
        if into not in filled:
            filled[into] = let_in(*graph, into, world.feeder, mark)
        regained = _properties_regained(world, isolation, filled[into])
        found.append(Refeed(device, regained, crosses_boundary(world, device)))
    rank = world.network.device_rank
    return sorted(found, key=lambda each: (-each.properties_regained, rank[each.device]))


def _blocks_with_parts(world: World, blocks: Rows) -> Rows:
    """Leave out the stubs between valves in series: nothing stands on them."""
    parts, nodes = world.members.parts.start, world.members.nodes.start
    return blocks[(parts[blocks + 1] > parts[blocks]) | (nodes[blocks + 1] > nodes[blocks])]


def _candidates(world: World, leading: Rows, mark: Codes) -> list[tuple[int, int]]:
    """Pair closed valves between a supplied and a leading block with that leading block."""
    touching = np.unique(world.edges.of_blocks(leading))
    # Both ascend, and the valves at hand are few.
    place = np.minimum(np.searchsorted(world.openable, touching), world.openable.size - 1)
    rows = touching[world.openable[place] == touching]
    first, second = world.blocks.edge_blocks[rows].T
    on = _has_supply(world, mark, first) & (mark[second] == HELD)
    back = _has_supply(world, mark, second) & (mark[first] == HELD)
    back &= ~world.blocks.edge_is_one_way[rows]
    pairs = [(rows[on], second[on]), (rows[back], first[back])]
    return [(int(d), int(b)) for devices, into in pairs for d, b in zip(devices, into, strict=True)]


def _has_supply(world: World, mark: Codes, blocks: Rows) -> Flags:
    """Tell which blocks have water while the break lasts."""
    has_supply: Flags = (world.feeder[blocks] != UNSUPPLIED) & (mark[blocks] == UNTOUCHED)
    return has_supply


def _properties_regained(world: World, isolation: Isolation, wet: Rows) -> int:
    network = world.network
    feeds = world.members.feeds.of_blocks(wet)
    back = np.intersect1d(network.feed_premises[feeds], isolation.premises_lost)
    return int(network.premises_properties[back].sum())


def crosses_boundary(world: World, device: int) -> bool:
    """Tell whether a device is a zone's boundary, by record or by the zones on its two sides."""
    if world.network.device_boundary[device]:
        return True
    first, second = _zones_of_sides(world, device)
    return bool(first) and bool(second) and first != second


def _zones_of_sides(world: World, device: int) -> tuple[set[int], set[int]]:
    """List the known zones on either side of a device."""
    network = world.network
    pipe = int(network.device_pipe[device])
    if pipe < 0:
        start, end = network.device_ends[device].tolist()
        return _zones_at(world, start), _zones_at(world, end)
    own = {int(network.pipe_zone[pipe])} - {NONE}
    vertices = world.blocks.edge_vertices[device] - world.blocks.nodes
    is_between = ((vertices >= 0) & (vertices < len(world.blocks.part_pipe))).all()
    if is_between:
        return own, own
    # At an end of its pipe, whichever it is of several in series there.
    at_m = network.device_at_m[device]
    end = int(at_m > network.pipe_length_m[pipe] - at_m)
    return own, _zones_at(world, int(network.pipe_ends[pipe, end]), but_of=pipe)


def _zones_at(world: World, node: int, but_of: int = NONE) -> set[int]:
    """List the known zones of the pipes at a node, one of them left out."""
    pipes = world.members.ends_at_node.of_blocks(np.array([node])) // 2
    return set(world.network.pipe_zone[pipes[pipes != but_of]].tolist()) - {NONE}
