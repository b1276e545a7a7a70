"""Customers and hydrants of an invented town."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

from gis.network import NONE
from gis.towns.mains import PipeClass, Role

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

    from gis.network import Codes, Flags, Numbers, Rows
    from gis.towns.mains import Mains


class Trade(IntEnum):
    """What a connection is used for."""

    HOUSING = 0
    HIGH_RISE = 1
    SHOP = 2
    INDUSTRY = 3
    PUBLIC = 4


class Critical(IntEnum):
    """Who must not be without water unannounced."""

    NOT = 0
    HOSPITAL = 1
    DIALYSIS = 2
    SCHOOL = 3
    FIRE = 4


ONE_IN = {Critical.HOSPITAL: 40_000, Critical.DIALYSIS: 60_000, Critical.SCHOOL: 3_000}
ONE_IN[Critical.FIRE] = 30_000


@dataclass(frozen=True, slots=True, eq=False)
class Premises:
    """
    Connections to the mains.

    Attributes
    ----------
    pipe, share
        Pipe that feeds each one, and at which share of its length. Shape (premises,).
    second_pipe
        Pipe of a second feed, -1 for none. Shape (premises,).
    aside_m
        How far to the left of the pipe it lies. Shape (premises,).
    properties, people, demand_l_per_property_day, tank_m3
        People -1 where unknown; tank 0 for none. Shape (premises,).
    trade, critical
        Shape (premises,).
    is_pipe_missing
        Whether the file is to leave the pipe out. Shape (premises,).
    hydrant_pipe, hydrant_share, hydrant_flow_l_s
        Shape (hydrants,).
    """

    pipe: Rows
    share: Numbers
    second_pipe: Rows
    aside_m: Numbers
    properties: NDArray[np.int32]
    people: NDArray[np.int32]
    demand_l_per_property_day: NDArray[np.int32]
    tank_m3: NDArray[np.int32]
    trade: Codes
    critical: Codes
    is_pipe_missing: Flags
    hydrant_pipe: Rows
    hydrant_share: Numbers
    hydrant_flow_l_s: NDArray[np.int32]


def settle(mains: Mains, length_m: Numbers, customers: int, rng: Generator) -> Premises:
    """
    Connect customers and hydrants to the mains.

    Parameters
    ----------
    mains, length_m
        The pipes and their lengths.
    customers
        Number of connections.
    rng
        Where the chances come from.

    Returns
    -------
    Premises
        Most in the courtyards, none at the foot of a pumped or reduced feed.
    """
    trunk = mains.pipe_class == PipeClass.TRANSMISSION
    weight = length_m * np.where(mains.is_branch, 3.0, np.where(trunk, 0.05, 0.8))
    weight[(mains.role != Role.PLAIN) | mains.is_over_river] = 0.0
    pipe = _draw(weight, customers, rng)
    yard = mains.is_branch[pipe]
    chance = rng.random(customers)
    trade = np.select(
        [yard, chance < 0.7, chance < 0.73], [Trade.HOUSING, Trade.SHOP, Trade.INDUSTRY], 0
    )
    trade[yard & (chance < 0.03)] = Trade.HIGH_RISE
    critical = np.zeros(customers, dtype=np.int8)
    in_street = rng.permutation(np.flatnonzero(~yard & ~trunk[pipe]))
    taken = 0
    for kind, one_in in ONE_IN.items():
        count = max(1 if kind != Critical.SCHOOL else 2, customers // one_in)
        critical[in_street[taken : taken + count]] = kind
        taken += count
    trade[critical > 0] = Trade.PUBLIC

    properties = _properties(trade, rng)
    people = np.round(properties * rng.uniform(2.1, 3.3, customers)).astype(np.int32)
    people[rng.random(customers) < 0.03] = NONE
    is_tall = trade == Trade.HIGH_RISE
    hydrants = max(3, round(0.16 * len(length_m)))
    hydrant_weight = length_m * (~mains.is_branch & ~trunk & (weight > 0))
    return Premises(
        pipe=pipe.astype(np.int32),
        share=rng.uniform(0.08, 0.92, customers),
        second_pipe=_second_feeds(mains, pipe, critical),
        aside_m=rng.choice([-1.0, 1.0], customers) * rng.uniform(7.0, 17.0, customers),
        properties=properties,
        people=people,
        demand_l_per_property_day=_demand(trade, rng),
        tank_m3=np.where(is_tall, 6 * (properties // 12), 0).astype(np.int32),
        trade=trade.astype(np.int8),
        critical=critical,
        is_pipe_missing=(rng.random(customers) < 0.02) & (critical == 0),
        hydrant_pipe=_draw(hydrant_weight, hydrants, rng).astype(np.int32),
        hydrant_share=rng.uniform(0.1, 0.9, hydrants),
        hydrant_flow_l_s=rng.choice([10, 12, 15, 15, 18, 20], hydrants).astype(np.int32),
    )


def _draw(weight: Numbers, count: int, rng: Generator) -> NDArray[np.int64]:
    """Draw rows by weight, in ascending order."""
    total = np.cumsum(weight)
    drawn = np.searchsorted(total, rng.random(count) * total[-1], side="right")
    return np.sort(drawn)


def _properties(trade: NDArray[np.int64], rng: Generator) -> NDArray[np.int32]:
    count = len(trade)
    block = rng.choice([6, 8, 10, 12, 18, 24], count)
    tower = rng.choice([66, 88, 108, 132], count)
    properties: NDArray[np.int32] = np.select(
        [trade == Trade.HOUSING, trade == Trade.HIGH_RISE], [block, tower], 1
    ).astype(np.int32)
    return properties


def _demand(trade: NDArray[np.int64], rng: Generator) -> NDArray[np.int32]:
    spread = rng.uniform(0.7, 1.3, len(trade))
    usual = np.array([330.0, 310.0, 600.0, 18_000.0, 25_000.0])[trade]
    demand: NDArray[np.int32] = (np.round(usual * spread / 10) * 10).astype(np.int32)
    return demand


def _second_feeds(mains: Mains, pipe: NDArray[np.int64], critical: Codes) -> Rows:
    """Join each hospital to the nearest main of another street as well."""
    second = np.full(len(pipe), NONE, dtype=np.int32)
    may_feed = ~mains.is_branch & (mains.role == Role.PLAIN) & (mains.district >= 0)
    for row in np.flatnonzero(critical == Critical.HOSPITAL):
        first = pipe[row]
        others = np.flatnonzero(may_feed & (mains.line != mains.line[first]))
        others = others[~np.isin(mains.ends[others], mains.ends[first]).any(axis=1)]
        away = np.hypot(*(mains.bend_xy[others] - mains.bend_xy[first]).T)
        second[row] = others[np.argmin(away)]
    return second
