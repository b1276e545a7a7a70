"""Several jobs at once: who is dry as the valves stand, and which of them keep a trench dry."""

from __future__ import annotations

from dataclasses import dataclass, field
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
    drain,
    flood,
)
from gis.network import DeviceKind, Position

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gis.network import Flags, Rows
    from gis.world import World

NO_ROWS = np.zeros(0, dtype=np.int32)


def as_rows(rows: Iterable[int]) -> Rows:
    """Write rows as an ascending array without repeats."""
    return np.unique(np.fromiter(rows, dtype=np.int32))


@dataclass(frozen=True, slots=True, eq=False)
class ValveWork:
    """
    What crews have done to the network, as rows.

    Attributes
    ----------
    closed
        Valves closed, and pumps stopped.
    opened
        Closed valves that were opened to feed somebody from elsewhere.
    sources_shut
        Sources shut.
    """

    closed: Rows = field(default_factory=lambda: NO_ROWS)
    opened: Rows = field(default_factory=lambda: NO_ROWS)
    sources_shut: Rows = field(default_factory=lambda: NO_ROWS)

    @classmethod
    def of_all(cls, works: Sequence[ValveWork]) -> ValveWork:
        """Join the work of several jobs; what one closes stays closed though another opens it."""
        closed, opened, sources = (
            np.unique(np.concatenate([NO_ROWS, *(getattr(one, name) for one in works)]))
            for name in ("closed", "opened", "sources_shut")
        )
        return cls(closed, np.setdiff1d(opened, closed).astype(np.int32), sources)


@dataclass(frozen=True, slots=True, eq=False)
class LiveSupply:
    """
    Who has water now.

    Attributes
    ----------
    before
        The network as it was before the work.
    world
        The same with the work done.
    is_wet
        Whether each block has supply now. Shape (blocks,).
    """

    before: World
    world: World
    is_wet: Flags

    @classmethod
    def of(cls, before: World, work: ValveWork, segments: Rows = NO_ROWS) -> LiveSupply:
        """
        Let the water run through the network as the valves stand.

        Parameters
        ----------
        before
            The network before any of the work.
        work
            What was done.
        segments
            Blocks that the jobs drain. Without any source recorded, water is taken to
            come from everywhere else.
        """
        world = before
        kind = before.network.device_kind
        pumps = work.closed[kind[work.closed] == DeviceKind.PUMP]
        gates = np.setdiff1d(work.closed, pumps).astype(np.int32)
        if work.opened.size:
            world = world.with_facts(work.opened, position=Position.OPEN, is_open=True)
        if gates.size:
            world = world.with_facts(gates, position=Position.CLOSED)
        if pumps.size:
            world = world.with_facts(pumps, is_open=False)
        if not before.has_sources:
            return cls(before, world, _wet_from(world, _all_but(world, segments)))
        if work.sources_shut.size:
            running = np.setdiff1d(np.arange(world.network.source_count), work.sources_shut)
            return cls(before, world, _wet_from(world, world.members.source_block[running]))
        return cls(before, world, world.feeder != UNSUPPLIED)

    def premises_dry(self) -> Rows:
        """
        List the premises that had supply before the work and have none now.

        Returns
        -------
        Rows
            Ascending. One with several feeds has supply while any feed has.
        """
        had = (self.before.feeder != UNSUPPLIED) | (not self.before.has_sources)
        lost = np.flatnonzero(had & ~self.is_wet).astype(np.int32)
        members, network = self.before.members, self.before.network
        losing = members.feeds.of_blocks(lost)
        if not self.before.has_sources:
            # Whether the other feed has water is unknown: a feed lost is supply lost. But what
            # hangs on a closed pipe had none.
            pipe = network.feed_pipe[losing]
            return np.unique(network.feed_premises[losing[(pipe < 0) | network.pipe_is_open[pipe]]])
        premises = np.unique(network.feed_premises[losing])
        feeds = members.feeds_of_premises.of_blocks(premises)
        owner = np.searchsorted(premises, network.feed_premises[feeds])
        block = members.feed_block[feeds]
        is_wet = (block >= 0) & self.is_wet[block]
        found: Rows = premises[np.bincount(owner[is_wet], minlength=premises.size) == 0]
        return found

    def is_trench_dry(self, broken: Rows) -> bool:
        """Tell whether no water reaches any of the broken blocks."""
        return not self.is_wet[broken].any()

    def find_guards(self, broken: Rows) -> Rows:
        """
        List the closed devices each of which alone keeps water out of a dry trench.

        Parameters
        ----------
        broken
            Blocks that are open to the trench.

        Returns
        -------
        Rows
            Devices that would refill it if opened, ascending; none while the trench is wet.

        Notes
        -----
        Walks back from the trench through everything that passes water now,
        and lists what is closed there with water behind it. Cost: what is dry
        around the trench.
        """
        if not self.is_trench_dry(broken):
            return NO_ROWS
        world, blocks = self.world, self.world.blocks
        graph = (world.edges.start, world.edges.members, blocks.edge_blocks)
        mark = np.full(blocks.count, UNTOUCHED, dtype=np.int8)
        reached = drain(*graph, world.state & np.int8(~CLOSABLE), broken, mark)
        edges = np.unique(world.edges.of_blocks(reached))
        devices = edges[edges < world.network.device_count]
        devices = devices[~blocks.edge_is_dead[devices] & ~_passes(world, devices)]
        kind = world.network.device_kind[devices]
        devices = devices[kind != DeviceKind.CONTROL_VALVE]
        first, second = blocks.edge_blocks[devices].T
        enters = self.is_wet[first] & (mark[second] == DRAINED)
        enters |= self.is_wet[second] & (mark[first] == DRAINED) & ~blocks.edge_is_one_way[devices]
        found: Rows = np.sort(devices[enters])
        return found


def _passes(world: World, devices: Rows) -> Flags:
    passes: Flags = (world.state[devices] & (FORWARD | BACKWARD)) > 0
    return passes


def _all_but(world: World, blocks: Rows) -> Rows:
    """List the blocks where no job is: without any source recorded water comes from there."""
    is_outside = np.ones(world.blocks.count, dtype=np.bool_)
    is_outside[blocks] = False
    return np.flatnonzero(is_outside).astype(np.int32)


def _wet_from(world: World, roots: Rows) -> Flags:
    """Let water run from these blocks."""
    feeder = np.full(world.blocks.count, UNSUPPLIED, dtype=np.int32)
    seeds = np.unique(roots).astype(np.int32)
    feeder[seeds] = ROOT
    edges = world.edges
    flood(edges.start, edges.members, world.blocks.edge_blocks, world.state, seeds, feeder)
    is_wet: Flags = feeder != UNSUPPLIED
    return is_wet


def premises_lost_to(before: World, closing: Rows) -> Rows:
    """List the premises that lose supply when these devices are closed. Ascending."""
    return LiveSupply.of(before, ValveWork(closed=closing)).premises_dry()
