"""What the tablet needs of a world to isolate by itself: a whole network, or a district of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from gis.floods import ROOT, UNSUPPLIED
from gis.segments import Groups

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gis.network import Flags, Rows
    from gis.world import World

# Where a block lies, and how one beyond the edge had its water when the pack was made.
INSIDE = 0
BEYOND_DRY = 1
BEYOND_SUPPLIED = 2
BEYOND_SUPPLIED_THROUGH = 3
"""Its water came through the district."""

# Feeds and parts of pipes in no block of the pack.
NOWHERE = -1
OUTSIDE = -2
OUTSIDE_DRY = -3


@dataclass(frozen=True, slots=True, eq=False)
class Topology:
    """
    The arrays of a pack, and the rows of the network that its rows are, all ascending.

    Attributes
    ----------
    arrays
        By name, as docs/pack-format.md describes them.
    pipes, devices, sources, premises, hydrants
        Rows of the network.
    has_sources
        Whether the network has any source, in the district or not.
    """

    arrays: dict[str, NDArray[Any]]
    pipes: Rows
    devices: Rows
    sources: Rows
    premises: Rows
    hydrants: Rows
    has_sources: bool


def topology_of(world: World, inside: Flags | None = None) -> Topology:
    """
    Collect what isolation reads of a world.

    Parameters
    ----------
    world
        The network with its devices as they are.
    inside
        Pipes of the district; None for the whole network. Shape (pipes,).

    Returns
    -------
    Topology
        Blocks are kept whole where any pipe of theirs is inside. Those behind an edge that leads
        out are kept without what is behind them.
    """
    return _Clip.of(world, inside).topology()


@dataclass(frozen=True, slots=True, eq=False)
class _Clip:
    """Which blocks and edges of a world are kept, and the number of each block in the pack."""

    world: World
    is_kept: Flags
    blocks: Rows
    """Blocks kept, then blocks beyond."""
    new_block: Rows
    """Number in the pack of each block, OUTSIDE where it has none."""
    edges: Rows
    kinds: NDArray[np.uint8]
    """Where each block of the pack lies."""
    routes: Rows
    """Pairs of blocks beyond, in the pack's numbers: the second had its water from the first."""
    ways: _Routes

    @classmethod
    def of(cls, world: World, inside: Flags | None) -> _Clip:
        blocks = world.blocks
        is_kept = np.ones(blocks.count, dtype=np.bool_)
        if inside is not None:
            is_kept = _blocks_inside(world, inside)
        ends = blocks.edge_blocks
        edges = np.flatnonzero(is_kept[ends].any(axis=1)).astype(np.int32)
        touched = np.unique(ends[edges])
        beyond = touched[~is_kept[touched]]
        order = np.concatenate([np.flatnonzero(is_kept), beyond]).astype(np.int32)
        new_block = np.full(blocks.count, OUTSIDE, dtype=np.int32)
        new_block[order] = np.arange(len(order), dtype=np.int32)
        ways = _Routes(world, is_kept, new_block >= 0)
        kinds = np.full(len(order), INSIDE, dtype=np.uint8)
        routes = []
        for block in beyond.tolist():
            kinds[new_block[block]] = ways.kind(block)
            carrier = ways.carrier(block)
            if ways.kind(block) == BEYOND_SUPPLIED_THROUGH and not is_kept[carrier]:
                routes.append((new_block[carrier], new_block[block]))
        pairs = np.array(routes, dtype=np.int32).reshape(-1, 2)
        return cls(world, is_kept, order, new_block, edges, kinds, pairs, ways)

    def topology(self) -> Topology:
        """Collect everything."""
        network, members = self.world.network, self.world.members
        devices = self.edges[self.edges < network.device_count]
        blocks = self.world.blocks
        of_part = blocks.of_vertex[blocks.nodes : blocks.nodes + len(blocks.part_pipe)]
        pipes = np.unique(blocks.part_pipe[self.is_kept[of_part]])
        sources = self._kept(members.source_block)
        hydrants = self._kept(members.hydrant_block)
        premises = self._premises()
        arrays = self._block_arrays() | self._edge_arrays()
        arrays |= self._pipe_arrays(pipes, of_part) | self._device_arrays(devices, pipes)
        arrays |= self._premises_arrays(premises)
        arrays["source_block"] = self._renumber(members.source_block[sources])
        arrays["source_is_tank"] = network.source_is_tank[sources]
        arrays["hydrant_block"] = self._renumber(members.hydrant_block[hydrants])
        has_sources = self.world.has_sources
        return Topology(arrays, pipes, devices, sources, premises, hydrants, has_sources)

    def _is_whole(self) -> bool:
        return bool(self.is_kept.all())

    def _kept(self, block: Rows) -> Rows:
        """List the rows in blocks of the district; all of them in a whole network."""
        if self._is_whole():
            return np.arange(len(block), dtype=np.int32)
        return np.flatnonzero((block >= 0) & self.is_kept[block]).astype(np.int32)

    def _renumber(self, block: Rows) -> Rows:
        return np.where(block >= 0, self.new_block[block], np.int32(NOWHERE)).astype(np.int32)

    def _block_arrays(self) -> dict[str, NDArray[Any]]:
        flat = Groups.of(self._edge_blocks(), len(self.blocks))
        return {
            "block_beyond": self.kinds,
            "block_stands": _stands(self.world)[self.blocks],
            "block_edge_start": flat.start.astype(np.int32),
            "block_edges": flat.members // 2,
        }

    def _edge_blocks(self) -> Rows:
        ends = self._renumber(self.world.blocks.edge_blocks[self.edges].ravel())
        return np.concatenate([ends, self.routes.ravel()])

    def _edge_arrays(self) -> dict[str, NDArray[Any]]:
        blocks = self.world.blocks
        ends = blocks.edge_blocks[self.edges]
        is_within = self.is_kept[ends[:, 0]] & self.is_kept[ends[:, 1]]
        route = np.ones(len(self.routes), dtype=np.bool_)
        return {
            "edge_blocks": self._edge_blocks(),
            "edge_is_one_way": np.concatenate([blocks.edge_is_one_way[self.edges], route]),
            "edge_is_dead": np.concatenate([blocks.edge_is_dead[self.edges], ~route]),
            "edge_is_pack_edge": np.concatenate([~is_within, ~route]),
            "edge_is_route": np.concatenate([np.zeros_like(is_within), route]),
        }

    def _device_arrays(self, devices: Rows, pipes: Rows) -> dict[str, NDArray[Any]]:
        network, facts = self.world.network, self.world.facts
        new_pipe = np.full(network.pipe_count + 1, NOWHERE, dtype=np.int32)
        new_pipe[pipes] = np.arange(len(pipes), dtype=np.int32)
        return {
            "device_kind": network.device_kind[devices],
            "device_is_open": self.world.is_open[devices],
            "device_boundary": network.device_boundary[devices],
            "device_position": facts.position[devices],
            "device_operability": facts.operability[devices],
            "device_reachable": facts.reachable[devices],
            "device_pipe": new_pipe[network.device_pipe[devices]],
            "device_at_m": network.device_at_m[devices],
        }

    def _pipe_arrays(self, pipes: Rows, of_part: Rows) -> dict[str, NDArray[Any]]:
        network, blocks = self.world.network, self.world.blocks
        first = np.zeros(len(pipes) + 1, dtype=np.int32)
        np.cumsum(blocks.first_part[pipes + 1] - blocks.first_part[pipes], out=first[1:])
        parts = Groups(blocks.first_part, np.arange(len(blocks.part_pipe), dtype=np.int32))
        kept = parts.of_blocks(pipes)
        return {
            "pipe_first_part": first,
            "pipe_length_m": network.pipe_length_m[pipes],
            "pipe_is_open": network.pipe_is_open[pipes],
            "pipe_is_one_way": network.pipe_is_one_way[pipes],
            "part_start_m": blocks.part_start_m[kept],
            "part_end_m": blocks.part_end_m[kept],
            "part_block": self._renumber(of_part[kept]),
        }

    def _premises(self) -> Rows:
        network, members = self.world.network, self.world.members
        if self._is_whole():
            return np.arange(network.premises_count, dtype=np.int32)
        return np.unique(network.feed_premises[self._kept(members.feed_block)])

    def _feed_blocks(self, block: Rows) -> Rows:
        """Give the blocks of feeds; one outside hangs on the block that carried its water."""
        found = self._renumber(block)
        for row in np.flatnonzero(found == OUTSIDE).tolist():
            carrier = self.ways.carrier(int(block[row]))
            ends = {UNSUPPLIED: OUTSIDE_DRY, ROOT: OUTSIDE}
            found[row] = ends[carrier] if carrier in ends else self.new_block[carrier]
        return found

    def _premises_arrays(self, premises: Rows) -> dict[str, NDArray[Any]]:
        network, members = self.world.network, self.world.members
        feeds = members.feeds_of_premises.of_blocks(premises)
        of_premises = np.searchsorted(premises, network.feed_premises[feeds]).astype(np.int32)
        feed_block = self._feed_blocks(members.feed_block[feeds])
        in_pack = np.maximum(feed_block, NOWHERE)
        by_block = Groups.of(in_pack, len(self.blocks))
        start = Groups.of(of_premises, len(premises)).start
        return {
            "premises_properties": network.premises_properties[premises],
            "premises_people": network.premises_people[premises],
            "premises_is_critical": network.premises_is_critical[premises],
            "premises_is_guessed": network.premises_is_guessed[premises],
            "premises_feed_start": start.astype(np.int32),
            "feed_premises": of_premises,
            "feed_block": feed_block,
            "block_feed_start": by_block.start.astype(np.int32),
            "block_feeds": by_block.members,
        }


