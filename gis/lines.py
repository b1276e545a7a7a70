"""Lines on the ellipsoid: how long they are, and what lies where along them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
import shapely
from pyproj import Geod

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]
    Rows = NDArray[np.int64]

_WGS84 = Geod(ellps="WGS84")
_AXIS_M = _WGS84.a
_E2 = _WGS84.es
_LONG_M = 2_000.0
"""Up to here local lengths of a degree are true to micrometres; beyond, geodesics are solved."""
_CHUNK = 4_000_000
_FLATTEST = 89.9


def metres_per_degree(lat: Numbers) -> tuple[Numbers, Numbers]:
    """
    Give the length of a degree of longitude and of latitude at a latitude.

    Parameters
    ----------
    lat
        Degrees. Shape (n,).

    Returns
    -------
    tuple
        Metres a degree eastward and northward, WGS84. Shape (n,) each.
    """
    phi = np.radians(lat)
    root = np.sqrt(1.0 - _E2 * np.sin(phi) ** 2)
    east = np.radians(_AXIS_M * np.cos(phi) / root)
    north = np.radians(_AXIS_M * (1.0 - _E2) / root**3)
    return east, north


def distances_m(lon: Numbers, lat: Numbers, to_lon: Numbers, to_lat: Numbers) -> Numbers:
    """Give the geodesic distance between points, in metres. Shape (n,)."""
    east, north = metres_per_degree((lat + to_lat) / 2)
    found = np.hypot(_turn(to_lon - lon) * east, (to_lat - lat) * north)
    far = found > _LONG_M
    if far.any():
        found[far] = _WGS84.inv(lon[far], lat[far], to_lon[far], to_lat[far])[2]
    return np.asarray(found, dtype=np.float64)


def geocentric_m(lon: Numbers, lat: Numbers) -> Numbers:
    """Give points as (x, y, z), metres from the earth's middle: near is near. Shape (n, 3)."""
    phi, lam = np.radians(lat), np.radians(lon)
    radius = _AXIS_M / np.sqrt(1.0 - _E2 * np.sin(phi) ** 2)
    return np.column_stack(
        [
            radius * np.cos(phi) * np.cos(lam),
            radius * np.cos(phi) * np.sin(lam),
            radius * (1.0 - _E2) * np.sin(phi),
        ]
    )


def mercator(lon: Numbers, lat: Numbers) -> tuple[Numbers, Numbers]:
    """Give points on a conformal plane, in metres at the equator. Shape (n,) each."""
    phi = np.radians(np.clip(lat, -_FLATTEST, _FLATTEST))
    return np.radians(lon) * _AXIS_M, np.arctanh(np.sin(phi)) * _AXIS_M


def _turn(degrees: Numbers) -> Numbers:
    """Take a difference of longitudes the short way round."""
    wide = np.abs(degrees) > 180
    if wide.any():
        degrees = np.where(wide, degrees - np.copysign(360.0, degrees), degrees)
    return degrees


