"""WNTR's `valve_segments` on the same graph, in a process of its own that may take too long.

`python -m benchmarks.wntr_peer --size N --seed S` prints the seconds it took and
whether its segments are ours.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
import warnings
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import networkx as nx
import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from wntr.metrics.topographic import valve_segments

from benchmarks.joints import joints_of
from gis.network import DeviceKind
from gis.towns import town_network
from gis.world import World

if TYPE_CHECKING:
    from gis.network import Network


def segments_by_wntr(network: Network) -> tuple[float, dict[str, int]]:
    """
    Let WNTR cut the graph into segments.

    Every device that can be closed, is closed, or passes one way, becomes a
    link with a valve at one end, for WNTR knows neither stuck valves nor
    directions; stuck ones become plain links.
    """
    joints = joints_of(network)
    graph: nx.MultiGraph[str] = nx.MultiGraph()
    graph.add_nodes_from(f"J{joint}" for joint in range(joints.count))
    layer = []
    parts = joints.is_closable | ~joints.passes | joints.is_one_way
    for row, ((a, b), is_parted) in enumerate(
        zip(joints.ends.tolist(), parts.tolist(), strict=True)
    ):
        graph.add_edge(f"J{a}", f"J{b}", key=f"L{row}")
        if is_parted:
            layer.append((f"L{row}", f"J{a}"))
    valves = pd.DataFrame(layer, columns=["link", "node"])
    start = time.perf_counter()
    nodes, _links, _sizes = valve_segments(graph, valves)
    return time.perf_counter() - start, nodes.to_dict()


def agrees(network: Network, of_node: dict[str, int]) -> bool:
    """Tell whether two nodes are in one segment for WNTR exactly when they are for us."""
    world = World.of(network)
    blocks = world.blocks
    ends, state = blocks.edge_blocks, world.state
    # Blocks joined both ways by what cannot be closed are one segment.
    fixed = (state & 7) == 3
    is_valve = np.arange(len(state)) < network.device_count
    is_valve[: network.device_count] &= network.device_kind == DeviceKind.VALVE
    pairs = ends[fixed & is_valve]
    shape = (blocks.count, blocks.count)
    graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=shape)
    label = connected_components(graph, directed=False)[1][blocks.of_vertex]
    theirs, ours = defaultdict(set), defaultdict(set)
    for node in range(network.node_count):
        theirs[of_node[f"J{node}"]].add(node)
        ours[int(label[node])].add(node)
    return sorted(map(sorted, theirs.values())) == sorted(map(sorted, ours.values()))


def run_within(size: int, seed: int, patience_s: float) -> dict[str, Any] | None:
    """Let WNTR try; None when it is not done in time."""
    command = [sys.executable, "-m", "benchmarks.wntr_peer", "--size", str(size)]
    try:
        done = subprocess.run(
            [*command, "--seed", str(seed)],
            capture_output=True,
            check=True,
            text=True,
            timeout=patience_s,
        )
    except subprocess.TimeoutExpired:
        return None
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Cut one town into segments and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, required=True)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    network = town_network(options.size, options.seed)
    seconds, of_node = segments_by_wntr(network)
    print(json.dumps({"seconds": seconds, "agrees": agrees(network, of_node)}))


if __name__ == "__main__":
    main()