def _blocks_inside(world: World, inside: Flags) -> Flags:
    """Choose the blocks with a pipe inside, and what stands between devices beside these."""
    blocks, parts = world.blocks, world.members.parts
    of_part = blocks.of_vertex[blocks.nodes : blocks.nodes + len(blocks.part_pipe)]
    is_kept = np.zeros(blocks.count, dtype=np.bool_)
    is_kept[of_part[inside[blocks.part_pipe]]] = True
    has_parts = parts.start[1:] > parts.start[:-1]
    ends = blocks.edge_blocks
    while True:
        # A stub, or a crossing with a valve on each arm, has no pipe that could tell.
        border = ends[is_kept[ends].any(axis=1)].ravel()
        more = border[~is_kept[border] & ~has_parts[border]]
        if not more.size:
            return is_kept
        is_kept[more] = True


def _stands(world: World) -> Flags:
    """Tell which blocks count as supplied where no source is recorded: none of a closed pipe."""
    parts = world.members.parts
    first = parts.members[np.minimum(parts.start[:-1], max(parts.members.size - 1, 0))]
    has_parts = parts.start[1:] > parts.start[:-1]
    stands = np.ones(world.blocks.count, dtype=np.bool_)
    stands[has_parts] = world.network.pipe_is_open[world.blocks.part_pipe[first[has_parts]]]
    return stands


