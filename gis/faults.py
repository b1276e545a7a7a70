"""What is wrong with a placed network: loose ends, islands, crossings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from gis.findings import Finding
from gis.lines import distances_m

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gis.lines import LineIndex, Lines
    from gis.placement import Placement

    Rows = NDArray[np.int64]


def report_faults(placement: Placement, lines: Lines, index: LineIndex, *, snap_m: float) -> None:
    """
    Add to the placement's report what is wrong with the network as a whole.

    Parameters
    ----------
    placement
        Everything at its place.
    lines, index
        The pipes' lines, and the same by place.
    snap_m
        Nearer than this is joined.
    """
    links = np.concatenate(
        [
            placement.pipe_ends,
            placement.valve_ends[placement.valve_ends[:, 0] >= 0],
            placement.pump_ends,
            placement.control_valve_ends,
        ]
    ).astype(np.int64)
    if (links < 0).any() or (placement.source_node < 0).any():
        return  # unknown references have been told; no graph can be made
    _report_dangling(placement, links)
    _report_islands(placement, links)
    if placement.pipes:
        touching = _report_ends_on_pipes(placement, lines, index, snap_m)
        _report_crossings(placement, lines, index, touching, snap_m)


def _report_dangling(placement: Placement, links: Rows) -> None:
    """Tell of pipes' ends whose node nothing else is joined to, and of nodes alone."""
    count = len(placement.nodes)
    degree = np.bincount(links.ravel(), minlength=count)
    served = np.zeros(count, dtype=bool)
    for rows in (placement.source_node, placement.feed_node, placement.hydrant_node):
        served[rows[rows >= 0]] = True
    # A node that the file draws at the end of one pipe is a dead end, as networks have them.
    is_made = np.array([node.is_made for node in placement.nodes], dtype=bool)
    loose = (degree == 1) & ~served & is_made
    for which, name in enumerate(("start", "end")):
        for row in np.flatnonzero(loose[placement.pipe_ends[:, which]]).tolist():
            pipe = placement.pipes[row]
            lon, lat = pipe.geometry[-which]
            node = placement.nodes[int(placement.pipe_ends[row, which])].id
            placement.report.add(
                Finding(
                    code="end-dangling",
                    severity="wrong",
                    kind="pipe",
                    id=pipe.id,
                    lon=lon,
                    lat=lat,
                    params={"end": name, "node": node},
                )
            )
    for row in np.flatnonzero((degree == 0) & ~served).tolist():
        node = placement.nodes[row].id
        lon, lat = placement.nodes[row].geometry[0]
        placement.report.add(
            Finding(code="node-alone", severity="wrong", kind="node", id=node, lon=lon, lat=lat)
        )


def _report_islands(placement: Placement, links: Rows) -> None:
    """Tell of parts that are joined to no source, whatever stands open or closed."""
    if not placement.sources:
        if placement.pipes:
            placement.report.add(Finding(code="no-source", severity="wrong"))
        return
    count = len(placement.nodes)
    graph = coo_array((np.ones(len(links), dtype=bool), (links[:, 0], links[:, 1])), (count, count))
    islands, label = connected_components(graph, directed=False)
    has_source = np.zeros(islands, dtype=bool)
    has_source[label[placement.source_node]] = True
    pipes = np.bincount(label[placement.pipe_ends[:, 0]], minlength=islands)
    links_there = np.bincount(label[links[:, 0]], minlength=islands)
    customers = _customers_by_island(placement, label, islands)
    lowest: dict[int, int] = {}
    for row in np.flatnonzero(~has_source[label] & (links_there[label] > 0)).tolist():
        island = int(label[row])
        best = lowest.get(island)
        if best is None or placement.nodes[row].id < placement.nodes[best].id:
            lowest[island] = row
    for island, row in sorted(lowest.items(), key=lambda item: placement.nodes[item[1]].id):
        node = placement.nodes[row]
        placement.report.add(
            Finding(
                code="island-without-source",
                severity="wrong",
                kind="node",
                id=node.id,
                lon=node.geometry[0][0],
                lat=node.geometry[0][1],
                params={"pipes": int(pipes[island]), "customers": int(customers[island])},
            )
        )


def _customers_by_island(placement: Placement, label: NDArray[np.int32], islands: int) -> Rows:
    node = np.where(
        placement.feed_pipe >= 0,
        placement.pipe_ends[placement.feed_pipe, 0] if placement.pipes else -1,
        placement.feed_node,
    )
    known = node >= 0
    pairs = np.column_stack([label[node[known]], placement.feed_customer[known]])
    return np.bincount(np.unique(pairs, axis=0)[:, 0], minlength=islands)


def _report_ends_on_pipes(
    placement: Placement, lines: Lines, index: LineIndex, snap_m: float
) -> set[tuple[int, int]]:
    """Tell of pipes' ends that lie on the middle of another pipe. Gives those pairs of pipes."""
    node, first = np.unique(placement.pipe_ends.T.ravel(), return_index=True)
    del node
    which, pipe = np.divmod(first, len(placement.pipes))
    starts, ends = lines.ends(0), lines.ends(1)
    lon = np.where(which == 0, starts[0][pipe], ends[0][pipe])
    lat = np.where(which == 0, starts[1][pipe], ends[1][pipe])
    point, other, _ = index.near(lon, lat, snap_m)
    at = placement.pipe_ends[pipe[point], which[point]]
    apart = (placement.pipe_ends[other] != at[:, None]).all(axis=1)
    for end_lon, end_lat in (starts, ends):
        gap = distances_m(lon[point], lat[point], end_lon[other], end_lat[other])
        apart &= gap > snap_m
    touching = set()
    for row, crossed in zip(point[apart].tolist(), other[apart].tolist(), strict=True):
        mine = placement.pipes[int(pipe[row])]
        touching.add((int(pipe[row]), crossed))
        placement.report.add(
            Finding(
                code="end-on-pipe",
                severity="wrong",
                kind="pipe",
                id=mine.id,
                lon=float(lon[row]),
                lat=float(lat[row]),
                params={
                    "end": "end" if which[row] else "start",
                    "pipe": placement.pipes[crossed].id,
                },
            )
        )
    return touching


def _report_crossings(
    placement: Placement,
    lines: Lines,
    index: LineIndex,
    touching: set[tuple[int, int]],
    snap_m: float,
) -> None:
    """Tell of pipes that cross where neither of them ends."""
    one, other, lon, lat = index.crossings()
    inside = np.ones(len(one), dtype=bool)
    for pipe in (one, other):
        for end_lon, end_lat in (lines.ends(0), lines.ends(1)):
            inside &= distances_m(lon, lat, end_lon[pipe], end_lat[pipe]) > snap_m
    told = set(touching) | {(b, a) for a, b in touching}
    for row in np.flatnonzero(inside).tolist():
        pair = (int(one[row]), int(other[row]))
        if pair in told:
            continue
        told.add(pair)
        names = sorted(placement.pipes[at].id for at in pair)
        placement.report.add(
            Finding(
                code="pipe-crossing",
                severity="wrong",
                kind="pipe",
                id=names[0],
                lon=float(lon[row]),
                lat=float(lat[row]),
                params={"pipe": names[1]},
            )
        )