@dataclass(frozen=True, slots=True, eq=False)
class Lines:
    """
    Lines as flat arrays.

    Attributes
    ----------
    lon, lat
        All vertices, line after line, degrees. Shape (vertices,).
    first
        Row of the first vertex of each line, and the number of vertices. Shape (lines + 1,).
    along_m
        Geodesic length from the line's start to each vertex. Shape (vertices,).
    """

    lon: Numbers
    lat: Numbers
    first: Rows
    along_m: Numbers

    @classmethod
    def of(cls, geometries: Sequence[list[tuple[float, float]]]) -> Lines:
        """Lay out lines given as lists of (lon, lat)."""
        counts = np.fromiter(map(len, geometries), np.int64, len(geometries))
        first = np.concatenate([[0], np.cumsum(counts)])
        pairs = chain.from_iterable(chain.from_iterable(geometries))
        flat = np.fromiter(pairs, np.float64, 2 * int(first[-1])).reshape(-1, 2)
        lon, lat = np.ascontiguousarray(flat[:, 0]), np.ascontiguousarray(flat[:, 1])
        return cls(lon, lat, first, _along(lon, lat, first))

    def __len__(self) -> int:
        """Count the lines."""
        return len(self.first) - 1

    @property
    def length_m(self) -> Numbers:
        """Geodesic length of each line. Shape (lines,)."""
        return self.along_m[self.first[1:] - 1]

    def ends(self, which: int) -> tuple[Numbers, Numbers]:
        """Give the first (0) or last (1) vertex of each line."""
        at = self.first[:-1] if which == 0 else self.first[1:] - 1
        return self.lon[at], self.lat[at]

    def segments(self) -> tuple[Rows, Rows]:
        """Give the first vertex and the line of every straight piece."""
        is_last = np.zeros(len(self.lon), dtype=bool)
        is_last[self.first[1:] - 1] = True
        line = np.repeat(np.arange(len(self)), np.diff(self.first))
        vertex = np.flatnonzero(~is_last)
        return vertex, line[vertex]

    def project(self, line: Rows, lon: Numbers, lat: Numbers) -> tuple[Numbers, Numbers]:
        """
        Find the place on a line nearest to a point, for each point.

        Parameters
        ----------
        line
            Row of the line. Shape (points,).
        lon, lat
            The point, degrees. Shape (points,).

        Returns
        -------
        tuple
            The place as a fraction of the line's geodesic length, 0 to 1 (0 on a line without
            length), and the distance to it in metres. Shape (points,) each. Of places equally
            near the first along the line.
        """
        fraction = np.zeros(len(line))
        distance = np.zeros(len(line))
        pieces = np.diff(self.first)[line] - 1
        total = np.cumsum(pieces)
        begin = 0
        while begin < len(line):
            done = total[begin - 1] if begin else 0
            end = max(int(np.searchsorted(total, done + _CHUNK, side="right")), begin + 1)
            part = slice(begin, end)
            fraction[part], distance[part] = self._project(
                line[part], pieces[part], lon[part], lat[part]
            )
            begin = end
        return fraction, distance

    def _project(
        self, line: Rows, pieces: Rows, lon: Numbers, lat: Numbers
    ) -> tuple[Numbers, Numbers]:
        start = np.concatenate([[0], np.cumsum(pieces)[:-1]])
        point = np.repeat(np.arange(len(line)), pieces)
        vertex = self.first[line][point] + np.arange(len(point)) - start[point]
        east, north = (scale[point] for scale in metres_per_degree(lat))
        ax = _turn(self.lon[vertex] - lon[point]) * east
        ay = (self.lat[vertex] - lat[point]) * north
        dx = _turn(self.lon[vertex + 1] - self.lon[vertex]) * east
        dy = (self.lat[vertex + 1] - self.lat[vertex]) * north
        square = dx * dx + dy * dy
        with np.errstate(invalid="ignore", divide="ignore"):
            t = np.clip(np.where(square > 0, -(ax * dx + ay * dy) / square, 0.0), 0.0, 1.0)
        gap = np.hypot(ax + t * dx, ay + t * dy)
        least = np.minimum.reduceat(gap, start)
        is_least = np.flatnonzero(gap <= least[point])
        _, chosen = np.unique(point[is_least], return_index=True)
        best = is_least[chosen]
        at = self.along_m[vertex[best]]
        at = at + t[best] * (self.along_m[vertex[best] + 1] - at)
        length = self.length_m[line]
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(length > 0, np.clip(at / length, 0.0, 1.0), 0.0), least


def _along(lon: Numbers, lat: Numbers, first: Rows) -> Numbers:
    """
    Sum up the lengths along each line.

    Line by line and not by one running sum, so that a line's length does not
    depend on the lines before it.
    """
    step = np.zeros(len(lon))
    step[1:] = distances_m(lon[:-1], lat[:-1], lon[1:], lat[1:]) if len(lon) else 0.0
    along = np.zeros(len(lon))
    longest_first = np.argsort(-np.diff(first), kind="stable")
    counts = np.diff(first)[longest_first]
    begins = first[:-1][longest_first]
    for k in range(1, int(counts[0]) if len(counts) else 0):
        at = begins[: np.searchsorted(-counts, -k, side="left")] + k
        along[at] = along[at - 1] + step[at]
    return along


