"""Valves, pumps and control valves of an invented town, and what is known of each valve."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gis.network import NONE, Operability, Position
from gis.towns.mains import PipeClass, Role

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

    from gis.network import Codes, Flags, Numbers, Rows
    from gis.towns.mains import Mains

AT_END_M = 0.3
"""A valve that stands at a pipe's end is drawn this far along it."""
LINK_M = 4.0
"""Length of a valve, pump or control valve that is drawn as a link."""
SHARE_OF_LINKS = 0.45
EXERCISED_ON = np.datetime64("2025-11-30")
"""The last day on which any valve was exercised."""


@dataclass(frozen=True, slots=True, eq=False)
class Fittings:
    """
    Everything that stands on or between the mains.

    Attributes
    ----------
    node_xy, pipe_ends
        As in `Mains`, with the nodes that links need.
    valve_beside
        The pipe that each valve shuts, whether it stands on it or is a link. Shape (valves,).
    valve_ends, valve_side, valve_share
        Nodes of a link or -1; for a valve on a pipe 0 or 1 for the pipe's ends
        and 2 for its middle, at that share of its length.
    position, operability, reachable, boundary, is_position_missing
        Shape (valves,).
    turns, closes, exercised_on, has_fixed_points, is_butterfly
        Turns from open to shut; 0 clockwise, 1 anticlockwise, 2 unknown; NaT for never.
    pump_ends, pump_is_open, control_ends, control_isolates
        Links, by the way the water goes.
    """

    node_xy: Numbers
    pipe_ends: Rows
    valve_beside: Rows
    valve_ends: Rows
    valve_side: Codes
    valve_share: Numbers
    position: Codes
    operability: Codes
    reachable: Flags
    boundary: Flags
    is_position_missing: Flags
    turns: NDArray[np.int32]
    closes: Codes
    exercised_on: NDArray[np.datetime64]
    has_fixed_points: Flags
    is_butterfly: Flags
    pump_ends: Rows
    pump_is_open: Flags
    control_ends: Rows
    control_isolates: Flags


@dataclass(frozen=True, slots=True, eq=False)
class _Places:
    """Where valves stand: pipe, its end or 2 for its middle, share of its length, link or not."""

    pipe: NDArray[np.int64]
    side: NDArray[np.int64]
    share: Numbers
    is_link: Flags


def fit(mains: Mains, crossings: int, rng: Generator) -> Fittings:
    """
    Put valves, pumps and control valves on the mains.

    Parameters
    ----------
    mains
        From `lay_mains`.
    crossings
        Number of crossings: the nodes below it.
    rng
        Where the chances come from.

    Returns
    -------
    Fittings
        About 0.7 valves a pipe.
    """
    lifted = np.flatnonzero(mains.role == Role.LIFTED)
    reduced = np.flatnonzero(mains.role == Role.REDUCED)
    places = _choose_places(mains, crossings, rng)
    link = np.flatnonzero(places.is_link)
    ends, node_xy = mains.ends.copy(), mains.node_xy
    cut_pipe = np.concatenate([lifted, reduced, places.pipe[link]])
    cut_side = np.concatenate([np.zeros(len(lifted) + len(reduced), int), places.side[link]])
    old = ends[cut_pipe, cut_side]
    towards = mains.bend_xy[cut_pipe] - node_xy[old]
    new_xy = node_xy[old] + LINK_M * towards / np.hypot(*towards.T)[:, None]
    new = (len(node_xy) + np.arange(len(old))).astype(np.int32)
    ends[cut_pipe, cut_side] = new
    pairs = np.column_stack([old, new])
    pump, control, gate = np.split(pairs, [len(lifted), len(lifted) + len(reduced)])
    # A second pump beside the first: parallel links.
    twin = pump[rng.random(len(pump)) < 0.4] if len(pump) > 2 else pump[:1]
    pump_ends = np.concatenate([pump, twin])

    valve_ends = np.full((len(places.pipe), 2), NONE, dtype=np.int32)
    turned = places.side[link] == 1
    valve_ends[link] = np.where(turned[:, None], gate[:, ::-1], gate)
    facts = _facts(mains, places, rng)
    return Fittings(
        node_xy=np.concatenate([node_xy, new_xy]),
        pipe_ends=ends,
        valve_beside=places.pipe.astype(np.int32),
        valve_ends=valve_ends,
        valve_side=places.side.astype(np.int8),
        valve_share=places.share,
        pump_ends=pump_ends,
        pump_is_open=rng.random(len(pump_ends)) >= 0.05,
        control_ends=control,
        control_isolates=np.arange(len(control)) % 4 == 1,
        **facts,
    )


