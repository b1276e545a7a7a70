"""When each customer loses supply, and when each has it back."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from gis.floods import UNSUPPLIED, downstream, upstream

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gis.isolation import Isolation
    from gis.network import Codes, Flags, Numbers, Rows
    from gis.timeline import Timeline
    from gis.world import World


@njit(cache=True, nogil=True)
def _capacity_of(gates: Rows, capacity: Numbers, edge: int) -> float:
    """Give the capacity of an edge: its own if it is among the ascending gates, else no limit."""
    k = np.searchsorted(gates, edge)
    if k < len(gates) and gates[k] == edge:
        return float(capacity[k])
    return np.inf


@njit(cache=True, nogil=True)
def _enter(
    start: NDArray[np.int64],
    incident: Rows,
    ends: Rows,
    state: Codes,
    is_affected: Flags,
    feeder: Rows,
    gates: Rows,
    capacity: Numbers,
) -> Numbers:
    """Give each affected block the best capacity of the edges from blocks that keep supply."""
    best = np.full(len(feeder), -np.inf)
    for block in np.flatnonzero(is_affected):
        for i in range(start[block], start[block + 1]):
            other = upstream(ends, state, incident[i], int(block))
            if other >= 0 and not is_affected[other] and feeder[other] != UNSUPPLIED:
                best[block] = max(best[block], _capacity_of(gates, capacity, incident[i]))
    return best


@njit(cache=True, nogil=True)
def _widen(
    start: NDArray[np.int64],
    incident: Rows,
    ends: Rows,
    state: Codes,
    is_affected: Flags,
    gates: Rows,
    capacity: Numbers,
    best: Numbers,
) -> None:
    """
    Raise each affected block to the best over all paths of the least capacity on the path.

    Dijkstra's search with max and min in place of min and plus, from the
    blocks whose `best` is set; changes `best`.
    """
    heap = [(-best[block], np.int64(block)) for block in np.flatnonzero(best > -np.inf)]
    heapq.heapify(heap)
    while len(heap) > 0:
        minus, block = heapq.heappop(heap)
        if -minus < best[block]:
            continue
        for i in range(start[block], start[block + 1]):
            other = downstream(ends, state, incident[i], int(block))
            if other < 0 or not is_affected[other]:
                continue
            here = min(best[block], _capacity_of(gates, capacity, incident[i]))
            if here > best[other]:
                best[other] = here
                heapq.heappush(heap, (-here, np.int64(other)))


def _best_path(
    world: World, is_affected: Flags, gates: Rows, capacity: Numbers, roots: tuple[Rows, float]
) -> Numbers:
    graph = (world.edges.start, world.edges.members, world.blocks.edge_blocks, world.state)
    best = _enter(*graph, is_affected, world.feeder, gates, capacity)
    blocks, root_capacity = roots
    best[blocks] = np.maximum(best[blocks], root_capacity)
    _widen(*graph, is_affected, gates, capacity, best)
    best[~is_affected] = np.nan
    return best


def block_intervals(
    world: World,
    isolation: Isolation,
    devices: Rows,
    closed_h: Numbers,
    reopened_h: Numbers,
) -> tuple[Numbers, Numbers]:
    """
    Give every block that loses supply its own time of losing it and of getting it back.

    Parameters
    ----------
    world, isolation
        The network, and the effect of the break on it.
    devices, closed_h, reopened_h
        Devices that are worked, and when each is closed and reopened. Shape (worked,).
        Pumps count as devices; sources on the segment are shut with the last of them.

    Returns
    -------
    lost_h, regained_h
        Shape (blocks,); nan for a block that does not lose supply.

    Notes
    -----
    A block loses supply at the maximum over source paths of the earliest
    closing on the path, and regains it at the minimum over source paths of
    the latest reopening on it.
    """
    is_affected = np.zeros(world.blocks.count, dtype=np.bool_)
    affected = np.concatenate([isolation.blocks_shut, isolation.blocks_cut_off])
    affected = affected[world.feeder[affected] != UNSUPPLIED]
    is_affected[affected] = True
    order = np.argsort(devices)
    gates = devices[order].astype(np.int32)
    roots = np.unique(world.members.source_block[isolation.sources_shut]).astype(np.int32)
    last_close = float(closed_h.max()) if closed_h.size else 0.0
    last_open = float(reopened_h.max()) if reopened_h.size else 0.0
    lost = _best_path(world, is_affected, gates, closed_h[order], (roots, last_close))
    regained = -_best_path(world, is_affected, gates, -reopened_h[order], (roots, -last_open))
    return lost, regained


def premises_intervals(
    world: World, isolation: Isolation, lost_h: Numbers, regained_h: Numbers
) -> tuple[Rows, Numbers, Numbers, Numbers]:
    """
    Give every premises that loses supply its own interval.

    Parameters
    ----------
    world, isolation, lost_h, regained_h
        As of `block_intervals`, hours a block.

    Returns
    -------
    premises
        Rows, ascending. Shape (lost,).
    mains_off_h
        When its last feed goes dry.
    tap_dry_h
        The same plus what a building's tank holds at its usual draw; nan where the
        building has a tank and the draw is not recorded.
    restored_h
        When its first feed is back.
    """
    network, members = world.network, world.members
    premises = isolation.premises_lost
    feeds = members.feeds_of_premises.of_blocks(premises)
    owner = np.searchsorted(premises, network.feed_premises[feeds])
    block = members.feed_block[feeds]
    counts = (block >= 0) & ~np.isnan(lost_h[block])
    off = np.full(premises.size, -np.inf)
    np.maximum.at(off, owner[counts], lost_h[block[counts]])
    back = np.full(premises.size, np.inf)
    np.minimum.at(back, owner[counts], regained_h[block[counts]])
    tank_m3 = network.premises_tank_m3[premises]
    draw_m3_h = network.premises_demand_l_day[premises] / 24_000
    with np.errstate(divide="ignore", invalid="ignore"):
        lasts = np.where(tank_m3 > 0, tank_m3 / draw_m3_h, 0.0)
    return premises, off, off + lasts, back


def intervals_of_job(
    world: World, isolation: Isolation, timeline: Timeline, level: str = "p50"
) -> tuple[Rows, Numbers, Numbers, Numbers]:
    """
    Give every premises its interval by one level of a job's forecast.

    Parameters
    ----------
    world, isolation
        The network, and the effect of the break on it.
    timeline
        The job: pumps are stopped with the first valve and run again with the last; what is
        closed besides is closed and reopened last.
    level
        p10, p50 or p90; the middle by default.

    Returns
    -------
    premises, mains_off_h, tap_dry_h, restored_h
        As of `premises_intervals`.
    """
    pumps, order = isolation.pumps_to_stop, np.array(timeline.order, dtype=np.int32)
    besides = np.setdiff1d(isolation.closing, np.concatenate([order, pumps])).astype(np.int32)
    stopped = getattr(timeline.water_stopped, level)
    first = getattr(timeline.closed[0], level) if timeline.closed else stopped
    last = getattr(timeline.restored, level)
    devices = np.concatenate([order, pumps, besides])
    closed = np.array(
        [getattr(one, level) for one in timeline.closed]
        + [first] * pumps.size
        + [stopped] * besides.size
    )
    reopened = np.array(
        [getattr(one, level) for one in timeline.reopened] + [last] * (pumps.size + besides.size)
    )
    lost, regained = block_intervals(world, isolation, devices, closed, reopened)
    return premises_intervals(world, isolation, lost, regained)
