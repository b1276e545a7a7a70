"""Parts, blocks and segments: which pieces of a network drain together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from gis.network import DeviceKind

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gis.network import Flags, Network, Numbers, Rows

SNAP_M = 0.5
"""A valve this near to a pipe's end stands at that end."""
SAME_PLACE_M = 1e-3
"""Two places along a pipe nearer than this are one place."""


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """
    Members of each block, as one array cut into runs.

    Attributes
    ----------
    start
        Where the run of each block begins. Shape (blocks + 1,).
    members
        Row numbers, block by block, ascending within a block. Shape (members,).
    """

    start: NDArray[np.int64]
    members: Rows

    @classmethod
    def of(cls, block: Rows, count: int) -> Groups:
        """Group the rows 0, 1, 2, ... by their `block`; -1 is in no group."""
        rows = np.flatnonzero(block >= 0).astype(np.int32)
        order = np.argsort(block[rows], kind="stable")
        start = np.zeros(count + 1, dtype=np.int64)
        np.cumsum(np.bincount(block[rows], minlength=count), out=start[1:])
        return cls(start, rows[order])

    def of_blocks(self, blocks: Rows) -> Rows:
        """List the members of these blocks, run after run."""
        first, length = self.start[blocks], self.start[blocks + 1] - self.start[blocks]
        total = int(length.sum())
        if total == 0:
            return self.members[:0]
        skipped = np.repeat(first - np.concatenate([[0], np.cumsum(length)[:-1]]), length)
        return self.members[skipped + np.arange(total)]


@dataclass(frozen=True, slots=True, eq=False)
class Blocks:
    """
    A network taken apart at its devices: what no closing of a valve can part.

    Vertices are the nodes, then the parts of pipes between mid-pipe valves,
    then the stubs between valves in series at a pipe's end. Vertices joined
    for good form one block. Edges join blocks: one edge a device, in the order
    of the devices, then one for the check of each open one-way pipe.

    Attributes
    ----------
    count
        Number of blocks.
    of_vertex
        Block of each vertex. Shape (vertices,).
    nodes
        Number of nodes: vertex `nodes + k` is part k.
    part_pipe, part_start_m, part_end_m
        Pipe of each part, and where it runs from and to. Shape (parts,).
    first_part
        Row of the first part of each pipe, and the number of parts at the end. Shape (pipes + 1,).
    edge_vertices
        The two vertices of each edge, from the pipe's or the link's start. Shape (edges, 2).
    edge_blocks
        The two blocks of each edge. Shape (edges, 2).
    edge_is_dead
        Whether the device stands on a closed pipe, or nowhere. Shape (edges,).
    edge_is_one_way
        Whether water can pass only from the first vertex to the second. Shape (edges,).
    """

    count: int
    of_vertex: Rows
    nodes: int
    part_pipe: Rows
    part_start_m: Numbers
    part_end_m: Numbers
    first_part: NDArray[np.int64]
    edge_vertices: Rows
    edge_blocks: Rows
    edge_is_dead: Flags
    edge_is_one_way: Flags

    def part_at(self, pipe: Rows, at_m: Numbers) -> NDArray[np.int64]:
        """
        Find the part of each pipe that holds a place.

        Parameters
        ----------
        pipe, at_m
            Pipe row and metres from its start. Shape (places,). A place at a
            valve belongs to the part nearer the start.

        Returns
        -------
        NDArray[np.int64]
            Row of the part. Shape (places,).
        """
        first, last = self.first_part[pipe], self.first_part[pipe + 1] - 1
        found = first.copy()
        # Few pipes have several parts and those have few: walk on while the part ends before.
        moving = np.flatnonzero(first < last)
        while moving.size:
            here = found[moving]
            further = (here < last[moving]) & (self.part_end_m[here] < at_m[moving] - SAME_PLACE_M)
            moving = moving[further]
            found[moving] += 1
        return found


