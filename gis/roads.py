"""Ways between valves by road: how long a crew drives from each to each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import cKDTree

from gis.timeline import DETOUR, STREET_SPEED_KMH

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gis.network import Flags, Numbers, Rows

FARTHEST_M = 500.0
"""A valve farther than this from every road is not on the road network."""
SAME_CORNER_M = 0.01
"""Roads meet where both have a corner, to the centimetre."""
LEAST_MIN = 1e-6
"""An edge without length still is one: a sparse graph takes 0 for none."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Roads:
    """
    Roads of a small area on a flat map, in metres.

    Attributes
    ----------
    corner_m
        East and north of each corner. Shape (corners, 2).
    start, end
        Corners at the ends of each straight stretch. Shape (stretches,).
    length_m, speed_kmh
        Of each stretch; the speed nan where it is not recorded. Shape (stretches,).
    is_one_way, is_closed
        Passable from start to end only, or not at all. Shape (stretches,).
    """

    corner_m: NDArray[np.float64]
    start: Rows
    end: Rows
    length_m: Numbers
    speed_kmh: Numbers
    is_one_way: Flags
    is_closed: Flags

    @classmethod
    def of_lines(
        cls,
        places_m: NDArray[np.float64],
        road: NDArray[np.int64],
        *,
        speed_kmh: Numbers,
        is_one_way: Flags,
        is_closed: Flags,
    ) -> Roads:
        """
        Join roads wherever they share a corner.

        Parameters
        ----------
        places_m
            Corners of all lines, one line after the other. Shape (places, 2).
        road
            The road of each place, ascending. Shape (places,).
        speed_kmh, is_one_way, is_closed
            Of each road, the way of its drawing. Shape (roads,).
        """
        grid = np.round(places_m / SAME_CORNER_M).astype(np.int64)
        _, first, corner = np.unique(grid, axis=0, return_index=True, return_inverse=True)
        corner = corner.reshape(-1)
        stretch = np.flatnonzero(road[:-1] == road[1:])
        of_road = road[stretch]
        return cls(
            corner_m=places_m[first],
            start=corner[stretch].astype(np.int32),
            end=corner[stretch + 1].astype(np.int32),
            length_m=np.hypot(*(places_m[stretch + 1] - places_m[stretch]).T),
            speed_kmh=speed_kmh[of_road],
            is_one_way=is_one_way[of_road],
            is_closed=is_closed[of_road],
        )

    def travel_min(self, x_m: Numbers, y_m: Numbers) -> Numbers:
        """
        Give the minutes from each place to each other by the fastest way.

        Parameters
        ----------
        x_m, y_m
            Places on the same flat map. Shape (places,).

        Returns
        -------
        Numbers
            From row to column; nan where there is no way. Shape (places, places).

        Notes
        -----
        A place is on the road network at the nearest corner of a road that is
        not closed; the way to that corner is a straight line. Dijkstra's search.
        """
        off_min, corner = self._enter(x_m, y_m)
        if not np.isfinite(off_min).any():
            return np.full((x_m.size, x_m.size), np.nan)
        asked, place = np.unique(corner, return_inverse=True)
        by_road = dijkstra(self.graph(), indices=asked)[:, asked][np.ix_(place, place)]
        minutes = off_min[:, None] + by_road + off_min[None, :]
        straight_m = np.hypot(x_m[:, None] - x_m[None, :], y_m[:, None] - y_m[None, :])
        at_same = np.isfinite(minutes) & (corner[:, None] == corner[None, :])
        minutes = np.where(at_same, straight_min(straight_m), minutes)
        return np.where(np.isfinite(minutes), minutes, np.nan)

    def _enter(self, x_m: Numbers, y_m: Numbers) -> tuple[Numbers, NDArray[np.int64]]:
        """Find the nearest open corner of each place, and the minutes to it; inf if too far."""
        is_open = np.flatnonzero(~self.is_closed)
        usable = np.unique(np.concatenate([self.start[is_open], self.end[is_open]]))
        if usable.size == 0:
            return np.full(x_m.size, np.inf), np.zeros(x_m.size, dtype=np.int64)
        distance_m, nearest = cKDTree(self.corner_m[usable]).query(np.column_stack([x_m, y_m]))
        off_min = np.where(distance_m <= FARTHEST_M, straight_min(np.array(distance_m)), np.inf)
        return off_min, usable[nearest].astype(np.int64)

    def graph(self) -> csr_array:
        """Give the minutes of each stretch that can be driven, the fastest of parallel ones."""
        speed = np.where(self.speed_kmh > 0, self.speed_kmh, STREET_SPEED_KMH)
        minutes = np.maximum(self.length_m / (speed * 1000 / 60), LEAST_MIN)
        onward = np.flatnonzero(~self.is_closed)
        back = np.flatnonzero(~self.is_closed & ~self.is_one_way)
        tail = np.concatenate([self.start[onward], self.end[back]])
        head = np.concatenate([self.end[onward], self.start[back]])
        minutes = np.concatenate([minutes[onward], minutes[back]])
        order = np.lexsort([minutes, head, tail])
        tail, head, minutes = tail[order], head[order], minutes[order]
        is_first = np.ones(tail.size, dtype=np.bool_)
        is_first[1:] = (tail[1:] != tail[:-1]) | (head[1:] != head[:-1])
        shape = (len(self.corner_m), len(self.corner_m))
        return csr_array((minutes[is_first], (tail[is_first], head[is_first])), shape=shape)


def straight_min(distance_m: Numbers) -> Numbers:
    """Give the minutes that a straight line takes where no street is known."""
    return distance_m * (DETOUR / (STREET_SPEED_KMH * 1000 / 60))
