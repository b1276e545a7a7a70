"""All streets of a city: how long crews anywhere need to open jobs, looked up."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra
from shapely import STRtree, linestrings, points

from gis.roads import FARTHEST_M, LEAST_MIN, Roads, straight_min
from gis.timeline import STREET_SPEED_KMH

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from gis.network import Flags, Numbers, Rows

NOWHERE = -1
"""The stretch of a place that is far from all streets."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Field:
    """
    The minutes from everywhere to one place, from `Streets.minutes_to`.

    Attributes
    ----------
    minutes
        From each corner of the streets; inf where there is no way. Shape (corners,).
    stretch, along
        Where the place is on the streets: the stretch and the share of its length; the
        stretch is -1 for a place too far from all of them.
    off_min
        From there to the place itself.
    x_m, y_m
        The place.
    """

    minutes: NDArray[np.float32]
    stretch: int
    along: float
    off_min: float
    x_m: float
    y_m: float


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Streets:
    """
    All streets of a city on a flat map, ready for asking how far crews are from jobs.

    Unlike `Roads`, which answers once about a few valves, it keeps what is
    asked again and again: the reversed graph and where each street lies.

    Attributes
    ----------
    roads
        The streets; closed ones are not driven.
    onward_min, back_min
        Driving each stretch from start to end and back; inf where it cannot be. Shape (stretches,).
    road
        The road of each stretch. Shape (stretches,).
    reversed_graph
        The minutes from the head of a way to its tail.
    tree, open_stretch
        Open stretches by place, and which they are.
    """

    roads: Roads
    road: Rows
    onward_min: Numbers
    back_min: Numbers
    reversed_graph: csr_array
    tree: STRtree
    open_stretch: NDArray[np.int64]

    @classmethod
    def of_lines(
        cls,
        places_m: NDArray[np.float64],
        road: NDArray[np.int64],
        *,
        speed_kmh: Numbers,
        is_one_way: Flags,
        is_closed: Flags,
    ) -> Streets:
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
        roads = Roads.of_lines(
            places_m, road, speed_kmh=speed_kmh, is_one_way=is_one_way, is_closed=is_closed
        )
        return cls._of(roads, road[np.flatnonzero(road[:-1] == road[1:])].astype(np.int32))

    def closing(self, is_closed: Flags) -> Streets:
        """
        Give the same streets with other ones closed; fields are to be made again.

        Parameters
        ----------
        is_closed
            Of each road, in place of what was closed before. Shape (roads,).
        """
        return self._of(replace(self.roads, is_closed=is_closed[self.road]), self.road)

    @classmethod
    def _of(cls, roads: Roads, road: Rows) -> Streets:
        speed = np.where(roads.speed_kmh > 0, roads.speed_kmh, STREET_SPEED_KMH)
        minutes = np.maximum(roads.length_m / (speed * 1000 / 60), LEAST_MIN)
        onward = np.where(roads.is_closed, np.inf, minutes)
        open_stretch = np.flatnonzero(~roads.is_closed)
        ends = roads.corner_m[np.column_stack([roads.start, roads.end])[open_stretch]]
        return cls(
            roads=roads,
            road=road,
            onward_min=onward,
            back_min=np.where(roads.is_one_way, np.inf, onward),
            reversed_graph=csr_array(roads.graph().T),
            tree=STRtree(np.asarray(linestrings(ends), dtype=np.object_)),
            open_stretch=open_stretch,
        )

    def minutes_to(self, x_m: float, y_m: float) -> Field:
        """
        Find the way from every corner to one place.

        Parameters
        ----------
        x_m, y_m
            The place.

        Notes
        -----
        Dijkstra's search on the reversed graph, from the place on the nearest
        stretch: its two ends are entered with what is left of the stretch.
        """
        corners = len(self.roads.corner_m)
        stretch, along, off_min = self._enter(np.array([x_m]), np.array([y_m]))
        at, share, off = int(stretch[0]), float(along[0]), float(off_min[0])
        minutes = np.full(corners, np.inf, dtype=np.float32)
        if at != NOWHERE:
            ends = np.array([self.roads.start[at], self.roads.end[at]])
            left = _part(
                np.array([share, 1 - share]), np.array([self.onward_min[at], self.back_min[at]])
            )
            graph = _with_place(self.reversed_graph, ends, left)
            minutes = dijkstra(graph, indices=[corners])[0, :corners].astype(np.float32)
        return Field(minutes=minutes, stretch=at, along=share, off_min=off, x_m=x_m, y_m=y_m)

    def minutes_from(self, field: Field, x_m: Numbers, y_m: Numbers) -> Numbers:
        """
        Look up how long crews need to the place of a field.

        Parameters
        ----------
        field
            From `minutes_to` of these same streets.
        x_m, y_m
            Where the crews are. Shape (crews,).

        Returns
        -------
        Numbers
            Minutes, parts of stretches and the straight ways beside the
            streets counted; inf where there is no way. Shape (crews,).
        """
        return self.minutes_between([field], x_m, y_m)[:, 0]

    def minutes_between(self, fields: Sequence[Field], x_m: Numbers, y_m: Numbers) -> Numbers:
        """
        Look up how long crews need to the places of several fields.

        Parameters
        ----------
        fields
            From `minutes_to` of these same streets.
        x_m, y_m
            Where the crews are. Shape (crews,).

        Returns
        -------
        Numbers
            Minutes; inf where there is no way. Shape (crews, fields).
        """
        if not fields:
            return np.zeros((x_m.size, 0))
        stretch, along, off_min = self._enter(x_m, y_m)
        known = np.maximum(stretch, 0)
        onward, back = self.onward_min[known, None], self.back_min[known, None]
        along = along[:, None]
        ends = np.concatenate([self.roads.start[known], self.roads.end[known]])
        from_ends = np.array([field.minutes[ends] for field in fields], dtype=np.float64).T
        crews = x_m.size
        minutes = np.minimum(
            from_ends[:crews] + _part(along, back), from_ends[crews:] + _part(1 - along, onward)
        )
        at = np.array([[f.stretch, f.along, f.off_min, f.x_m, f.y_m] for f in fields]).T
        ahead = at[1] - along
        direct = np.where(ahead >= 0, _part(ahead, onward), _part(-ahead, back))
        is_same = at[0] == stretch[:, None]
        minutes = np.where(is_same, np.minimum(minutes, direct), minutes)
        minutes = minutes + off_min[:, None] + at[2]
        # Two places in one yard need not go round by the street.
        straight = straight_min(np.hypot(x_m[:, None] - at[3], y_m[:, None] - at[4]))
        in_yard = is_same & (straight < off_min[:, None] + at[2])
        minutes = np.where(in_yard, np.minimum(minutes, straight), minutes)
        is_there = (stretch[:, None] != NOWHERE) & (at[0] != NOWHERE)
        return np.where(is_there, minutes, np.inf)

    def _enter(self, x_m: Numbers, y_m: Numbers) -> tuple[NDArray[np.int64], Numbers, Numbers]:
        """Find the nearest open stretch, the share along it, and the minutes to it."""
        stretch = np.full(x_m.size, NOWHERE, dtype=np.int64)
        found = self.tree.query_nearest(
            points(x_m, y_m), max_distance=FARTHEST_M, all_matches=False
        )
        stretch[found[0]] = self.open_stretch[found[1]]
        known = np.maximum(stretch, 0)
        roads = self.roads
        start, end = roads.corner_m[roads.start[known]], roads.corner_m[roads.end[known]]
        place = np.column_stack([x_m, y_m])
        square = np.maximum(((end - start) ** 2).sum(axis=1), LEAST_MIN)
        along = np.clip(((place - start) * (end - start)).sum(axis=1) / square, 0.0, 1.0)
        off_m = np.hypot(*(place - start - along[:, None] * (end - start)).T)
        return stretch, along, np.where(stretch == NOWHERE, np.inf, straight_min(off_m))


def _with_place(graph: csr_array, ends: NDArray[np.int64], minutes: Numbers) -> csr_array:
    """Add a place to a graph, last, from which ways lead to some corners."""
    is_way = np.isfinite(minutes)
    size = graph.shape[0] + 1
    added = int(is_way.sum())
    return csr_array(
        (
            np.concatenate([graph.data, np.maximum(minutes[is_way], LEAST_MIN)]),
            np.concatenate([graph.indices, ends[is_way]]),
            np.concatenate([graph.indptr, [graph.indptr[-1] + added]]),
        ),
        shape=(size, size),
    )


def _part(share: Numbers, minutes: Numbers) -> Numbers:
    """Take a share of the minutes of stretches; no part of one that cannot be driven is no time."""
    share, minutes = np.broadcast_arrays(share, minutes)
    return np.multiply(share, minutes, out=np.zeros(share.shape), where=share > 0)
