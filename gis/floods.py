"""Searches over blocks and the edges between them, compiled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gis.network import Codes, Flags, Rows

# What an edge does now: bits of its state.
FORWARD = 1  # water can pass from its first block to its second
BACKWARD = 2  # and the other way
CLOSABLE = 4  # a crew can end that

# How a block gets its water, when not by an edge.
UNSUPPLIED = -1
ROOT = -2  # it has a source of its own

# Marks of a search.
UNTOUCHED = 0
DRAINED = 1
HANGING = 2
HELD = 3
SEEN = 8  # a bit beside the others, gone again when the search is over


@njit(cache=True, nogil=True)
def downstream(ends: Rows, state: Codes, edge: int, block: int) -> int:
    """Give the block that water in `block` can pass to by this edge, or -1."""
    if ends[edge, 0] == block and state[edge] & FORWARD:
        return int(ends[edge, 1])
    if ends[edge, 1] == block and state[edge] & BACKWARD:
        return int(ends[edge, 0])
    return -1


@njit(cache=True, nogil=True)
def upstream(ends: Rows, state: Codes, edge: int, block: int) -> int:
    """Give the block from which water can pass into `block` by this edge, or -1."""
    if ends[edge, 1] == block and state[edge] & FORWARD:
        return int(ends[edge, 0])
    if ends[edge, 0] == block and state[edge] & BACKWARD:
        return int(ends[edge, 1])
    return -1


@njit(cache=True, nogil=True)
def _push(found: Rows, count: int, block: int) -> Rows:
    """Put a block at place `count`, in a longer array if that is beyond the end."""
    if count == len(found):
        longer = np.empty(2 * count, dtype=np.int32)
        longer[:count] = found
        found = longer
    found[count] = block
    return found


@njit(cache=True, nogil=True)
def flood(
    start: NDArray[np.int64], incident: Rows, ends: Rows, state: Codes, seeds: Rows, feeder: Rows
) -> int:
    """
    Let water run from `seeds` into every block it reaches that has none.

    `feeder` is changed in place: the edge that brought the water to a block.
    Gives the number of blocks reached. Cost: the edges of the blocks reached.
    """
    queue = np.empty(max(len(seeds), 64), dtype=np.int32)
    queue[: len(seeds)] = seeds
    tail = len(seeds)
    head = 0
    while head < tail:
        block = queue[head]
        head += 1
        for i in range(start[block], start[block + 1]):
            other = downstream(ends, state, incident[i], block)
            if other >= 0 and feeder[other] == UNSUPPLIED:
                feeder[other] = incident[i]
                queue = _push(queue, tail, other)
                tail += 1
    return tail - len(seeds)


@njit(cache=True, nogil=True)
def drain(
    start: NDArray[np.int64], incident: Rows, ends: Rows, state: Codes, broken: Rows, mark: Codes
) -> Rows:
    """
    List all blocks whose water can reach the broken ones past nothing closable.

    Walks backwards against the flow; sets `mark` to DRAINED for each.
    """
    found = np.empty(max(len(broken), 16), dtype=np.int32)
    tail = 0
    for block in broken:
        if mark[block] != DRAINED:
            mark[block] = DRAINED
            found[tail] = block
            tail += 1
    head = 0
    while head < tail:
        block = found[head]
        head += 1
        for i in range(start[block], start[block + 1]):
            if state[incident[i]] & CLOSABLE:
                continue
            other = upstream(ends, state, incident[i], block)
            if other >= 0 and mark[other] != DRAINED:
                mark[other] = DRAINED
                found = _push(found, tail, other)
                tail += 1
    return found[:tail].copy()


@njit(cache=True, nogil=True)
def _hang(
    start: NDArray[np.int64],
    incident: Rows,
    ends: Rows,
    feeder: Rows,
    severed: Rows,
    mark: Codes,
) -> Rows:
    """List the blocks whose water came by a severed edge, directly or through others."""
    found = np.empty(64, dtype=np.int32)
    tail = 0
    for edge in severed:
        for side in range(2):
            block = ends[edge, side]
            if feeder[block] == edge and mark[block] == UNTOUCHED:
                mark[block] = HANGING
                found = _push(found, tail, block)
                tail += 1
    head = 0
    while head < tail:
        block = found[head]
        head += 1
        for i in range(start[block], start[block + 1]):
            edge = incident[i]
            other = ends[edge, 0] if ends[edge, 1] == block else ends[edge, 1]
            if feeder[other] == edge and mark[other] == UNTOUCHED:
                mark[other] = HANGING
                found = _push(found, tail, other)
                tail += 1
    return found[:tail].copy()


@njit(cache=True, nogil=True)
def detach(
    start: NDArray[np.int64],
    incident: Rows,
    ends: Rows,
    state: Codes,
    feeder: Rows,
    severed: Rows,
    mark: Codes,
) -> tuple[Rows, Rows]:
    """
    Find out who keeps supply when edges pass no water any more.

    Parameters
    ----------
    start, incident, ends
        Edges at each block, and the two blocks of each edge.
    state
        As it is afterwards. Blocks marked DRAINED pass nothing, whatever it says.
    feeder
        As it was before: the edge by which each block has its water.
    severed
        Edges that may have passed water before and do not now.
    mark
        One a block, UNTOUCHED or DRAINED; afterwards HANGING for blocks that
        lost supply and HELD for those that another edge supplies.

    Returns
    -------
    hanging
        Blocks whose water came through what was taken away, lost or not.
    new_feeder
        The edge that supplies each of them now, UNSUPPLIED for those that lost it.

    Notes
    -----
    Only blocks downstream of the change in the supply forest are looked at,
    and each of their edges a few times, so the cost follows the size of what
    hangs on the change and not the size of the network.
    """
    hanging = _hang(start, incident, ends, feeder, severed, mark)
    new_feeder = np.full(len(hanging), UNSUPPLIED, dtype=np.int32)
    queue = np.empty(len(hanging), dtype=np.int32)
    tail = 0
    for k in range(len(hanging)):
        block = hanging[k]
        for i in range(start[block], start[block + 1]):
            other = upstream(ends, state, incident[i], block)
            if other >= 0 and mark[other] == UNTOUCHED and feeder[other] != UNSUPPLIED:
                mark[block] = HELD
                new_feeder[k] = incident[i]
                queue[tail] = k
                tail += 1
                break
    if tail in (0, len(hanging)):
        return hanging, new_feeder

    # Their water runs on among the hanging.
    order = np.argsort(hanging)
    ordered = hanging[order]
    head = 0
    while head < tail:
        block = hanging[queue[head]]
        head += 1
        for i in range(start[block], start[block + 1]):
            other = downstream(ends, state, incident[i], block)
            if other >= 0 and mark[other] == HANGING:
                mark[other] = HELD
                k = order[np.searchsorted(ordered, other)]
                new_feeder[k] = incident[i]
                queue[tail] = k
                tail += 1
    return hanging, new_feeder


@njit(cache=True, nogil=True)
def spread(
    start: NDArray[np.int64], incident: Rows, ends: Rows, state: Codes, seeds: Rows, is_dry: Flags
) -> Rows:
    """List the dry blocks, seeds included, that water let into the dry `seeds` would reach."""
    seen = np.zeros(len(is_dry), dtype=np.bool_)
    found = np.empty(max(len(seeds), 16), dtype=np.int32)
    found[: len(seeds)] = seeds
    seen[seeds] = True
    tail = len(seeds)
    head = 0
    while head < tail:
        block = found[head]
        head += 1
        for i in range(start[block], start[block + 1]):
            other = downstream(ends, state, incident[i], block)
            if other >= 0 and is_dry[other] and not seen[other]:
                seen[other] = True
                found = _push(found, tail, other)
                tail += 1
    return found[:tail].copy()


@njit(cache=True, nogil=True)
def _is_dry(feeder: Rows, mark: Codes, block: int) -> bool:
    """Tell whether a block has lost supply, or had none; what is drained is neither."""
    if mark[block] == UNTOUCHED:
        return bool(feeder[block] == UNSUPPLIED)
    return bool(mark[block] != DRAINED)


@njit(cache=True, nogil=True)
def spread_back(
    start: NDArray[np.int64],
    incident: Rows,
    ends: Rows,
    state: Codes,
    seeds: Rows,
    feeder: Rows,
    mark: Codes,
) -> Rows:
    """
    List the dry blocks, seeds included, from which water would reach the dry `seeds`.

    `mark` is DRAINED or HANGING for what a break takes away; what is listed becomes HELD.
    """
    found = np.empty(max(len(seeds), 16), dtype=np.int32)
    found[: len(seeds)] = seeds
    mark[seeds] = HELD
    tail = len(seeds)
    head = 0
    while head < tail:
        block = found[head]
        head += 1
        for i in range(start[block], start[block + 1]):
            other = upstream(ends, state, incident[i], block)
            if other >= 0 and mark[other] != HELD and _is_dry(feeder, mark, other):
                mark[other] = HELD
                found = _push(found, tail, other)
                tail += 1
    return found[:tail].copy()


@njit(cache=True, nogil=True)
def let_in(
    start: NDArray[np.int64],
    incident: Rows,
    ends: Rows,
    state: Codes,
    seed: int,
    feeder: Rows,
    mark: Codes,
) -> Rows:
    """
    List the dry blocks that water let into the dry block `seed` would reach.

    As `spread`, at the cost of the blocks reached: `mark` tells what is dry besides what
    `feeder` leaves without, and is afterwards as it was.
    """
    found = np.empty(16, dtype=np.int32)
    found[0] = seed
    mark[seed] |= SEEN
    tail = 1
    head = 0
    while head < tail:
        block = found[head]
        head += 1
        for i in range(start[block], start[block + 1]):
            other = downstream(ends, state, incident[i], block)
            if other >= 0 and mark[other] < SEEN and _is_dry(feeder, mark, other):
                mark[other] |= SEEN
                found = _push(found, tail, other)
                tail += 1
    for block in found[:tail]:
        mark[block] ^= SEEN
    return found[:tail].copy()
