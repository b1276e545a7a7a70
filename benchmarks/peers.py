"""
The same question put to others: which valves part a broken pipe from its water, who loses supply.

Each peer gets the graph ready-made, answers for one pipe at a time as its own
documentation would have it done, and gives devices and premises by row, so
that the answers can be compared one by one.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import networkx as nx
import numpy as np

if TYPE_CHECKING:
    import psycopg

    from benchmarks.joints import Joints
    from gis.network import Network

SUPER_SOURCE = -1


@dataclass(frozen=True, slots=True)
class Answer:
    """Rows of the devices to shut with water behind them, and of the premises that lose supply."""

    ring: frozenset[int]
    lost: frozenset[int]


class Peer(Protocol):
    """Whoever can answer."""

    name: str

    def answer(self, pipe: int) -> Answer:
        """Tell what the break of a whole pipe costs."""


class _Feeds:
    """Which premises hang on which joint."""

    def __init__(self, network: Network, joints: Joints) -> None:
        self.at: dict[int, list[int]] = defaultdict(list)
        self.of: dict[int, list[int]] = defaultdict(list)
        pairs = zip(network.feed_premises.tolist(), joints.feed_joint.tolist(), strict=True)
        for premises, joint in pairs:
            self.at[joint].append(premises)
            self.of[premises].append(joint)

    def lost(self, dry: set[int], wet: set[int]) -> frozenset[int]:
        """Name premises with a feed gone dry and no other that is wet."""
        touched = {premises for joint in dry for premises in self.at.get(joint, ())}
        return frozenset(p for p in touched if not any(joint in wet for joint in self.of[p]))


class Networkx:
    """networkx: `ancestors` for what drains, `descendants` of the sources for who keeps supply."""

    def __init__(self, network: Network, joints: Joints, name: str) -> None:
        """Build the graph from ready-made edges."""
        self.name = name
        self.feeds = _Feeds(network, joints)
        self.joints_of_pipe: dict[int, set[int]] = defaultdict(set)
        self.graph: nx.DiGraph[int] = nx.DiGraph()
        self.unclosable: nx.DiGraph[int] = nx.DiGraph()
        self.devices: dict[tuple[int, int], list[int]] = defaultdict(list)
        self.graph.add_nodes_from(range(joints.count))
        self.unclosable.add_nodes_from(range(joints.count))
        columns = (joints.ends, joints.pipe, joints.device, joints.passes)
        flags = (joints.is_one_way, joints.is_closable)
        rows = zip(*(column.tolist() for column in columns + flags), strict=True)
        for (a, b), pipe, device, passes, is_one_way, is_closable in rows:
            if pipe >= 0:
                self.joints_of_pipe[pipe].update((a, b))
            if not passes:
                continue
            for u, v in ((a, b),) if is_one_way else ((a, b), (b, a)):
                self.graph.add_edge(u, v)
                if is_closable:
                    self.devices[u, v].append(device)
                else:
                    self.unclosable.add_edge(u, v)
        self.graph.add_edges_from((SUPER_SOURCE, j) for j in set(joints.source_joint.tolist()))
        self.before = nx.descendants(self.graph, SUPER_SOURCE)

    def answer(self, pipe: int) -> Answer:
        """Take the drained joints out of the graph, look who is reached, put them back."""
        drained = set(self.joints_of_pipe[pipe])
        for joint in self.joints_of_pipe[pipe]:
            drained |= nx.ancestors(self.unclosable, joint)
        inward = list(self.graph.in_edges(drained))
        taken = inward + list(self.graph.out_edges(drained))
        self.graph.remove_nodes_from(drained)
        after = nx.descendants(self.graph, SUPER_SOURCE)
        self.graph.add_edges_from(taken)
        ring = {d for u, v in inward if u in after for d in self.devices.get((u, v), ())}
        return Answer(frozenset(ring), self.feeds.lost(self.before - after, after))


class PgRouting:
    """
    pgRouting: `pgr_breadthFirstSearch` from the sources, over the edges that stay open.

    It gets the smallest graph there is, that of what devices part, with
    indexes; the segment is found by a recursive query on that graph.
    """

    name = "pgRouting"

    def __init__(self, connection: psycopg.Connection, network: Network, joints: Joints) -> None:
        """Copy the graph into tables of their own."""
        self.connection = connection
        self.premises = network.premises_count
        connection.execute(_DROP)
        connection.execute(_TABLES)
        is_device = (joints.pipe < 0) & joints.passes
        edges = np.flatnonzero(is_device)
        with connection.cursor().copy("COPY peer_edge FROM STDIN") as copy:
            for row, (a, b), one_way, closable, device in zip(
                edges.tolist(),
                joints.ends[edges].tolist(),
                joints.is_one_way[edges].tolist(),
                joints.is_closable[edges].tolist(),
                joints.device[edges].tolist(),
                strict=True,
            ):
                copy.write_row((row, a + 1, b + 1, 1.0, -1.0 if one_way else 1.0, closable, device))
            for k, joint in enumerate(sorted(set(joints.source_joint.tolist()))):
                copy.write_row((len(joints.pipe) + k, 0, joint + 1, 1.0, -1.0, False, -1))
        pieces = np.flatnonzero(joints.pipe >= 0)
        with connection.cursor().copy("COPY peer_pipe FROM STDIN") as copy:
            pairs = {
                (pipe, end + 1)
                for pipe, ends in zip(
                    joints.pipe[pieces].tolist(), joints.ends[pieces].tolist(), strict=True
                )
                for end in ends
            }
            for pair in pairs:
                copy.write_row(pair)
        with connection.cursor().copy("COPY peer_feed FROM STDIN") as copy:
            feeds = (network.feed_premises.tolist(), (joints.feed_joint + 1).tolist())
            for feed in zip(*feeds, strict=True):
                copy.write_row(feed)
        connection.execute(_INDEXES)

    def answer(self, pipe: int) -> Answer:
        """Ask for the segment, then for what is no longer reached."""
        with self.connection.cursor() as cursor:
            drained = [row[0] for row in cursor.execute(_SEGMENT, (pipe,))]
            inner = _EDGES_OUTSIDE.format(drained=drained)
            values = {"inner": inner, "drained": drained}
            rows = cursor.execute(_SUPPLY, values).fetchall()
        ring = frozenset(row[1] for row in rows if row[0] == "ring")
        return Answer(ring, frozenset(row[1] for row in rows if row[0] == "lost"))

    def drop(self) -> None:
        """Take the tables away again."""
        self.connection.execute(_DROP)


_EDGES_OUTSIDE = (
    "SELECT id, source, target, cost, reverse_cost FROM peer_edge"
    " WHERE source <> ALL (ARRAY{drained}) AND target <> ALL (ARRAY{drained})"
)

_DROP = "DROP TABLE IF EXISTS peer_edge, peer_pipe, peer_feed, peer_supplied"

_TABLES = """
CREATE TABLE peer_edge (id bigint, source bigint, target bigint, cost float8, reverse_cost float8,
    is_closable boolean, device integer);
