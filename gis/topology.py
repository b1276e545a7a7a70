"""
From features as a file gives them to features at their places.

Pipes' ends find their nodes, valves their place on a pipe, customers and
hydrants the pipe that feeds them. What had to be guessed for that, and what is
wrong with the network so made, stands in a report, each with its id and place.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from gis.faults import report_faults
from gis.features import Feature, Feed, NodeFeature
from gis.findings import Finding, Report
from gis.lines import LineIndex, Lines, distances_m, geocentric_m
from gis.memory import without_collector
from gis.placement import Placement, PlacementError, cuts_m, network_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from gis.features import (
        CustomerFeature,
        FeatureSet,
        HydrantFeature,
        SourceFeature,
        ValveFeature,
    )
    from gis.findings import Severity

    Rows = NDArray[np.int64]
    Numbers = NDArray[np.float64]

__all__ = ["Placement", "PlacementError", "cuts_m", "network_of", "place"]

SNAP_M = 0.5
_EXACT_M = 1e-3
"""Nearer than this is the same place, and no guess."""
_SAME_M = 1e-6
_FED_FROM = ("distribution", "service")

SomeFeature = TypeVar("SomeFeature", bound=Feature)


def place(features: FeatureSet, snap_m: float = SNAP_M) -> Placement:
    """
    Find the place of every feature.

    The features themselves are filled in (ids of nodes and pipes, metres along
    pipes, lengths, flags of what was guessed). What an earlier call guessed is
    looked for again, so that calling twice gives the same.

    Parameters
    ----------
    features
        As a reader gives them.
    snap_m
        Ends so near to a node are joined to it, ends so near to each other to
        each other; a valve so near to a pipe lies on it.

    Returns
    -------
    Placement
        With the report of what was guessed and what is wrong. Where
        `report.has_errors` the file must be refused.
    """
    with without_collector():
        return _Placing(features, snap_m).run()


@dataclass(slots=True, eq=False)
class _Ends:
    """Both ends of every link, kind after kind, start before end: `rows` = 2 * link + which."""

    features: list[Any]
    lon: Numbers
    lat: Numbers
    node: Rows
    is_drawn: NDArray[np.bool_]


class _Placing:
    """One run of `place`: each step fills what the next ones need."""

    def __init__(self, features: FeatureSet, snap_m: float) -> None:
        self.snap_m = snap_m
        self.report = Report()
        self.report.extend(features.remarks)
        self.nodes = self._once(features.nodes)
        self.pipes = self._once(features.pipes)
        self.valves = self._once(features.valves)
        self.pumps = self._once(features.pumps)
        self.control_valves = self._once(features.control_valves)
        self.sources = self._once(features.sources)
        self.customers = self._once(features.customers)
        self.hydrants = self._once(features.hydrants)
        self.roads = self._once(features.roads)
        self.depots = self._once(features.depots)
        self.node_rows = {node.id: row for row, node in enumerate(self.nodes)}
        self.pipe_rows = {pipe.id: row for row, pipe in enumerate(self.pipes)}
        self._imply_nodes()
        self._index: LineIndex | None = None

    def run(self) -> Placement:
        """Place everything, in the order in which one thing needs the other."""
        self._check_device_ids()
        ends = self._join_ends()
        self.lines = Lines.of([pipe.geometry for pipe in self.pipes])
        length_m = self._measure()
        valve_pipe, valve_at_m = self._place_valves(length_m)
        source_node = self._place_sources()
        feeds = self._place_customers(length_m)
        hydrant_pipe, hydrant_at_m, hydrant_node = self._place_hydrants(length_m)
        links = ends.node.reshape(-1, 2).astype(np.int32)
        pipe_ends, link_valve_ends, pump_ends, control_valve_ends = np.split(
            links,
            np.cumsum([len(self.pipes), len(self.link_valves), len(self.pumps)]),
        )
        valve_ends = np.full((len(self.valves), 2), -1, dtype=np.int32)
        valve_ends[self.link_valves] = link_valve_ends
        placement = Placement(
            nodes=self.nodes,
            pipes=self.pipes,
            valves=self.valves,
            pumps=self.pumps,
            control_valves=self.control_valves,
            sources=self.sources,
            customers=self.customers,
            hydrants=self.hydrants,
            roads=self.roads,
            depots=self.depots,
            report=self.report,
            pipe_ends=pipe_ends,
            pipe_length_m=length_m,
            valve_pipe=valve_pipe.astype(np.int32),
            valve_at_m=valve_at_m,
            valve_ends=valve_ends,
            pump_ends=pump_ends,
            control_valve_ends=control_valve_ends,
            source_node=source_node.astype(np.int32),
            **feeds,
            hydrant_pipe=hydrant_pipe.astype(np.int32),
            hydrant_at_m=hydrant_at_m,
            hydrant_node=hydrant_node.astype(np.int32),
        )
        self._assume_positions()
        report_faults(placement, self.lines, self.index, snap_m=self.snap_m)
        return placement

    @property
    def index(self) -> LineIndex:
        """The pipes by place, built when first asked for."""
        if self._index is None:
            self._index = LineIndex(self.lines)
        return self._index

    # --- ids ---

    def _once(self, features: list[SomeFeature]) -> list[SomeFeature]:
        """Keep one of identical copies, and refuse different features of one id."""
        rows = {feature.id: feature for feature in features}
        if len(rows) == len(features):
            return list(features)
        same: dict[str, list[SomeFeature]] = defaultdict(list)
        for feature in features:
            same[feature.id].append(feature)
        for name, copies in same.items():
            if len(copies) == 1:
                continue
            alike = all(copy == copies[0] for copy in copies)
            self._say(
                "id-twice-same" if alike else "id-twice",
                copies[-1],
                severity="wrong" if alike else "error",
                id=name,
                count=len(copies),
            )
        return [copies[0] for copies in same.values()]

    def _check_device_ids(self) -> None:
        valves = {valve.id for valve in self.valves}
        for valve in self.control_valves:
            if valve.isolates and valve.id in valves:
                self._say("id-of-two-devices", valve)

    def _imply_nodes(self) -> None:
        """
        Make the nodes that a source or a hydrant names and no feature draws.

        Supply models know a reservoir or a hydrant as a node of its own; pipes
        then end at it by its name.
        """
        named: list[SourceFeature | HydrantFeature] = [*self.sources, *self.hydrants]
        for feature in named:
            name = feature.node
            if name is None or name in self.node_rows or name != feature.id:
                continue
            node = NodeFeature(id=name, geometry=list(feature.geometry), is_made=True)
            self.node_rows[name] = len(self.nodes)
            self.nodes.append(node)
            self._say("node-implied", node, severity="guessed", by=feature.kind)

    # --- ends of links ---

    def _join_ends(self) -> _Ends:
        """Give every end of every link its node, making nodes where ends meet without one."""
        self.link_valves = [row for row, valve in enumerate(self.valves) if _is_link(valve)]
        ends = self._gather_ends()
        lon, lat = _coordinates(self.nodes)
        self._check_ends(ends, lon, lat)
        missing = np.flatnonzero(ends.node < 0)
        if len(missing):
            found, distance = self._nearest_nodes(
                ends.lon[missing], ends.lat[missing], lon, lat, self.snap_m
            )
            ends.node[missing] = found
            self._say_snapped(ends, missing[found >= 0], distance[found >= 0])
            self._make_nodes(ends, missing[found < 0])
            self._name_ends(ends, missing)
        return ends

    def _gather_ends(self) -> _Ends:
        links: list[Any] = [
            *self.pipes,
            *(self.valves[row] for row in self.link_valves),
            *self.pumps,
            *self.control_valves,
        ]
        count = len(links)
        node = np.empty((count, 2), dtype=np.int64)
        place = np.empty((count, 2, 2))
        for which, name in enumerate(("start", "end")):
            attribute = f"{name}_node"
            flag = f"is_{name}_guessed"
            for link in links:
                if getattr(link, flag):
                    setattr(link, attribute, None)
                    setattr(link, flag, False)
            rows = self.node_rows
            given = [getattr(link, attribute) for link in links]
            node[:, which] = [-1 if name_ is None else rows.get(name_, -2) for name_ in given]
            place[:, which] = _pairs([link.geometry[-which] for link in links])
            for row in np.flatnonzero(node[:, which] == -2).tolist():
                self._say_unknown(links[row], attribute, given[row], "node")
        drawn = np.array([len(link.geometry) > 1 for link in links], dtype=bool)
        node = np.where(node == -2, -1, node)
        return _Ends(
            links, place[:, :, 0].ravel(), place[:, :, 1].ravel(), node.ravel(), np.repeat(drawn, 2)
        )

    def _check_ends(self, ends: _Ends, lon: Numbers, lat: Numbers) -> None:
        """Turn pipes drawn from end to start, and tell of ends drawn far from their node."""
        if not len(lon):
            return
        far = self._far_ends(ends, lon, lat)
        turned = np.flatnonzero(far.reshape(-1, 2)[: len(self.pipes)].all(axis=1))
        if len(turned):
            swapped = ends.node.reshape(-1, 2)[turned][:, ::-1]
            places = [array.reshape(-1, 2)[turned] for array in (ends.lon, ends.lat)]
            gaps = distances_m(
                places[0].ravel(), places[1].ravel(), lon[swapped.ravel()], lat[swapped.ravel()]
            ).reshape(-1, 2)
            for row in turned[(gaps <= self.snap_m).all(axis=1)].tolist():
                pipe = self.pipes[row]
                pipe.geometry = pipe.geometry[::-1]
                pair = slice(2 * row, 2 * row + 2)
                ends.lon[pair], ends.lat[pair] = ends.lon[pair][::-1], ends.lat[pair][::-1]
                self._say("pipe-turned", pipe, severity="guessed")
            far = self._far_ends(ends, lon, lat)
        given = np.flatnonzero(far)
        at = ends.node[given]
        distance = distances_m(ends.lon[given], ends.lat[given], lon[at], lat[at])
        for row, gap in zip(given.tolist(), distance.tolist(), strict=True):
            self._say_end("end-far-from-node", "wrong", ends, row, gap)

    def _far_ends(self, ends: _Ends, lon: Numbers, lat: Numbers) -> NDArray[np.bool_]:
        given = (ends.node >= 0) & ends.is_drawn
        at = np.where(given, ends.node, 0)
        return given & (distances_m(ends.lon, ends.lat, lon[at], lat[at]) > self.snap_m)

    def _nearest_nodes(
        self, lon: Numbers, lat: Numbers, node_lon: Numbers, node_lat: Numbers, within_m: float
    ) -> tuple[Rows, Numbers]:
        """Give the nearest node of each point (-1 where none is so near); of a tie the lower id."""
        if not len(node_lon) or not len(lon):
            return np.full(len(lon), -1), np.full(len(lon), np.inf)
        tree = cKDTree(geocentric_m(node_lon, node_lat))
        points = geocentric_m(lon, lat)
        reach = within_m if np.isfinite(within_m) else np.inf
        gap, found = (
            np.asarray(part)
            for part in tree.query(points, k=2, distance_upper_bound=reach + _EXACT_M)
        )
        distance, row = gap[:, 0], np.where(gap[:, 0] <= reach + _SAME_M, found[:, 0], -1)
        tied = np.flatnonzero((row >= 0) & (gap[:, 1] <= gap[:, 0] + _SAME_M))
        for at in tied.tolist():
            near = tree.query_ball_point(points[at], distance[at] + _SAME_M)
            row[at] = min(near, key=lambda node: self.nodes[node].id)
        return row.astype(np.int64), distance

    def _make_nodes(self, ends: _Ends, rows: Rows) -> None:
        """Make a node wherever ends without one lie together."""
        if not len(rows):
            return
        places, inverse = np.unique(
            np.column_stack([ends.lon[rows], ends.lat[rows]]), axis=0, return_inverse=True
        )
        tree = cKDTree(geocentric_m(places[:, 0], places[:, 1]))
        pairs = tree.query_pairs(self.snap_m, output_type="ndarray")
        joined = coo_array(
            (np.ones(len(pairs), dtype=bool), (pairs[:, 0], pairs[:, 1])),
            shape=(len(places), len(places)),
        )
        count, label = connected_components(joined, directed=False)
        # `np.unique` has sorted the places: the first of each group is its lowest.
        _, first = np.unique(label, return_index=True)
        ends_there = np.bincount(label[inverse.ravel()], minlength=count)
        begin = len(self.nodes)
        for group, at in enumerate(first.tolist()):
            lon, lat = places[at].tolist()
            node = NodeFeature(id=self._free_id(lon, lat), geometry=[(lon, lat)], is_made=True)
            self.node_rows[node.id] = len(self.nodes)
            self.nodes.append(node)
            self._say("node-made", node, severity="guessed", ends=int(ends_there[group]))
        ends.node[rows] = begin + label[inverse.ravel()]

    def _free_id(self, lon: float, lat: float) -> str:
        """Name a node by its place, so that the same file makes the same node again."""
        name = f"made-{lon:.7f}_{lat:.7f}"
        while name in self.node_rows:
            name += "'"
        return name

    def _name_ends(self, ends: _Ends, rows: Rows) -> None:
        for row, node in zip(rows.tolist(), ends.node[rows].tolist(), strict=True):
            link = ends.features[row // 2]
            if row % 2:
                link.end_node, link.is_end_guessed = self.nodes[node].id, True
            else:
                link.start_node, link.is_start_guessed = self.nodes[node].id, True

    def _say_snapped(self, ends: _Ends, rows: Rows, distance: Numbers) -> None:
        for row, gap in zip(rows.tolist(), distance.tolist(), strict=True):
            if gap > _EXACT_M:
                self._say_end("end-snapped", "guessed", ends, row, gap)

    def _say_end(self, code: str, severity: Severity, ends: _Ends, row: int, gap: float) -> None:
        if not self.report.has_room(severity, code):
            self.report.count(severity, code, 1)
            return
        link = ends.features[row // 2]
        self.report.add(
            Finding(
                code=code,
                severity=severity,
                kind=link.kind,
                id=link.id,
                lon=float(ends.lon[row]),
                lat=float(ends.lat[row]),
                params={
                    "end": "end" if row % 2 else "start",
                    "node": self.nodes[int(ends.node[row])].id,
                    "distance_m": round(gap, 3),
                },
            )
        )

    # --- lengths ---

    def _measure(self) -> Numbers:
        drawn = self.lines.length_m
        length_m = np.empty(len(self.pipes))
        measured = np.round(drawn, 6).tolist()
        for row, pipe in enumerate(self.pipes):
            if pipe.length_m is None or pipe.is_length_measured:
                pipe.length_m, pipe.is_length_measured = measured[row], True
            length_m[row] = pipe.length_m
        for row in np.flatnonzero((length_m == 0) | (drawn == 0)).tolist():
            self._say("pipe-zero-length", self.pipes[row])
        return length_m

    def _along(
        self, pipe: Rows, lon: Numbers, lat: Numbers, length_m: Numbers
    ) -> tuple[Numbers, Numbers]:
        """Give the place on a pipe in its `length_m`, to the micrometre, and the distance to it."""
        fraction, distance = self.lines.project(pipe, lon, lat)
        length = length_m[pipe]
        return np.minimum(np.round(fraction * length, 6), length), distance

    # --- points on pipes ---

    def _place_valves(self, length_m: Numbers) -> tuple[Rows, Numbers]:
        pipe = np.full(len(self.valves), -1, dtype=np.int64)
        at_m = np.full(len(self.valves), np.nan)
        links = set(self.link_valves)
        points = np.array([r for r in range(len(self.valves)) if r not in links], dtype=np.int64)
        if not len(points):
            return pipe, at_m
        valves = [self.valves[row] for row in points.tolist()]
        for valve in valves:
            if valve.is_pipe_guessed:
                valve.pipe, valve.is_pipe_guessed = None, False
        lon, lat = _coordinates(valves)
        found = self._known_pipes(valves)
        missing = np.flatnonzero(found < 0)
        nearest, gap = self._nearest_pipes(lon[missing], lat[missing], self.snap_m)
        found[missing] = nearest
        for row, at, distance in zip(missing.tolist(), nearest.tolist(), gap.tolist(), strict=True):
            valve = valves[row]
            if at < 0:
                valve.pipe = valve.at_m = None
                self._say("valve-on-no-pipe", valve)
            else:
                valve.pipe, valve.is_pipe_guessed = self.pipes[at].id, True
                self._say_nearest("valve-pipe-nearest", valve, distance)
        on_pipe = np.flatnonzero(found >= 0)
        place, distance_m = self._along(found[on_pipe], lon[on_pipe], lat[on_pipe], length_m)
        for row, metre, distance in zip(
            on_pipe.tolist(), place.tolist(), distance_m.tolist(), strict=True
        ):
            valve = valves[row]
            if not valve.is_place_given or valve.at_m is None:
                valve.at_m = metre
            if distance > self.snap_m:
                self._say_nearest("valve-far-from-pipe", valve, distance, severity="wrong")
        pipe[points] = found
        at_m[points[on_pipe]] = [valves[row].at_m for row in on_pipe.tolist()]
        return pipe, at_m

    def _known_pipes(self, features: Sequence[ValveFeature | HydrantFeature]) -> Rows:
        """Give the row of the pipe that each names, -1 for none; an unknown name is an error."""
        found = np.array(
            [-1 if f.pipe is None else self.pipe_rows.get(f.pipe, -2) for f in features],
            dtype=np.int64,
        )
        for row in np.flatnonzero(found == -2).tolist():
            self._say_unknown(features[row], "pipe", features[row].pipe, "pipe")
        return np.where(found == -2, -1, found)

    def _nearest_pipes(
        self,
        lon: Numbers,
        lat: Numbers,
        within_m: float | None,
        index: LineIndex | None = None,
    ) -> tuple[Rows, Numbers]:
        """Give the nearest pipe of each point (-1 where none); of a tie the lower id."""
        found = np.full(len(lon), -1, dtype=np.int64)
        gap = np.full(len(lon), np.inf)
        if not len(lon) or not self.pipes:
            return found, gap
        index = index or self.index
        if not len(index.line):
            return found, gap
        if within_m is None:
            point, line, distance = index.nearest(lon, lat)
        else:
            point, line, distance = index.near(lon, lat, within_m)
        np.minimum.at(gap, point, distance)
        tied = distance <= gap[point] + _SAME_M
        point, line = point[tied], line[tied]
        only, first, count = np.unique(point, return_index=True, return_counts=True)
        found[only] = line[first]
        for at, begin, number in zip(
            only[count > 1].tolist(),
            first[count > 1].tolist(),
            count[count > 1].tolist(),
            strict=True,
        ):
            rivals = line[begin : begin + number].tolist()
            found[at] = min(rivals, key=lambda row: self.pipes[row].id)
        return found, gap

    # --- sources, customers, hydrants ---

    def _place_sources(self) -> Rows:
        sources = self.sources
        for source in sources:
            if source.is_node_guessed:
                source.node, source.is_node_guessed = None, False
        found = self._known_nodes(sources)
        missing = np.flatnonzero(found < 0)
        if not len(missing):
            return found
        lon, lat = _coordinates([sources[row] for row in missing.tolist()])
        nearest, gap = self._nearest_nodes(lon, lat, *_coordinates(self.nodes), np.inf)
        found[missing] = nearest
        for row, node, distance in zip(
            missing.tolist(), nearest.tolist(), gap.tolist(), strict=True
        ):
            source = sources[row]
            if node < 0:
                self._say("source-on-no-node", source, severity="error")
                continue
            source.node, source.is_node_guessed = self.nodes[node].id, True
            self._say_nearest("source-node-nearest", source, distance)
        return found

    def _known_nodes(self, features: Sequence[SourceFeature | HydrantFeature]) -> Rows:
        found = np.array(
            [-1 if f.node is None else self.node_rows.get(f.node, -2) for f in features],
            dtype=np.int64,
        )
        for row in np.flatnonzero(found == -2).tolist():
            self._say_unknown(features[row], "node", features[row].node, "node")
        return np.where(found == -2, -1, found)

    def _place_customers(self, length_m: Numbers) -> dict[str, Any]:
        owner: list[int] = []
        pipe: list[int] = []
        node: list[int] = []
        homeless: list[int] = []
        for row, customer in enumerate(self.customers):
            feeds = self._feeds_of(customer)
            if not feeds:
                homeless.append(row)
            for feed in feeds:
                owner.append(row)
                pipe.append(-1 if feed.pipe is None else self.pipe_rows.get(feed.pipe, -2))
                node.append(-1 if feed.node is None else self.node_rows.get(feed.node, -2))
                if pipe[-1] == -2 or node[-1] == -2:
                    kind = "pipe" if pipe[-1] == -2 else "node"
                    self._say_unknown(customer, kind, getattr(feed, kind), kind)
        guessed_owner, guessed_pipe = self._guess_customers(homeless)
        owners = np.array(owner + guessed_owner, dtype=np.int32)
        order = np.argsort(owners, kind="stable")
        owners = owners[order]
        pipes = np.maximum(np.array(pipe + guessed_pipe, dtype=np.int64)[order], -1)
        nodes = np.array(node + [-1] * len(guessed_pipe), dtype=np.int64)[order]
        lon, lat = _coordinates(self.customers)
        at_m = np.full(len(owners), np.nan)
        on_pipe = np.flatnonzero(pipes >= 0)
        at_m[on_pipe], _ = self._along(
            pipes[on_pipe], lon[owners[on_pipe]], lat[owners[on_pipe]], length_m
        )
        is_guessed = np.repeat([False, True], [len(owner), len(guessed_owner)])[order]
        metres = at_m.tolist()
        rank = 0
        for row, at in enumerate(owners.tolist()):
            rank = rank + 1 if row and owners[row - 1] == at else 0
            if pipes[row] >= 0:
                self.customers[at].feeds[rank].at_m = metres[row]
        return {
            "feed_customer": owners,
            "feed_pipe": pipes.astype(np.int32),
            "feed_at_m": at_m,
            "feed_node": np.maximum(nodes, -1).astype(np.int32),
            "feed_is_guessed": is_guessed,
        }

    def _feeds_of(self, customer: CustomerFeature) -> list[Feed]:
        """Give the feeds that a customer names, each once, its own pipe or node first."""
        if customer.is_guessed:
            customer.pipe = customer.node = None
            customer.feeds, customer.is_guessed = [], False
        if customer.pipe is not None and customer.node is not None and not customer.feeds:
            self._say("pipe-and-node", customer)
            customer.node = None
        feeds = [Feed(pipe=feed.pipe, node=feed.node) for feed in customer.feeds]
        if customer.pipe is not None:
            feeds.insert(0, Feed(pipe=customer.pipe))
        elif customer.node is not None:
            feeds.insert(0, Feed(node=customer.node))
        if len(feeds) > 1:
            feeds = list({(feed.pipe, feed.node): feed for feed in feeds}.values())
        if feeds and customer.pipe is None and customer.node is None:
            customer.pipe, customer.node = feeds[0].pipe, feeds[0].node
        customer.feeds = feeds
        return feeds

    def _guess_customers(self, rows: list[int]) -> tuple[list[int], list[int]]:
        if not rows:
            return [], []
        fed_from = [r for r, pipe in enumerate(self.pipes) if pipe.pipe_class in _FED_FROM]
        index = (
            self.index
            if len(fed_from) == len(self.pipes)
            else LineIndex(self.lines, np.array(fed_from, dtype=np.int64))
        )
        lon, lat = _coordinates([self.customers[row] for row in rows])
        nearest, gap = self._nearest_pipes(lon, lat, None, index)
        for row, pipe, distance in zip(rows, nearest.tolist(), gap.tolist(), strict=True):
            customer = self.customers[row]
            if pipe < 0:
                self._say("customer-on-no-pipe", customer)
                continue
            customer.pipe, customer.is_guessed = self.pipes[pipe].id, True
            customer.feeds = [Feed(pipe=customer.pipe, is_guessed=True)]
            self._say_nearest("customer-pipe-nearest", customer, distance)
        placed = np.flatnonzero(nearest >= 0).tolist()
        return [rows[at] for at in placed], nearest[placed].tolist()

    def _place_hydrants(self, length_m: Numbers) -> tuple[Rows, Numbers, Rows]:
        hydrants = self.hydrants
        for hydrant in hydrants:
            if hydrant.is_guessed:
                hydrant.pipe, hydrant.is_guessed = None, False
            if hydrant.pipe is not None and hydrant.node is not None:
                self._say("pipe-and-node", hydrant)
                hydrant.node = None
        pipe, node = self._known_pipes(hydrants), self._known_nodes(hydrants)
        at_m = np.full(len(hydrants), np.nan)
        lon, lat = _coordinates(hydrants)
        missing = np.flatnonzero((pipe < 0) & (node < 0))
        nearest, gap = self._nearest_pipes(lon[missing], lat[missing], None)
        pipe[missing] = nearest
        for row, at, distance in zip(missing.tolist(), nearest.tolist(), gap.tolist(), strict=True):
            if at < 0:
                self._say("hydrant-on-no-pipe", hydrants[row])
                continue
            hydrants[row].pipe, hydrants[row].is_guessed = self.pipes[at].id, True
            self._say_nearest("hydrant-pipe-nearest", hydrants[row], distance)
        on_pipe = np.flatnonzero(pipe >= 0)
        at_m[on_pipe], _ = self._along(pipe[on_pipe], lon[on_pipe], lat[on_pipe], length_m)
        for row in on_pipe.tolist():
            hydrants[row].at_m = float(at_m[row])
        return pipe, at_m, node

    def _assume_positions(self) -> None:
        for valve in self.valves:
            valve.is_position_assumed = valve.position is None
            if valve.is_position_assumed:
                self._say("position-assumed", valve, severity="guessed")
        for control in self.control_valves:
            control.is_position_assumed = control.isolates and control.position is None
            if control.is_position_assumed:
                self._say("position-assumed", control, severity="guessed")

    # --- saying it ---

    def _say(
        self,
        code: str,
        feature: Feature,
        *,
        severity: Severity = "wrong",
        **params: object,
    ) -> None:
        if not self.report.has_room(severity, code):
            self.report.count(severity, code, 1)
            return
        lon, lat = feature.geometry[0]
        params.pop("id", None)
        self.report.add(
            Finding(
                code=code,
                severity=severity,
                kind=feature.kind,
                id=feature.id,
                lon=lon,
                lat=lat,
                params=params,
            )
        )

    def _say_nearest(
        self,
        code: str,
        feature: Feature,
        distance: float,
        severity: Severity = "guessed",
    ) -> None:
        self._say(
            code,
            feature,
            severity=severity,
            pipe=getattr(feature, "pipe", None),
            node=getattr(feature, "node", None),
            distance_m=round(distance, 3),
        )

    def _say_unknown(self, feature: Feature, name: str, value: object, expected: str) -> None:
        self._say(
            "reference-unknown",
            feature,
            severity="error",
            property=name,
            value=value,
            expected=expected,
        )


def _is_link(valve: ValveFeature) -> bool:
    """Whether a valve stands between two nodes rather than on a pipe."""
    if len(valve.geometry) > 1:
        return True
    return valve.pipe is None and valve.start_node is not None and valve.end_node is not None


def _pairs(pairs: list[tuple[float, float]]) -> Numbers:
    return np.array(pairs, dtype=np.float64).reshape(-1, 2)


def _coordinates(features: Sequence[Feature]) -> tuple[Numbers, Numbers]:
    """Give the places of point features."""
    pairs = _pairs([feature.geometry[0] for feature in features])
    return pairs[:, 0].copy(), pairs[:, 1].copy()
