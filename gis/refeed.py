"""Closed valves that would give cut-off parts their water back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gis.floods import UNSUPPLIED, spread
from gis.network import NONE

if TYPE_CHECKING:
    from gis.isolation import Isolation
    from gis.network import Flags, Rows
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
    """
    if isolation.blocks_cut_off.size == 0 or world.openable.size == 0:
        return []
    is_dry = world.feeder == UNSUPPLIED
    is_dry[isolation.blocks_cut_off] = True
    is_dry[isolation.blocks_shut] = False
    is_shut = np.zeros_like(is_dry)
    is_shut[isolation.blocks_shut] = True
    is_lost = np.zeros_like(is_dry)
    is_lost[_blocks_with_parts(world, isolation.blocks_cut_off)] = True

    found = []
    spreads: dict[int, Rows] = {}
    for device, into in _candidates(world, is_dry, is_shut):
        if into not in spreads:
            spreads[into] = _spread(world, into, is_dry)
        wet = spreads[into]
        if is_lost[wet].any():
            regained = _properties_regained(world, isolation, wet)
            found.append(Refeed(device, regained, crosses_boundary(world, device)))
    rank = world.network.device_rank
    return sorted(found, key=lambda each: (-each.properties_regained, rank[each.device]))


def _blocks_with_parts(world: World, blocks: Rows) -> Rows:
    """Leave out the stubs between valves in series: nothing stands on them."""
    parts, nodes = world.members.parts.start, world.members.nodes.start
    return blocks[(parts[blocks + 1] > parts[blocks]) | (nodes[blocks + 1] > nodes[blocks])]


def _candidates(world: World, is_dry: Flags, is_shut: Flags) -> list[tuple[int, int]]:
    """Pair closed valves between a supplied and a dry block with that dry block."""
    rows = world.openable
    first, second = world.blocks.edge_blocks[rows].T
    on = ~is_dry[first] & ~is_shut[first] & is_dry[second]
    back = ~is_dry[second] & ~is_shut[second] & is_dry[first]
    back &= ~world.blocks.edge_is_one_way[rows]
    pairs = [(rows[on], second[on]), (rows[back], first[back])]
    return [(int(d), int(b)) for devices, into in pairs for d, b in zip(devices, into, strict=True)]


def _spread(world: World, into: int, is_dry: Flags) -> Rows:
    edges = world.edges
    seeds = np.array([into], dtype=np.int32)
    return spread(edges.start, edges.members, world.blocks.edge_blocks, world.state, seeds, is_dry)


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