def _choose_places(mains: Mains, crossings: int, rng: Generator) -> _Places:
    count = len(mains.ends)
    first_tee = crossings + len(mains.works_node) + len(mains.tank_node)
    is_trunk = mains.pipe_class == PipeClass.TRANSMISSION
    at_crossing = mains.ends < crossings
    at_source = (mains.ends >= crossings) & (mains.ends < first_tee)
    is_tee_of_branch = (mains.is_branch[:, None]) & (mains.ends >= first_tee)
    chance_of = np.where(at_crossing, np.where(is_trunk, 0.5, 0.52)[:, None], 0.05)
    chance_of = np.where(is_tee_of_branch, [[0.6, 0.0]], chance_of)
    chance_of = np.where(at_source, 1.0, chance_of)
    has_role = mains.role != Role.PLAIN
    chance_of[has_role, 0] = 1.0
    pipe, side = np.nonzero(rng.random((count, 2)) < chance_of)

    middle = np.flatnonzero((rng.random(count) < 0.035) & ~mains.is_branch)
    drawn_as_link = rng.random(len(pipe)) < SHARE_OF_LINKS
    behind_link = (side == 0) & np.isin(mains.role[pipe], [Role.LIFTED, Role.REDUCED])
    is_link = drawn_as_link & ~behind_link
    # Two valves in one place: an old one that was never taken out.
    points = np.flatnonzero(~is_link & (mains.role[pipe] == Role.PLAIN))
    twice = rng.choice(points, max(1, len(points) // 2000), replace=False)
    pipe = np.concatenate([pipe, middle, pipe[twice]])
    side = np.concatenate([side, np.full(len(middle), 2), side[twice]])
    share = np.concatenate(
        [
            np.full(len(drawn_as_link), np.nan),
            rng.uniform(0.3, 0.7, len(middle)),
            np.full(len(twice), np.nan),
        ]
    )
    is_link = np.concatenate([is_link, np.zeros(len(middle) + len(twice), dtype=np.bool_)])
    order = np.lexsort((side, pipe))
    return _Places(pipe[order], side[order], share[order], is_link[order])


def _some(rng: Generator, rows: NDArray[np.int64], share: float) -> NDArray[np.int64]:
    """Choose a share of the rows, at least two."""
    return rng.choice(rows, max(2, round(share * len(rows))), replace=False)


def _facts(mains: Mains, places: _Places, rng: Generator) -> dict[str, Any]:
    count = len(places.pipe)
    boundary = (places.side == 0) & (mains.role[places.pipe] == Role.SHUT_OFF)
    ordinary = np.flatnonzero(~boundary & (mains.role[places.pipe] == Role.PLAIN))
    position = np.zeros(count, dtype=np.int8)
    position[boundary] = Position.CLOSED
    is_missing = np.zeros(count, dtype=np.bool_)
    in_doubt = _some(rng, ordinary, 0.008)
    position[in_doubt[::2]] = Position.UNKNOWN
    is_missing[in_doubt[1::2]] = True

    operability = np.where(
        rng.random(count) < 0.3, Operability.UNKNOWN, Operability.OPERABLE
    ).astype(np.int8)
    operability[_some(rng, ordinary, 0.015)] = Operability.INOPERABLE
    reachable = np.ones(count, dtype=np.bool_)
    reachable[_some(rng, ordinary, 0.01)] = False

    diameter = mains.diameter_mm[places.pipe]
    is_butterfly = diameter >= 400
    known = (operability != Operability.UNKNOWN) & (rng.random(count) < 0.85)
    days = rng.integers(0, 365 * 9, count).astype("timedelta64[D]")
    exercised_on = np.where(known, EXERCISED_ON - days, np.datetime64("NaT", "D"))
    return {
        "position": position,
        "operability": operability,
        "reachable": reachable,
        "boundary": boundary,
        "is_position_missing": is_missing,
        "turns": (diameter // 8 + np.where(is_butterfly, 20, 2)).astype(np.int32),
        "closes": rng.choice(3, count, p=[0.86, 0.06, 0.08]).astype(np.int8),
        "exercised_on": exercised_on,
        "has_fixed_points": rng.random(count) < 0.55,
        "is_butterfly": is_butterfly,
    }
