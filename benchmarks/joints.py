"""
A network as a plain graph of joints: what the peers of a benchmark are given.

Made from the same arrays as the answers of `gis`, and by none of its code that
finds blocks, so that agreement between them says something.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from gis.network import DeviceKind, Operability, Position

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gis.network import Flags, Network

    Rows = NDArray[np.int64]

NEAR_M = 0.5
"""A valve so near to a pipe's end stands at the end (the exchange format's rule)."""


@dataclass(frozen=True, slots=True, eq=False)
class Joints:
    """
    Pieces of pipe and devices, each between two joints.

    Attributes
    ----------
    count
        Number of joints.
    ends
        The two joints of each edge. Shape (edges, 2).
    passes, is_one_way, is_closable
        What water and a crew can do there. Shape (edges,).
    pipe, device
        The one or the other of each edge, else -1; a check valve is neither. Shape (edges,).
    from_m, to_m
        Reach of a piece of pipe. Shape (edges,).
    source_joint
        Joint of each source.
    feed_joint
        Joint of each feed of the premises.
    """

    count: int
    ends: Rows
    passes: Flags
    is_one_way: Flags
    is_closable: Flags
    pipe: Rows
    device: Rows
    from_m: NDArray[np.float64]
    to_m: NDArray[np.float64]
    source_joint: Rows
    feed_joint: Rows

    def merged(self) -> Joints:
        """Give the graph of what devices part: the pieces of pipe shrunk to points."""
        is_pipe = (self.pipe >= 0) & self.passes
        joined = self.ends[is_pipe]
        graph = coo_array(
            (np.ones(len(joined), dtype=np.int8), (joined[:, 0], joined[:, 1])),
            shape=(self.count, self.count),
        )
        count, found = connected_components(graph, directed=False)
        label: Rows = found.astype(np.int64)
        ends = label[self.ends]
        keep = (self.pipe >= 0) | (ends[:, 0] != ends[:, 1])
        return Joints(
            count=int(count),
            ends=ends[keep],
            passes=self.passes[keep],
            is_one_way=self.is_one_way[keep],
            is_closable=self.is_closable[keep],
            pipe=self.pipe[keep],
            device=self.device[keep],
            from_m=self.from_m[keep],
            to_m=self.to_m[keep],
            source_joint=label[self.source_joint],
            feed_joint=label[self.feed_joint],
        )


def joints_of(network: Network) -> Joints:
    """Lay a network out as pieces of pipe and devices between joints."""
    chain = _Chain.of(network)
    links = np.flatnonzero(network.device_pipe < 0)
    links = links[(network.device_ends[links] >= 0).all(axis=1)]
    ends = np.concatenate([chain.ends, network.device_ends[links].astype(np.int64)])
    device = np.concatenate([chain.device, links])
    pipe = np.concatenate([chain.pipe, np.full(len(links), -1)])
    is_check = np.concatenate([chain.is_check, np.zeros(len(links), dtype=np.bool_)])
    passes, is_one_way, is_closable = _behaviour(network, device, is_check)
    none = np.full(len(links), np.nan)
    from_m, to_m = np.concatenate([chain.from_m, none]), np.concatenate([chain.to_m, none])
    # A dead pipe takes its valves with it.
    is_dead = np.zeros(len(ends), dtype=np.bool_)
    is_dead[: len(chain.of_pipe)] = ~network.pipe_is_open[chain.of_pipe]
    return Joints(
        count=chain.joints,
        ends=ends,
        passes=passes & ~is_dead,
        is_one_way=is_one_way,
        is_closable=is_closable,
        pipe=pipe,
        device=device,
        from_m=from_m,
        to_m=to_m,
        source_joint=network.source_node.astype(np.int64),
        feed_joint=_joint_of_feeds(network, pipe, ends, from_m, to_m),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Chain:
    """Every pipe as a chain of pieces, valves and perhaps a check, from its start to its end."""

    joints: int
    ends: Rows
    of_pipe: Rows
    pipe: Rows
    device: Rows
    is_check: Flags
    from_m: NDArray[np.float64]
    to_m: NDArray[np.float64]

    @classmethod
    def of(cls, network: Network) -> _Chain:
        length, pipes = network.pipe_length_m, network.pipe_count
        valve = np.flatnonzero(network.device_pipe >= 0)
        on = network.device_pipe[valve].astype(np.int64)
        at = np.clip(network.device_at_m[valve], 0, length[on])
        short = length[on] < 2 * NEAR_M
        start = np.where(short, at <= length[on] / 2, at <= NEAR_M)
        end = ~start & (short | (at >= length[on] - NEAR_M))
        middle = ~start & ~end
        checked = np.flatnonzero(network.pipe_is_one_way)
        # Place in the chain: 0 valves at the start, 1 the pipe itself, 2 at the end, 3 the check;
        # a mid-pipe valve brings the piece behind it along.
        of_pipe = np.concatenate([on, np.arange(pipes), on[middle], checked])
        stage = np.concatenate(
            [
                np.where(start, 0, np.where(end, 2, 1)),
                np.ones(pipes + middle.sum()),
                np.full(len(checked), 3),
            ]
        )
        place = np.concatenate(
            [np.where(middle, at, 0), np.full(pipes, -1.0), at[middle], np.zeros(len(checked))]
        )
        rank = network.device_rank[valve].astype(np.int64)
        turn = np.concatenate([2 * rank, np.zeros(pipes), 2 * rank[middle] + 1, checked])
        device = np.concatenate([valve, np.full(pipes + middle.sum() + len(checked), -1)])
        is_check = np.arange(len(of_pipe)) >= len(of_pipe) - len(checked)
        order = np.lexsort((turn, place, stage, of_pipe))
        of_pipe, device, is_check = of_pipe[order], device[order], is_check[order]
        is_piece = (device < 0) & ~is_check
        from_m = np.where(is_piece, np.maximum(place[order], 0.0), np.nan)
        to_m = _next_start(from_m, of_pipe, is_piece, length)

        first = np.concatenate([[True], of_pipe[1:] != of_pipe[:-1]])
        last = np.concatenate([first[1:], [True]])
        joint = network.node_count + np.cumsum(~first) - 1
        ends = np.empty((len(of_pipe), 2), dtype=np.int64)
        ends[:, 0] = np.where(first, network.pipe_ends[of_pipe, 0], joint)
        ends[:-1, 1] = joint[1:]
        ends[last, 1] = network.pipe_ends[of_pipe[last], 1]
        pipe = np.where(is_piece, of_pipe, -1)
        joints = network.node_count + int((~first).sum())
        return cls(joints, ends, of_pipe, pipe, device, is_check, from_m, to_m)


def _next_start(
    from_m: NDArray[np.float64], of_pipe: Rows, is_piece: Flags, length: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Let a piece end where the next one of its pipe begins, or with the pipe."""
    rows = np.flatnonzero(is_piece)
    to_m = np.full(len(from_m), np.nan)
    following = np.concatenate([rows[1:], [rows[-1]]])
    same = (of_pipe[following] == of_pipe[rows]) & (following != rows)
    to_m[rows] = np.where(same, from_m[following], length[of_pipe[rows]])
    return to_m