class LineIndex:
    """
    Finds the straight pieces of lines by place.

    Parameters
    ----------
    lines
        The lines.
    rows
        Those of them to be found; by default all.
    """

    def __init__(self, lines: Lines, rows: Rows | None = None) -> None:
        """Build the tree."""
        vertex, line = lines.segments()
        if rows is not None:
            chosen = np.isin(line, rows)
            vertex, line = vertex[chosen], line[chosen]
        x, y = mercator(lines.lon, lines.lat)
        pairs = np.empty((len(vertex), 2, 2))
        pairs[:, 0, 0], pairs[:, 0, 1] = x[vertex], y[vertex]
        pairs[:, 1, 0], pairs[:, 1, 1] = x[vertex + 1], y[vertex + 1]
        self.lines = lines
        self.vertex = vertex
        self.line = line
        self._pieces: NDArray[np.object_] = np.asarray(shapely.linestrings(pairs))
        self._tree = shapely.STRtree(self._pieces)

    def near(self, lon: Numbers, lat: Numbers, within_m: float) -> tuple[Rows, Rows, Numbers]:
        """Give all pairs (point, line) not farther apart than `within_m`, with their distance."""
        x, y = mercator(lon, lat)
        reach = 1.01 * within_m / np.cos(np.radians(np.clip(lat, -_FLATTEST, _FLATTEST)))
        boxes = shapely.box(x - reach, y - reach, x + reach, y + reach)
        point, piece = self._tree.query(boxes)
        pairs = np.unique(np.column_stack([point, self.line[piece]]), axis=0).reshape(-1, 2)
        point, line = pairs[:, 0], pairs[:, 1]
        _, distance = self.lines.project(line, lon[point], lat[point])
        kept = distance <= within_m
        return point[kept], line[kept], distance[kept]

    def nearest(self, lon: Numbers, lat: Numbers) -> tuple[Rows, Rows, Numbers]:
        """Give for each point the lines nearest to it, more than one where they tie."""
        x, y = mercator(lon, lat)
        point, piece = self._tree.query_nearest(shapely.points(x, y), all_matches=True)
        pairs = np.unique(np.column_stack([point, self.line[piece]]), axis=0).reshape(-1, 2)
        point, line = pairs[:, 0], pairs[:, 1]
        _, distance = self.lines.project(line, lon[point], lat[point])
        return point, line, distance

    def crossings(self, chunk: int = 100_000) -> tuple[Rows, Rows, Numbers, Numbers]:
        """
        Find where two lines cross, each strictly inside a straight piece.

        Returns
        -------
        tuple
            The two lines (lower row first), and longitude and latitude of the place;
            a pair as often as it crosses.
        """
        found = [
            self._crossings(np.arange(begin, min(begin + chunk, len(self.line))))
            for begin in range(0, len(self.line), chunk)
        ]
        empty = (np.empty(0, np.int64),) * 2 + (np.empty(0),) * 2
        columns = zip(*found, strict=True) if found else ((part,) for part in empty)
        one, other, lon, lat = (np.concatenate(list(column)) for column in columns)
        return one, other, lon, lat

    def _crossings(self, rows: Rows) -> tuple[Rows, Rows, Numbers, Numbers]:
        asked, two = self._tree.query(self._pieces[rows])
        one = rows[asked]
        apart = (one < two) & (self.line[one] != self.line[two])
        one, two = one[apart], two[apart]
        a, c = self.vertex[one], self.vertex[two]
        lon, lat = self.lines.lon, self.lines.lat
        # Seen from the first piece's start, so that no digits are lost to large numbers.
        bx, by = _turn(lon[a + 1] - lon[a]), lat[a + 1] - lat[a]
        cx, cy = _turn(lon[c] - lon[a]), lat[c] - lat[a]
        dx, dy = _turn(lon[c + 1] - lon[a]), lat[c + 1] - lat[a]
        c_side = bx * cy - by * cx
        d_side = bx * dy - by * dx
        ex, ey = dx - cx, dy - cy
        a_side = ey * cx - ex * cy
        b_side = a_side + ex * by - ey * bx
        crossing = (c_side * d_side < 0) & (a_side * b_side < 0)
        t = a_side[crossing] / (a_side[crossing] - b_side[crossing])
        line_one, line_two = self.line[one][crossing], self.line[two][crossing]
        at = a[crossing]
        return (
            np.minimum(line_one, line_two),
            np.maximum(line_one, line_two),
            lon[at] + t * bx[crossing],
            lat[at] + t * by[crossing],
        )
