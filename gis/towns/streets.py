"""The streets of an invented town: a bent grid of blocks, cut into districts, with a river."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import minimum_spanning_tree

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

    from gis.network import Flags, Numbers, Rows

BLOCK_M = (95.0, 165.0)
"""Least and greatest distance of two neighbouring streets."""
RIVER_M = 110.0
"""How much further apart two streets lie with the river between them."""
STREETS_BETWEEN_MAINS = 8
"""About so many streets lie between two arterial roads of a city."""
PIPES_A_CROSSING = 3.35


class DistrictKind(IntEnum):
    """How a district gets its water from the mains around it."""

    PLAIN = 0
    PUMPED = 1
    REDUCED = 2


class Rank(IntEnum):
    """What a street segment is for the town."""

    ARTERIAL = 0
    STREET = 1
    LINK = 2
    """It joins a street to an arterial road."""


@dataclass(frozen=True, slots=True, eq=False)
class Streets:
    """
    Crossings and the street segments between them.

    Attributes
    ----------
    columns, rows
        Number of streets that run north, and east. Crossing `row * columns + column`.
    crossing_xy
        Metres east and north of the town's south-west corner. Shape (crossings, 2).
    ends
        The two crossings of each segment. Shape (segments, 2).
    bend_xy
        A place in the middle of each segment. Shape (segments, 2).
    rank
        A `Rank` each. Shape (segments,).
    line
        Street that the segment is a piece of: rows first, then columns. Shape (segments,).
    district
        District that the segment lies in, -1 for arterial roads. Shape (segments,).
    is_over_river, has_pipe, is_feed
        Whether it is a bridge; whether a pipe lies in it; whether it feeds a
        district of another pressure. Shape (segments,).
    district_kind, district_center_xy
        Shape (districts,) and (districts, 2).
    """

    columns: int
    rows: int
    crossing_xy: Numbers
    ends: Rows
    bend_xy: Numbers
    rank: NDArray[np.int8]
    line: Rows
    district: Rows
    is_over_river: Flags
    has_pipe: Flags
    is_feed: Flags
    district_kind: NDArray[np.int8]
    district_center_xy: Numbers

    @property
    def center_xy(self) -> Numbers:
        """The middle of the town. Shape (2,)."""
        center: Numbers = (self.crossing_xy.min(axis=0) + self.crossing_xy.max(axis=0)) / 2
        return center


@dataclass(frozen=True, slots=True, eq=False)
class _Plan:
    """Sizes of the grid, and which streets are arterial."""

    columns: int
    rows: int
    main_columns: NDArray[np.int64]
    main_rows: NDArray[np.int64]
    river_row: int

    @classmethod
    def of(cls, pipes: int) -> _Plan:
        side = np.sqrt(pipes / PIPES_A_CROSSING)
        columns, rows = round(side * 1.08), round(side / 1.08)
        across = max(2, round(columns / STREETS_BETWEEN_MAINS))
        along = max(2, round(rows / STREETS_BETWEEN_MAINS))
        main_columns = np.linspace(0, columns - 1, across + 1).round().astype(np.int64)
        main_rows = np.linspace(0, rows - 1, along + 1).round().astype(np.int64)
        middle = along // 2 - (along % 2 == 0)
        river_row = int((main_rows[middle] + main_rows[middle + 1]) // 2)
        return cls(columns, rows, main_columns, main_rows, river_row)


def lay_streets(pipes: int, rng: Generator) -> Streets:
    """
    Lay out streets for a town with about so many pipes.

    Parameters
    ----------
    pipes
        Number of pipes that the streets and courtyards are to hold.
    rng
        Where the chances come from.

    Returns
    -------
    Streets
        All districts joined inside, every district joined to the arterial roads.
    """
    plan = _Plan.of(pipes)
    crossing_xy = _crossings(plan, rng)
    ends, is_eastward = _segments(plan)
    row, column = np.divmod(ends, plan.columns)
    on_main = np.isin(row, plan.main_rows) | np.isin(column, plan.main_columns)
    along_main = np.where(
        is_eastward, np.isin(row[:, 0], plan.main_rows), np.isin(column[:, 0], plan.main_columns)
    )
    rank = np.where(along_main, Rank.ARTERIAL, np.where(on_main.any(axis=1), Rank.LINK, 1))
    # The district is that of the end which is on no arterial road.
    inner = np.where(on_main[:, 0], 1, 0)
    rows = np.arange(len(ends))
    across = len(plan.main_columns) - 1
    district = (np.searchsorted(plan.main_rows, row[rows, inner]) - 1) * across + (
        np.searchsorted(plan.main_columns, column[rows, inner]) - 1
    )
    district[along_main] = -1
    is_over_river = ~is_eastward & (row[:, 0] == plan.river_row)
    kind = _district_kinds(plan, rng)
    bend = crossing_xy[ends].mean(axis=1) + rng.normal(0.0, 4.0, (len(ends), 2))
    has_pipe, is_feed = _choose(ends, rank, district, is_over_river, kind, rng)
    return Streets(
        columns=plan.columns,
        rows=plan.rows,
        crossing_xy=crossing_xy,
        ends=ends.astype(np.int32),
        bend_xy=bend,
        rank=rank.astype(np.int8),
        line=np.where(is_eastward, row[:, 0], plan.rows + column[:, 0]).astype(np.int32),
        district=district.astype(np.int32),
        is_over_river=is_over_river,
        has_pipe=has_pipe,
        is_feed=is_feed,
        district_kind=kind,
        district_center_xy=_centers(crossing_xy, ends, district, len(kind)),
    )


def _crossings(plan: _Plan, rng: Generator) -> Numbers:
    x = np.concatenate([[0.0], np.cumsum(rng.uniform(*BLOCK_M, plan.columns - 1))])
    steps = rng.uniform(*BLOCK_M, plan.rows - 1)
    steps[plan.river_row] += RIVER_M
    y = np.concatenate([[0.0], np.cumsum(steps)])
    x, y = (grid.ravel() for grid in np.meshgrid(x, y))
    turns = rng.uniform(0, 2 * np.pi, 4)
    # Long waves bend the streets together, so that no two of them meet.
    bent = np.column_stack(
        [
            x + 60 * np.sin(y / 330 + turns[0]) + 14 * np.sin(x / 210 + turns[1]),
            y + 75 * np.sin(x / 390 + turns[2]) + 14 * np.sin(y / 190 + turns[3]),
        ]
    )
    return bent + rng.normal(0.0, 5.0, bent.shape)


def _segments(plan: _Plan) -> tuple[NDArray[np.int64], Flags]:
    number = np.arange(plan.columns * plan.rows).reshape(plan.rows, plan.columns)
    east = np.column_stack([number[:, :-1].ravel(), number[:, 1:].ravel()])
    north = np.column_stack([number[:-1].ravel(), number[1:].ravel()])
    is_eastward = np.arange(len(east) + len(north)) < len(east)
    return np.concatenate([east, north]), is_eastward


def _district_kinds(plan: _Plan, rng: Generator) -> NDArray[np.int8]:
    count = (len(plan.main_rows) - 1) * (len(plan.main_columns) - 1)
    kinds = rng.choice(3, count, p=[0.6, 0.15, 0.25]).astype(np.int8)
    # Each kind is there in the smallest town: a hill in the north-west, low ground in the south.
    across = len(plan.main_columns) - 1
    kinds[[0, 1]] = DistrictKind.PLAIN, DistrictKind.REDUCED
    kinds[[count - across, count - 1]] = DistrictKind.PUMPED, DistrictKind.PLAIN
    return kinds


def _centers(
    crossing_xy: Numbers, ends: NDArray[np.int64], district: NDArray[np.int64], count: int
) -> Numbers:
    inside = district >= 0
    number = np.maximum(np.bincount(district[inside], minlength=count), 1)
    middle = crossing_xy[ends[inside]].mean(axis=1)
    sums = [np.bincount(district[inside], middle[:, axis], minlength=count) for axis in (0, 1)]
    return np.column_stack(sums) / number[:, None]


def _choose(
    ends: NDArray[np.int64],
    rank: NDArray[np.int64],
    district: NDArray[np.int64],
    is_over_river: Flags,
    kind: NDArray[np.int8],
    rng: Generator,
) -> tuple[Flags, Flags]:
    """Decide which segments have a pipe, and which of those feed a district of other pressure."""
    chance = rng.random(len(ends))
    street = np.flatnonzero(rank == Rank.STREET)
    weight = 1.0 + chance[street] + 10.0 * is_over_river[street]
    crossings = int(ends.max()) + 1
    pairs = (ends[street, 0], ends[street, 1])
    by_weight = np.empty(len(street))
    by_weight[np.argsort(weight, kind="stable")] = np.arange(1.0, len(street) + 1)
    tree = minimum_spanning_tree(
        coo_array((by_weight, pairs), shape=(crossings, crossings)).tocsr()
    )
    is_needed = np.isin(by_weight, tree.data)

    has_pipe = np.ones(len(ends), dtype=np.bool_)
    has_pipe[street] = is_needed | ((chance[street] > 0.15) & ~is_over_river[street])

    link = np.flatnonzero(rank == Rank.LINK)
    order = link[np.lexsort((chance[link], district[link]))]
    first = np.searchsorted(district[order], district[order], side="left")
    nth = np.arange(len(order)) - first
    has_other_pressure = kind[district[order]] != DistrictKind.PLAIN
    has_pipe[order] = (nth < 3) | (chance[order] > np.where(has_other_pressure, 0.5, 0.25))
    is_feed = np.zeros(len(ends), dtype=np.bool_)
    is_feed[order] = has_other_pressure & (nth < 3)
    return has_pipe, is_feed