@dataclass(frozen=True, slots=True, eq=False)
class _Routes:
    """By which ways water came to blocks outside the district, along the supply forest."""

    world: World
    is_kept: Flags
    is_in_pack: Flags
    _carriers: dict[int, int] = field(default_factory=dict)
    _kinds: dict[int, int] = field(default_factory=dict)

    def carrier(self, block: int) -> int:
        """Give the next block upstream that is in the pack; ROOT or UNSUPPLIED if none is."""
        trail, found = [], block
        while found >= 0 and (found == block or not self.is_in_pack[found]):
            if found in self._carriers:
                found = self._carriers[found]
                break
            trail.append(found)
            edge = int(self.world.feeder[found])
            ends = self.world.blocks.edge_blocks
            found = edge if edge < 0 else int(ends[edge].sum()) - found
        self._carriers.update(dict.fromkeys(trail, found))
        return found

    def kind(self, block: int) -> int:
        """Tell how a block beyond the edge had its water."""
        trail = []
        while block not in self._kinds:
            carrier = self.carrier(block)
            if carrier >= 0 and not self.is_kept[carrier]:
                trail.append(block)
                block = carrier
                continue
            ends = {UNSUPPLIED: BEYOND_DRY, ROOT: BEYOND_SUPPLIED}
            self._kinds[block] = ends.get(carrier, BEYOND_SUPPLIED_THROUGH)
        self._kinds.update(dict.fromkeys(trail, self._kinds[block]))
        return self._kinds[block]