CREATE TABLE peer_pipe (pipe integer, joint bigint);
CREATE TABLE peer_feed (premises integer, joint bigint)
"""

_INDEXES = """
CREATE INDEX ON peer_edge (source);
CREATE INDEX ON peer_edge (target);
CREATE INDEX ON peer_pipe (pipe);
CREATE INDEX ON peer_feed (joint);
CREATE INDEX ON peer_feed (premises);
CREATE TABLE peer_supplied AS
    SELECT node AS joint FROM pgr_breadthFirstSearch(
        'SELECT id, source, target, cost, reverse_cost FROM peer_edge', 0);
ANALYZE
"""

_SEGMENT = """
WITH RECURSIVE drained AS (
    SELECT joint FROM peer_pipe WHERE pipe = %s
    UNION
    SELECT CASE WHEN edge.target = drained.joint THEN edge.source ELSE edge.target END
    FROM drained JOIN peer_edge AS edge
        ON NOT edge.is_closable AND edge.source <> 0
        AND (edge.target = drained.joint OR edge.source = drained.joint AND edge.reverse_cost > 0)
)
SELECT joint FROM drained
"""

_SUPPLY = """
WITH wet AS MATERIALIZED (
    SELECT node AS joint FROM pgr_breadthFirstSearch(%(inner)s, 0)
), dry AS MATERIALIZED (
    SELECT joint FROM peer_supplied WHERE joint NOT IN (SELECT joint FROM wet)
), touched AS MATERIALIZED (
    SELECT DISTINCT feed.premises FROM dry
    CROSS JOIN LATERAL (SELECT premises FROM peer_feed WHERE joint = dry.joint OFFSET 0) AS feed
), kept AS MATERIALIZED (
    SELECT touched.premises FROM touched CROSS JOIN LATERAL (
        SELECT joint FROM peer_feed WHERE premises = touched.premises OFFSET 0) AS other
    WHERE other.joint IN (SELECT joint FROM wet)
)
SELECT 'lost', premises FROM touched WHERE premises NOT IN (SELECT premises FROM kept)
UNION ALL
SELECT DISTINCT 'ring', edge.device FROM peer_edge AS edge
WHERE edge.is_closable AND (
    edge.target = ANY (%(drained)s) AND edge.source IN (SELECT joint FROM wet)
    OR edge.source = ANY (%(drained)s) AND edge.reverse_cost > 0
        AND edge.target IN (SELECT joint FROM wet))
"""
