"""Which valves to close around a break, and who loses supply by it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from gis.floods import BACKWARD, DRAINED, FORWARD, HANGING, UNSUPPLIED, UNTOUCHED, drain
from gis.network import DeviceKind
from gis.world import block_of_places

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gis.network import Codes, Flags, Rows
    from gis.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """
    Where water escapes: any number of places, all at once, by row number.

    Attributes
    ----------
    pipes
        Pipe and metres from its start; None for the metres is the whole pipe.
    nodes, devices, hydrants
        Every part that touches them is broken too.
    closing
        Devices that are closed besides, whether or not they part the break from anything.
    """

    pipes: Sequence[tuple[int, float | None]] = ()
    nodes: Sequence[int] = ()
    devices: Sequence[int] = ()
    hydrants: Sequence[int] = ()
    closing: Sequence[int] = ()


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Isolation:
    """
    The effect of isolating a break. Every array holds ascending row numbers.

    Attributes
    ----------
    blocks_shut, blocks_cut_off
        Blocks on the segment that is drained; blocks elsewhere that had supply and have none now.
    valves_to_close, valves_optional, valves_verify_shut, pumps_to_stop
        Devices: open border valves with supply behind them; those without; closed
        valves that keep supply from the segment; running pumps with an end on it.
    sources_shut
        Sources on the segment: while there are any, closing valves does not stop the water.
    parts_shut, parts_cut_off
        Parts of pipes.
    pipes_shut, pipes_cut_off
        Pipes with any such part.
    premises_shut, premises_cut_off, premises_already_dry
        Premises that lose supply with a feed on the segment, or without one;
        premises with a feed on the segment that had no supply before.
    hydrants_dry
        Hydrants that had supply and have none now.
    has_sources
        Without any source recorded nobody can be told to be cut off or dry before:
        `blocks_cut_off` and what follows from it are then empty and mean nothing.
    """

    blocks_shut: Rows
    blocks_cut_off: Rows
    valves_to_close: Rows
    valves_optional: Rows
    valves_verify_shut: Rows
    pumps_to_stop: Rows
    sources_shut: Rows
    parts_shut: Rows
    parts_cut_off: Rows
    pipes_shut: Rows
    pipes_cut_off: Rows
    premises_shut: Rows
    premises_cut_off: Rows
    premises_already_dry: Rows
    hydrants_dry: Rows
    has_sources: bool
    closing: Rows = field(default_factory=lambda: np.zeros(0, dtype=np.int32))

    @property
    def is_isolated(self) -> bool:
        """Whether closing valves and stopping pumps stops the water."""
        return self.sources_shut.size == 0

    @property
    def premises_lost(self) -> Rows:
        """Premises that lose supply, shut and cut off together. Ascending."""
        return np.sort(np.concatenate([self.premises_shut, self.premises_cut_off]))


def isolate(world: World, broken: Break) -> Isolation:
    """
    Find the valves to close around a break, and who loses supply.

    Parameters
    ----------
    world
        The network with its devices as they are.
    broken
        Rows of what is broken.

    Returns
    -------
    Isolation
        Exact for reachability; says nothing of pressure.

    Raises
    ------
    IndexError
        If something broken is not in the network, or a place not on its pipe.

    Notes
    -----
    The segment is all that water can reach the break from without passing
    anything closed or closable (backwards against one-way links). Supply is
    then judged with every source, wherever it is, but for those on the
    segment. Cost: the segment, and what hangs on it in the supply forest.
    """
    blocks = blocks_of(world, broken)
    closing = np.unique(np.array(broken.closing, dtype=np.int32))
    _refuse_rows("device", closing, world.network.device_count)
    return isolate_blocks(world, blocks, closing)


def blocks_of(world: World, broken: Break) -> Rows:
    """
    List the blocks that a break is on.

    Raises
    ------
    IndexError
        If something broken is not in the network, or a place not on its pipe.
    """
    network, blocks = world.network, world.blocks
    vertices: list[int] = []
    for pipe, at_m in broken.pipes:
        _refuse_rows("pipe", [pipe], network.pipe_count)
        vertices += _broken_parts(world, pipe, at_m)
    _refuse_rows("node", broken.nodes, network.node_count)
    vertices += broken.nodes
    _refuse_rows("device", broken.devices, network.device_count)
    for device in broken.devices:
        vertices += blocks.edge_vertices[device].tolist()
    _refuse_rows("hydrant", broken.hydrants, network.hydrant_count)
    rows = np.array(broken.hydrants, dtype=np.int32)
    at_hydrants = block_of_places(
        blocks, network.hydrant_pipe[rows], network.hydrant_at_m[rows], network.hydrant_node[rows]
    )
    found = blocks.of_vertex[np.array(vertices, dtype=np.int64)]
    return np.unique(np.concatenate([found, at_hydrants[at_hydrants >= 0]])).astype(np.int32)


def isolate_blocks(world: World, broken: Rows, closing: Rows | None = None) -> Isolation:
    """
    Find the valves to close around broken blocks, and who loses supply.

    Parameters
    ----------
    world
        The network with its devices as they are.
    broken
        Blocks that are broken. Shape (blocks,).
    closing
        Devices closed besides.

    Returns
    -------
    Isolation
        As of `isolate`.
    """
    closing = broken[:0] if closing is None else closing
    state = world.passing(closing)
    edges, ends = world.edges, world.blocks.edge_blocks
    mark = np.full(world.blocks.count, UNTOUCHED, dtype=np.int8)
    shut = drain(edges.start, edges.members, ends, state, broken, mark)
    hanging, new_feeder, mark = world.take_away(shut, closing)
    touching = np.unique(edges.of_blocks(shut))
    cut_off = hanging[new_feeder == UNSUPPLIED]
    return _describe(world, state, mark, touching, (shut, cut_off, closing))


def _describe(
    world: World, state: Codes, mark: Codes, touching: Rows, found: tuple[Rows, Rows, Rows]
) -> Isolation:
    shut, cut_off, closing = found
    members, network = world.members, world.network
    to_close, optional, verify, pumps = _border(world, state, mark, touching)
    parts_shut = np.sort(members.parts.of_blocks(shut))
    parts_cut_off = np.sort(members.parts.of_blocks(cut_off))
    premises_shut, premises_cut_off, already_dry = _premises(world, mark, (shut, cut_off))
    return Isolation(
        blocks_shut=np.sort(shut),
        blocks_cut_off=np.sort(cut_off),
        valves_to_close=to_close,
        valves_optional=optional,
        valves_verify_shut=np.setdiff1d(verify, closing),
        pumps_to_stop=pumps,
        sources_shut=np.sort(members.sources.of_blocks(shut)),
        parts_shut=parts_shut,
        parts_cut_off=parts_cut_off,
        pipes_shut=np.unique(world.blocks.part_pipe[parts_shut]),
        pipes_cut_off=np.unique(world.blocks.part_pipe[parts_cut_off]),
        premises_shut=premises_shut,
        premises_cut_off=premises_cut_off,
        premises_already_dry=already_dry,
        hydrants_dry=_hydrants(world, shut, cut_off),
        has_sources=network.source_count > 0,
        closing=closing,
    )


def _border(world: World, state: Codes, mark: Codes, touching: Rows) -> tuple[Rows, ...]:
    """Sort the devices at the segment: to close, optional, verify shut, pumps to stop."""
    network, blocks = world.network, world.blocks
    device = touching[touching < network.device_count]
    device = device[~blocks.edge_is_dead[device]]
    kind = network.device_kind[device]
    pumps = device[(kind == DeviceKind.PUMP) & world.is_open[device]]

    gates = device[(kind == DeviceKind.VALVE) | (kind == DeviceKind.ISOLATING_CONTROL_VALVE)]
    first, second = blocks.edge_blocks[gates].T
    first_in, second_in = mark[first] == DRAINED, mark[second] == DRAINED
    is_border = first_in != second_in
    gates, second_in = gates[is_border], second_in[is_border]
    outside = np.where(second_in, first[is_border], second[is_border])
    lets_in = (state[gates] & np.where(second_in, FORWARD, BACKWARD)) > 0
    could_let_in = second_in | ~blocks.edge_is_one_way[gates]
    has_supply = (world.feeder[outside] != UNSUPPLIED) & (mark[outside] != HANGING)
    if not world.has_sources:
        has_supply[:] = True
    is_closed = state[gates] == 0
    return (
        gates[lets_in & has_supply],
        gates[lets_in & ~has_supply],
        gates[is_closed & could_let_in & has_supply],
        pumps,
    )


def _premises(world: World, mark: Codes, found: tuple[Rows, Rows]) -> tuple[Rows, Rows, Rows]:
    """Sort the premises concerned: shut, cut off, already dry."""
    members = world.members
    touched = [world.network.feed_premises[members.feeds.of_blocks(blocks)] for blocks in found]
    premises = np.unique(np.concatenate(touched))
    feeds = members.feeds_of_premises.of_blocks(premises)
    owner = np.searchsorted(premises, world.network.feed_premises[feeds])
    block = members.feed_block[feeds]
    is_placed = block >= 0
    was_supplied = _supply_before(world, block) & is_placed
    is_supplied = was_supplied & (mark[block] != DRAINED) & (mark[block] != HANGING)
    on_segment = is_placed & (mark[block] == DRAINED)

    def any_feed(flags: Flags) -> Flags:
        return np.bincount(owner[flags], minlength=premises.size) > 0

    had, has, is_on = any_feed(was_supplied), any_feed(is_supplied), any_feed(on_segment)
    if not world.has_sources:
        # Whether the other feed has water is unknown: a feed lost is supply lost.
        shut = any_feed(on_segment & was_supplied)
        return premises[shut], premises[:0], premises[:0]
    lost = had & ~has
    return premises[lost & is_on], premises[lost & ~is_on], premises[is_on & ~had]


def _supply_before(world: World, block: Rows) -> Flags:
    """Tell which blocks had water; without a source recorded, all but those of closed pipes."""
    if world.has_sources:
        supplied: Flags = world.feeder[block] != UNSUPPLIED
        return supplied
    parts = world.members.parts
    first = parts.members[np.minimum(parts.start[block], max(parts.members.size - 1, 0))]
    has_parts = parts.start[block + 1] > parts.start[block]
    pipe = world.blocks.part_pipe[first]
    stands: Flags = ~has_parts | world.network.pipe_is_open[pipe]
    return stands


def _hydrants(world: World, shut: Rows, cut_off: Rows) -> Rows:
    rows = world.members.hydrants.of_blocks(np.concatenate([shut, cut_off]))
    return np.sort(rows[_supply_before(world, world.members.hydrant_block[rows])])


def _broken_parts(world: World, pipe: int, at_m: float | None) -> list[int]:
    """List the vertices of the parts of a pipe that are broken."""
    blocks = world.blocks
    if at_m is None:
        first, last = blocks.first_part[pipe : pipe + 2]
        return [blocks.nodes + part for part in range(first, last)]
    length_m = float(world.network.pipe_length_m[pipe])
    if not 0 <= at_m <= length_m:
        raise IndexError(f"{at_m} m is not on pipe {pipe}, which is {length_m} m long")
    part = blocks.part_at(np.array([pipe], dtype=np.int32), np.array([at_m]))
    return [blocks.nodes + int(part[0])]


def _refuse_rows(kind: str, rows: Iterable[int], count: int) -> None:
    """Refuse rows that are not there: a negative one would count from the end."""
    for row in rows:
        if not 0 <= row < count:
            raise IndexError(f"no {kind} {row} among {count}")