def snap_places(
    length_m: Numbers, at_m: Numbers, snap_m: float = SNAP_M
) -> tuple[Numbers, NDArray[np.int8]]:
    """
    Move valves that stand near a pipe's end to that end.

    Parameters
    ----------
    length_m, at_m
        Length of the valve's pipe and the valve's place on it. Shape (valves,).
    snap_m
        How near is at the end. A pipe shorter than twice this has no middle:
        its valves go to the nearer end, a tie to the start.

    Returns
    -------
    places
        0 or the pipe's length for valves at an end, rounded to a micrometre. Shape (valves,).
    ends
        0 at the start, 1 at the end, -1 between. Shape (valves,).
    """
    at_m = np.round(np.clip(at_m, 0.0, length_m), 6).astype(np.float64)
    is_short = length_m < 2 * snap_m
    at_start = np.where(is_short, at_m <= length_m - at_m, at_m <= snap_m)
    at_end = ~at_start & (is_short | (at_m >= length_m - snap_m))
    places = np.where(at_start, 0.0, np.where(at_end, length_m, at_m))
    ends = np.where(at_start, 0, np.where(at_end, 1, -1)).astype(np.int8)
    return places, ends


def divide(network: Network, snap_m: float = SNAP_M) -> Blocks:
    """
    Take a network apart at its valves, pumps, control valves and checks.

    Parameters
    ----------
    network
        The network; the facts of its devices are not read.
    snap_m
        A valve this near to a pipe's end stands between the pipe and the node.

    Returns
    -------
    Blocks
        Every node and every part of a pipe in exactly one block.

    Notes
    -----
    Segments are those of Walski (1993), "Water distribution valve topology
    for reliability analysis", Reliability Engineering and System Safety
    42(1), 21-27. Both pipes and nodes are vertices here, so that a valve may
    stand at either end of a pipe or in its middle.
    """
    on_pipe = np.flatnonzero(network.device_pipe >= 0)
    pipe = network.device_pipe[on_pipe]
    places, ends = snap_places(network.pipe_length_m[pipe], network.device_at_m[on_pipe], snap_m)
    # Along the pipe: valves at the start, between, at the end.
    along = np.where(ends == 0, 0, np.where(ends < 0, 1, 2))
    order = np.lexsort((network.device_rank[on_pipe], places, along, pipe))
    valves = _PipeValves(on_pipe[order], pipe[order], places[order], along[order])
    return _join(network, valves)


@dataclass(frozen=True, slots=True, eq=False)
class _PipeValves:
    """Valves on pipes, sorted along each pipe. `along`: 0 start, 1 middle, 2 end."""

    device: NDArray[np.int64]
    pipe: Rows
    place_m: Numbers
    along: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class _Numbering:
    """Vertex numbers of every pipe: its parts, and the stubs between valves at its ends."""

    valves_along: list[NDArray[np.int64]]
    first_part: NDArray[np.int64]
    first_stub: NDArray[np.int64]
    part_0: NDArray[np.int64]
    part_n: NDArray[np.int64]
    has_check: Flags
    """Whether a stub stands between the last valve at the pipe's end and the check."""

    @classmethod
    def of(cls, network: Network, valves: _PipeValves) -> _Numbering:
        pipes = network.pipe_count
        along = [np.bincount(valves.pipe[valves.along == k], minlength=pipes) for k in range(3)]
        first_part = np.zeros(pipes + 1, dtype=np.int64)
        np.cumsum(1 + along[1], out=first_part[1:])
        has_check = network.pipe_is_one_way & (along[2] > 0)
        stubs = np.maximum(along[0] - 1, 0) + np.maximum(along[2] - 1, 0) + has_check
        first_stub = np.zeros(pipes + 1, dtype=np.int64)
        np.cumsum(stubs, out=first_stub[1:])
        nodes = network.node_count
        return cls(
            valves_along=along,
            first_part=first_part,
            first_stub=first_stub + nodes + first_part[-1],
            part_0=nodes + first_part[:-1],
            part_n=nodes + first_part[1:] - 1,
            has_check=has_check,
        )

    def walk(self, network: Network, valves: _PipeValves) -> NDArray[np.int64]:
        """Find the vertex before and behind each valve, seen from the pipe's start."""
        sides = np.empty((len(valves.pipe), 2), dtype=np.int64)
        at_start, between, at_end = (np.flatnonzero(valves.along == k) for k in range(3))

        pipe, nth = valves.pipe[at_start], _count_within(valves.pipe[at_start])
        stub = self.first_stub[pipe] + nth
        is_last = nth == self.valves_along[0][pipe] - 1
        sides[at_start, 0] = np.where(nth == 0, network.pipe_ends[pipe, 0], stub - 1)
        sides[at_start, 1] = np.where(is_last, self.part_0[pipe], stub)

        pipe, nth = valves.pipe[between], _count_within(valves.pipe[between])
        sides[between, 0] = self.part_0[pipe] + nth
        sides[between, 1] = self.part_0[pipe] + nth + 1

        pipe, nth = valves.pipe[at_end], _count_within(valves.pipe[at_end])
        stub = self.first_stub[pipe] + np.maximum(self.valves_along[0][pipe] - 1, 0) + nth
        is_last = (nth == self.valves_along[2][pipe] - 1) & ~self.has_check[pipe]
        sides[at_end, 0] = np.where(nth == 0, self.part_n[pipe], stub - 1)
        sides[at_end, 1] = np.where(is_last, network.pipe_ends[pipe, 1], stub)
        return sides

    def joints(self, network: Network) -> NDArray[np.int64]:
        """Pair the vertices that no device parts. A closed pipe is joined to nothing."""
        is_open = network.pipe_is_open
        start = np.flatnonzero(is_open & (self.valves_along[0] == 0))
        is_plain = (self.valves_along[2] == 0) & ~network.pipe_is_one_way
        end = np.flatnonzero(is_open & is_plain)
        return np.concatenate(
            [
                np.column_stack([self.part_0[start], network.pipe_ends[start, 0]]),
                np.column_stack([self.part_n[end], network.pipe_ends[end, 1]]),
            ]
        )

    def checks(self, network: Network) -> NDArray[np.int64]:
        """Pair the vertices before and behind the check of each open one-way pipe."""
        pipes = np.flatnonzero(network.pipe_is_open & network.pipe_is_one_way)
        last_stub = self.first_stub[pipes + 1] - 1
        before = np.where(self.has_check[pipes], last_stub, self.part_n[pipes])
        return np.column_stack([before, network.pipe_ends[pipes, 1]])


