"""Parts that only tanks feed: they have supply for volume / demand, then lose it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gis.floods import UNSUPPLIED, spread

if TYPE_CHECKING:
    from gis.isolation import Isolation
    from gis.network import Flags, Rows
    from gis.world import World


@dataclass(frozen=True, slots=True, eq=False)
class TankFed:
    """
    A part of the network that lives on tanks while a break is isolated.

    Attributes
    ----------
    sources
        The tanks that feed it. Shape (tanks,).
    blocks
        Blocks that drink from them. Shape (blocks,).
    premises
        Premises with a feed there and none with lasting supply. Shape (premises,).
    volume_m3, demand_m3_day
        None where a tank's volume or a connection's demand is not recorded.
    """

    sources: Rows
    blocks: Rows
    premises: Rows
    volume_m3: float | None
    demand_m3_day: float | None

    @property
    def hours(self) -> float | None:
        """Hours until the tanks are empty; None where unknown or where nobody draws."""
        if self.volume_m3 is None or not self.demand_m3_day:
            return None
        return 24 * self.volume_m3 / self.demand_m3_day


def find_tank_fed(world: World, isolation: Isolation) -> list[TankFed]:
    """
    Find the parts that an isolation leaves to tanks alone.

    Parameters
    ----------
    world
        The network with its devices as they are.
    isolation
        The effect of a break on it.

    Returns
    -------
    list[TankFed]
        Parts that had other supply before and have only tanks now, one entry
        for tanks whose parts touch. Tanks are taken as full and get no inflow.
    """
    if world.lasting_feeder is world.feeder:
        return []
    is_tank_fed = _lasting_supply_lost(world, isolation)
    is_tank_fed[isolation.blocks_cut_off] = False
    if not is_tank_fed.any():
        return []
    tanks = np.flatnonzero(world.network.source_is_tank)
    tanks = tanks[is_tank_fed[world.members.source_block[tanks]]]
    found: list[tuple[Rows, Rows]] = []
    for tank in tanks.astype(np.int32):
        mine, reached = np.array([tank], dtype=np.int32), _reach(world, int(tank), is_tank_fed)
        apart = []
        for others, blocks in found:
            if np.intersect1d(blocks, reached).size:
                mine, reached = np.union1d(mine, others), np.union1d(reached, blocks)
            else:
                apart.append((others, blocks))
        found = [*apart, (mine, reached)]
    return [_tank_fed(world, is_tank_fed, sources, blocks) for sources, blocks in found]


def _lasting_supply_lost(world: World, isolation: Isolation) -> Flags:
    hanging, new_feeder, _ = world.take_away(
        isolation.blocks_shut, isolation.closing, world.lasting_feeder
    )
    lost = np.zeros(world.blocks.count, dtype=np.bool_)
    lost[hanging[new_feeder == UNSUPPLIED]] = True
    return lost


def _reach(world: World, tank: int, is_tank_fed: Flags) -> Rows:
    edges = world.edges
    seeds = world.members.source_block[[tank]].astype(np.int32)
    return spread(
        edges.start, edges.members, world.blocks.edge_blocks, world.state, seeds, is_tank_fed
    )


def _tank_fed(world: World, is_tank_fed: Flags, sources: Rows, blocks: Rows) -> TankFed:
    network, members = world.network, world.members
    premises = np.unique(network.feed_premises[members.feeds.of_blocks(blocks)])
    feeds = members.feeds_of_premises.of_blocks(premises)
    block = members.feed_block[feeds]
    lasts = (block >= 0) & (world.lasting_feeder[block] != UNSUPPLIED) & ~is_tank_fed[block]
    premises = np.setdiff1d(premises, network.feed_premises[feeds[lasts]])
    volume = float(network.source_volume_m3[sources].sum())
    demand = float(network.premises_demand_l_day[premises].sum()) / 1000
    return TankFed(
        sources=sources,
        blocks=blocks,
        premises=premises,
        volume_m3=None if np.isnan(volume) else volume,
        demand_m3_day=None if np.isnan(demand) else demand,
    )
