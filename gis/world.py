"""A network as it stands: which edges pass water, and how each block gets its own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from gis.floods import (
    BACKWARD,
    CLOSABLE,
    DRAINED,
    FORWARD,
    ROOT,
    UNSUPPLIED,
    UNTOUCHED,
    detach,
    flood,
)
from gis.network import DeviceFacts, DeviceKind, Operability, Position
from gis.segments import SNAP_M, Groups, divide

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gis.network import Codes, Flags, Network, Rows
    from gis.segments import Blocks


@dataclass(frozen=True, slots=True, eq=False)
class Members:
    """What stands on each block, and the block of each. A place of none is block -1."""

    parts: Groups
    nodes: Groups
    feeds: Groups
    feed_block: Rows
    feeds_of_premises: Groups
    hydrants: Groups
    hydrant_block: Rows
    sources: Groups
    source_block: Rows
    ends_at_node: Groups
    """Ends of pipes at each node, numbered 2 * pipe + which."""

    @classmethod
    def of(cls, network: Network, blocks: Blocks) -> Members:
        """Sort all that hangs on the network by block."""
        feed_block = block_of_places(
            blocks, network.feed_pipe, network.feed_at_m, network.feed_node
        )
        hydrant_block = block_of_places(
            blocks, network.hydrant_pipe, network.hydrant_at_m, network.hydrant_node
        )
        source_block = blocks.of_vertex[network.source_node]
        count, nodes = blocks.count, blocks.nodes
        return cls(
            parts=Groups.of(blocks.of_vertex[nodes : nodes + len(blocks.part_pipe)], count),
            nodes=Groups.of(blocks.of_vertex[:nodes], count),
            feeds=Groups.of(feed_block, count),
            feed_block=feed_block,
            feeds_of_premises=Groups.of(network.feed_premises, network.premises_count),
            hydrants=Groups.of(hydrant_block, count),
            hydrant_block=hydrant_block,
            sources=Groups.of(source_block, count),
            source_block=source_block,
            ends_at_node=Groups.of(network.pipe_ends.ravel(), network.node_count),
        )


def block_of_places(blocks: Blocks, pipe: Rows, at_m: NDArray[np.float64], node: Rows) -> Rows:
    """Find the block of places given as pipe and metres, else as node, else -1. Shape (places,)."""
    found = np.full(len(pipe), -1, dtype=np.int32)
    on_node = (pipe < 0) & (node >= 0)
    found[on_node] = blocks.of_vertex[node[on_node]]
    on_pipe = pipe >= 0
    part = blocks.part_at(pipe[on_pipe], at_m[on_pipe])
    found[on_pipe] = blocks.of_vertex[blocks.nodes + part]
    return found


@dataclass(frozen=True, eq=False)
class World:
    """
    A network with the present state of its devices and the supply that follows from it.

    Attributes
    ----------
    network, blocks, members
        What does not change with the facts of valves.
    edges
        Edges at each block.
    facts
        Position, operability and reachability of each device, as they are now.
    is_open
        Status of each device as it is now: a pump runs, a control valve passes. Shape (devices,).
    openable
        Closed valves that a crew can open, ascending. Shape (openable,).
    state
        FORWARD, BACKWARD and CLOSABLE bits of each edge. Shape (edges,).
    feeder
        The edge by which each block gets its water; ROOT where it has a source
        of its own, UNSUPPLIED where it gets none. Shape (blocks,).
    lasting_feeder
        The same without the tanks, whose water ends. Shape (blocks,).
    """

    network: Network
    blocks: Blocks
    members: Members
    edges: Groups
    facts: DeviceFacts
    is_open: Flags
    openable: Rows
    state: Codes
    feeder: Rows
    lasting_feeder: Rows

    @classmethod
    def of(cls, network: Network, snap_m: float = SNAP_M) -> World:
        """
        Take a network apart and let the water run.

        Parameters
        ----------
        network
            The network with the facts as recorded.
        snap_m
            A valve this near to a pipe's end stands at that end.

        Returns
        -------
        World
            Time and memory grow with the number of parts and devices.
        """
        blocks = divide(network, snap_m)
        members = Members.of(network, blocks)
        flat = Groups.of(blocks.edge_blocks.ravel(), blocks.count)
        edges = Groups(flat.start, flat.members // 2)
        facts, is_open = network.facts, network.device_is_open
        every = np.arange(len(blocks.edge_blocks), dtype=np.int32)
        state = edge_state(network, blocks, facts, is_open, every)
        openable = _openable(network, blocks, facts, is_open, every[: network.device_count])
        graph = (edges.start, edges.members, blocks.edge_blocks, state)
        feeder = _let_run(graph, members.source_block, blocks.count)
        lasting = feeder
        if network.source_is_tank.any():
            works = members.source_block[~network.source_is_tank]
            lasting = _let_run(graph, works, blocks.count)
        return cls(
            network=network,
            blocks=blocks,
            members=members,
            edges=edges,
            facts=facts,
            is_open=is_open,
            openable=openable,
            state=state,
            feeder=feeder,
            lasting_feeder=lasting,
        )

    @property
    def has_sources(self) -> bool:
        """Whether any source is recorded: without one nothing can be said of supply."""
        return self.network.source_count > 0

    def with_facts(
        self,
        rows: Rows,
        *,
        position: Codes | int | None = None,
        operability: Codes | int | None = None,
        reachable: Flags | bool | None = None,
        is_open: Flags | bool | None = None,
    ) -> World:
        """
        Give the world in which these devices have other facts.

        Parameters
        ----------
        rows
            Devices. Shape (changed,).
        position, operability, reachable, is_open
            One value for all, or one each; None leaves the fact as it is. An isolating
            control valve passes where both its position and its status are open.

        Returns
        -------
        World
            Cost: a copy of a few bytes a device and block, and the blocks
            whose supply hangs on the change.
        """
        facts = self.facts.changed(
            rows, position=position, operability=operability, reachable=reachable
        )
        status = self.is_open
        if is_open is not None:
            status = status.copy()
            status[rows] = is_open
        changed = self._with(facts, status, rows)
        other = self.__dict__.get("_if_unknown_closed")
        if other is not None:
            # Carried along, for to close all unknown valves again costs much more.
            changed.__dict__["_if_unknown_closed"] = other._with(_closed(facts), status, rows)  # noqa: SLF001
        return changed

    def with_unknown_closed(self) -> World:
        """Give the world in which every valve of unknown position is closed, or this one."""
        return self._if_unknown_closed or self

    @cached_property
    def _if_unknown_closed(self) -> World | None:
        rows = np.flatnonzero(self.facts.position == Position.UNKNOWN).astype(np.int32)
        if rows.size == 0:
            return None
        return self._with(_closed(self.facts), self.is_open, rows)

    def passing(self, closing: Rows) -> Codes:
        """Give the state of the edges when these devices are closed besides."""
        if closing.size == 0:
            return self.state
        state = self.state.copy()
        state[closing] = 0
        return state

    def take_away(
        self, drained: Rows, closing: Rows, feeder: Rows | None = None
    ) -> tuple[Rows, Rows, Codes]:
        """
        Find out who keeps supply when blocks are drained and devices closed.

        Parameters
        ----------
        drained, closing
            Blocks that pass nothing any more, and devices closed besides.
        feeder
            How the blocks had their water; by default `self.feeder`.

        Returns
        -------
        hanging
            Blocks elsewhere whose water came that way, lost or not.
        new_feeder
            The edge that supplies each of them now, UNSUPPLIED for those that lost it.
        mark
            DRAINED, HANGING (lost), HELD or UNTOUCHED. Shape (blocks,).
        """
        mark = np.full(self.blocks.count, UNTOUCHED, dtype=np.int8)
        mark[drained] = DRAINED
        severed = np.concatenate([np.unique(self.edges.of_blocks(drained)), closing])
        hanging, new_feeder = detach(
            self.edges.start,
            self.edges.members,
            self.blocks.edge_blocks,
            self.passing(closing),
            self.feeder if feeder is None else feeder,
            severed,
            mark,
        )
        return hanging, new_feeder, mark

    def _with(self, facts: DeviceFacts, is_open: Flags, rows: Rows) -> World:
        rows = np.unique(rows).astype(np.int32)
        before = self.state[rows]
        after = edge_state(self.network, self.blocks, facts, is_open, rows)
        others = self.openable[~np.isin(self.openable, rows)]
        openable = _openable(self.network, self.blocks, facts, is_open, rows)
        state = self.state.copy()
        state[rows] = after
        passing = FORWARD | BACKWARD
        severed = rows[(before & ~after & passing) > 0]
        joined = rows[(after & ~before & passing) > 0]
        feeder, lasting = self.feeder, self.lasting_feeder
        if severed.size or joined.size:
            feeder = self._refeed(self.feeder, state, severed, joined)
            has_tanks = self.lasting_feeder is not self.feeder
            lasting = (
                self._refeed(self.lasting_feeder, state, severed, joined) if has_tanks else feeder
            )
        return replace(
            self,
            facts=facts,
            is_open=is_open,
            openable=np.union1d(others, openable),
            state=state,
            feeder=feeder,
            lasting_feeder=lasting,
        )

    def _refeed(self, feeder: Rows, state: Codes, severed: Rows, joined: Rows) -> Rows:
        graph = (self.edges.start, self.edges.members, self.blocks.edge_blocks, state)
        mark = np.full(self.blocks.count, UNTOUCHED, dtype=np.int8)
        hanging, new_feeder = detach(*graph, feeder, severed, mark)
        feeder = feeder.copy()
        feeder[hanging] = new_feeder
        sides = np.unique(self.blocks.edge_blocks[joined])
        flood(*graph, sides[feeder[sides] != UNSUPPLIED].astype(np.int32), feeder)
        return feeder


def _let_run(graph: tuple[NDArray[np.int64], Rows, Rows, Codes], sources: Rows, count: int) -> Rows:
    """Let water run from the blocks of these sources through the whole network."""
    feeder = np.full(count, UNSUPPLIED, dtype=np.int32)
    roots = np.unique(sources).astype(np.int32)
    feeder[roots] = ROOT
    flood(*graph, roots, feeder)
    return feeder


def _closed(facts: DeviceFacts) -> DeviceFacts:
    """Take every unknown position for closed."""
    is_unknown = facts.position == Position.UNKNOWN
    position = np.where(is_unknown, np.int8(Position.CLOSED), facts.position)
    return replace(facts, position=position)


def _has_gate(network: Network, devices: Rows) -> Flags:
    kind = network.device_kind[devices]
    has_gate: Flags = (kind == DeviceKind.VALVE) | (kind == DeviceKind.ISOLATING_CONTROL_VALVE)
    return has_gate


def _openable(
    network: Network, blocks: Blocks, facts: DeviceFacts, is_open: Flags, devices: Rows
) -> Rows:
    """Choose the closed valves among these devices that a crew can open."""
    is_closed = (facts.position[devices] == Position.CLOSED) | ~is_open[devices]
    can_open = facts.reachable[devices] & (facts.operability[devices] != Operability.INOPERABLE)
    is_dead = blocks.edge_is_dead[devices]
    found: Rows = devices[_has_gate(network, devices) & is_closed & can_open & ~is_dead]
    return found


def edge_state(
    network: Network, blocks: Blocks, facts: DeviceFacts, is_open: Flags, edges: Rows
) -> Codes:
    """
    Tell what each edge does now.

    Parameters
    ----------
    network, blocks, facts, is_open
        The devices and what is known of them.
    edges
        Edges to tell of. Shape (edges,).

    Returns
    -------
    Codes
        FORWARD, BACKWARD and CLOSABLE bits. Shape (edges,).

    Notes
    -----
    A valve of unknown position counts as open, one of unknown operability as
    operable. A pump can always be stopped. A check cannot be closed.
    """
    state = np.where(blocks.edge_is_one_way[edges], FORWARD, FORWARD | BACKWARD).astype(np.int8)
    is_device = edges < network.device_count
    device = edges[is_device]
    has_gate = _has_gate(network, device)
    passes = is_open[device] & ~(has_gate & (facts.position[device] == Position.CLOSED))
    can_close = (network.device_kind[device] == DeviceKind.PUMP) | (
        has_gate & (facts.operability[device] != Operability.INOPERABLE) & facts.reachable[device]
    )
    of_device = state[is_device] | np.where(can_close, CLOSABLE, 0).astype(np.int8)
    state[is_device] = np.where(passes, of_device, 0)
    state[blocks.edge_is_dead[edges]] = 0
    return state