def _join(network: Network, valves: _PipeValves) -> Blocks:
    numbering = _Numbering.of(network, valves)
    count, of_vertex = _label(numbering.joints(network), int(numbering.first_stub[-1]))
    sides, checks = numbering.walk(network, valves), numbering.checks(network)

    devices = network.device_count
    edges = np.zeros((devices + len(checks), 2), dtype=np.int32)
    edges[:devices] = np.maximum(network.device_ends, 0)
    edges[valves.device] = sides
    edges[devices:] = checks
    is_dead = np.zeros(len(edges), dtype=np.bool_)
    is_dead[:devices] = (network.device_ends < 0).any(axis=1)
    is_dead[valves.device] = ~network.pipe_is_open[valves.pipe]
    is_one_way = np.ones(len(edges), dtype=np.bool_)
    is_one_way[:devices] = network.device_kind != DeviceKind.VALVE
    # Towards a check at the pipe's end water can only go on.
    is_one_way[valves.device] |= (valves.along == 2) & network.pipe_is_one_way[valves.pipe]

    middle = valves.along == 1
    parts_of_pipe = np.diff(numbering.first_part)
    part_start_m = np.zeros(int(parts_of_pipe.sum()))
    part_end_m = np.repeat(network.pipe_length_m, parts_of_pipe)
    part_end_m[sides[middle, 0] - network.node_count] = valves.place_m[middle]
    part_start_m[sides[middle, 1] - network.node_count] = valves.place_m[middle]
    return Blocks(
        count=count,
        of_vertex=of_vertex,
        nodes=network.node_count,
        part_pipe=np.repeat(np.arange(network.pipe_count, dtype=np.int32), parts_of_pipe),
        part_start_m=part_start_m,
        part_end_m=part_end_m,
        first_part=numbering.first_part,
        edge_vertices=edges,
        edge_blocks=of_vertex[edges],
        edge_is_dead=is_dead,
        edge_is_one_way=is_one_way,
    )


def _count_within(group: Rows) -> NDArray[np.int64]:
    """Count off the members of each run of equal values: 0, 1, 2, ..."""
    if group.size == 0:
        return np.zeros(0, dtype=np.int64)
    starts = np.flatnonzero(np.concatenate([[True], group[1:] != group[:-1]]))
    lengths = np.diff(np.concatenate([starts, [group.size]]))
    return np.arange(group.size) - np.repeat(starts, lengths)


def _label(joints: NDArray[np.int64], vertices: int) -> tuple[int, Rows]:
    """Label connected components by number, in the order of their first vertex."""
    ones = np.ones(len(joints), dtype=np.int8)
    graph = coo_array((ones, (joints[:, 0], joints[:, 1])), shape=(vertices, vertices))
    count, label = connected_components(graph, directed=False)
    return int(count), label.astype(np.int32)