def _behaviour(network: Network, device: Rows, is_check: Flags) -> tuple[Flags, Flags, Flags]:
    row = np.maximum(device, 0)
    is_device = device >= 0
    kind = network.device_kind[row]
    facts = network.facts
    has_gate = (kind == DeviceKind.VALVE) | (kind == DeviceKind.ISOLATING_CONTROL_VALVE)
    is_shut = ~network.device_is_open[row] | (has_gate & (facts.position[row] == Position.CLOSED))
    can_close = (kind == DeviceKind.PUMP) | (
        has_gate & (facts.operability[row] != Operability.INOPERABLE) & facts.reachable[row]
    )
    is_one_way = is_check | (is_device & (kind != DeviceKind.VALVE))
    return ~(is_device & is_shut), is_one_way, is_device & can_close


def _joint_of_feeds(
    network: Network,
    pipe: Rows,
    ends: Rows,
    from_m: NDArray[np.float64],
    to_m: NDArray[np.float64],
) -> Rows:
    """Find a joint of the piece of pipe, or the node, that each feed hangs on."""
    pieces = np.flatnonzero(pipe >= 0)
    pieces = pieces[np.lexsort((from_m[pieces], pipe[pieces]))]
    # One number that grows along the pieces: pipe first, place second.
    width = float(network.pipe_length_m.max()) + 1.0
    key = pipe[pieces] * width + to_m[pieces]
    wanted = network.feed_pipe.astype(np.float64) * width + network.feed_at_m
    found = np.searchsorted(key, np.nan_to_num(wanted) - 1e-3, side="left")
    joint = ends[pieces[np.minimum(found, len(pieces) - 1)], 0]
    return np.where(network.feed_pipe >= 0, joint, network.feed_node).astype(np.int64)
