"""The pipes of an invented town: mains in the streets, branches into the courtyards."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

from gis.towns.streets import DistrictKind, Rank

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

    from gis.network import Flags, Numbers, Rows
    from gis.towns.streets import Streets

FEWEST_PIPES = 250
PIPES_A_WORKS = 40_000
MATERIALS = ("CI", "AC", "PC", "ST", "DI", "PE", "PVC", "GS")
"""Codes of the glossary, in the order in which `Mains.material` numbers them."""


class PipeClass(IntEnum):
    """Class of a pipe as the exchange format names it."""

    DISTRIBUTION = 0
    TRANSMISSION = 1
    SERVICE = 2


class Role(IntEnum):
    """What a pipe is for the pressure zone it belongs to."""

    PLAIN = 0
    LIFTED = 1
    """Water comes into it from a pump at its first end."""
    REDUCED = 2
    """Water comes into it from a pressure-reducing valve at its first end."""
    CHECKED = 3
    """A check valve at its end lets water only into the zone."""
    SHUT_OFF = 4
    """A boundary valve at its first end is normally closed."""


@dataclass(frozen=True, slots=True, eq=False)
class Mains:
    """
    Pipes between crossings, tees and ends.

    Attributes
    ----------
    node_xy
        Metres; the crossings of the streets come first. Shape (nodes, 2).
    ends, bend_xy
        The two nodes of each pipe and a place between them. Shape (pipes, 2).
    pipe_class, role, material
        A `PipeClass`, a `Role`, a row of `MATERIALS`. Shape (pipes,).
    diameter_mm, year
        Shape (pipes,).
    is_branch, is_over_river
        Whether it leads into a courtyard, or hangs under a bridge. Shape (pipes,).
    line, district
        Street, and district or -1 for the mains between districts. Shape (pipes,).
    works_node, tank_node, tank_district
        Where the water comes from.
    """

    node_xy: Numbers
    ends: Rows
    bend_xy: Numbers
    pipe_class: NDArray[np.int8]
    role: NDArray[np.int8]
    material: NDArray[np.int8]
    diameter_mm: NDArray[np.int32]
    year: NDArray[np.int32]
    is_branch: Flags
    is_over_river: Flags
    line: Rows
    district: Rows
    works_node: Rows
    tank_node: Rows
    tank_district: Rows


@dataclass(frozen=True, slots=True, eq=False)
class _Sites:
    """Crossings at which works and tanks are joined, and where they stand."""

    crossing: NDArray[np.int64]
    xy: Numbers
    works: int
    tank_district: NDArray[np.int64]


def lay_mains(streets: Streets, pipes: int, rng: Generator) -> Mains:
    """
    Lay exactly so many pipes into the streets and courtyards.

    Parameters
    ----------
    streets
        From `lay_streets` for the same number.
    pipes
        Number of pipes.
    rng
        Where the chances come from.

    Returns
    -------
    Mains
        Pipes ordered by district, as they are surveyed sheet by sheet.

    Raises
    ------
    ValueError
        When the streets hold no such number of pipes.
    """
    sites = _find_sites(streets, pipes, rng)
    laid = np.flatnonzero(streets.has_pipe)
    tees, further = _count_branches(streets, laid, pipes - len(laid) - len(sites.crossing), rng)
    crossings, sited = len(streets.crossing_xy), len(sites.crossing)

    # A street with a tee has two pipes in it, and a third that leads away.
    tee_xy, end_xy, far_xy = _branch_places(streets, tees, further, rng)
    node_xy = np.concatenate([streets.crossing_xy, sites.xy, tee_xy, end_xy, far_xy])
    tee = crossings + sited + np.arange(len(tees))
    end, far = tee + len(tees), crossings + sited + 2 * len(tees) + np.arange(len(further))
    whole = np.setdiff1d(laid, tees)
    inward = _inward(streets)
    site = crossings + np.arange(sited)
    ends = np.concatenate(
        [
            inward[whole],
            np.column_stack([inward[tees, 0], tee]),
            np.column_stack([tee, inward[tees, 1]]),
            np.column_stack([tee, end]),
            np.column_stack([end[further], far]),
            np.column_stack([site, sites.crossing]),
        ]
    )
    segment = np.concatenate([whole, tees, tees, tees, tees[further]])
    kinds = np.repeat([0, 1, 2, 3, 4, 5], [len(whole), *[len(tees)] * 3, len(further), sited])
    bend_xy = node_xy[ends].mean(axis=1)
    bend_xy[kinds == 0] = streets.bend_xy[whole]
    is_branch = (kinds == 3) | (kinds == 4)

    at_site = _segment_at(streets, sites.crossing)
    segment = np.concatenate([segment, at_site])
    role = np.where(kinds <= 1, _roles(streets)[segment], Role.PLAIN)
    is_trunk = ((streets.rank[segment] == Rank.ARTERIAL) & ~is_branch) | (kinds == 5)
    district = streets.district[segment].copy()
    district[kinds == 5] = np.concatenate([np.full(sites.works, -1), sites.tank_district])
    year = _years(streets, bend_xy, rng)
    diameter = _diameters(is_trunk, is_branch, year, rng)
    order = np.lexsort((kinds, segment, district))
    return Mains(
        node_xy=node_xy,
        ends=ends[order].astype(np.int32),
        bend_xy=bend_xy[order],
        pipe_class=np.where(
            is_trunk, PipeClass.TRANSMISSION, np.where(is_branch, PipeClass.SERVICE, 0)
        ).astype(np.int8)[order],
        role=role.astype(np.int8)[order],
        material=_materials(year, diameter, rng)[order],
        diameter_mm=diameter[order],
        year=year[order],
        is_branch=is_branch[order],
        is_over_river=(streets.is_over_river[segment] & (kinds == 0))[order],
        line=streets.line[segment][order],
        district=district.astype(np.int32)[order],
        works_node=site[: sites.works].astype(np.int32),
        tank_node=site[sites.works :].astype(np.int32),
        tank_district=sites.tank_district.astype(np.int32),
    )


def _inward(streets: Streets) -> Rows:
    """Turn every link so that it begins at the arterial road."""
    crossing_on_main = np.zeros(len(streets.crossing_xy), dtype=np.bool_)
    crossing_on_main[streets.ends[streets.rank == Rank.ARTERIAL]] = True
    turned = (streets.rank == Rank.LINK) & ~crossing_on_main[streets.ends[:, 0]]
    return np.where(turned[:, None], streets.ends[:, ::-1], streets.ends)


def _roles(streets: Streets) -> NDArray[np.int64]:
    """Tell what the pipe in each street segment is for its pressure zone. Shape (segments,)."""
    kind = streets.district_kind[streets.district]
    is_link = (streets.rank == Rank.LINK) & (kind != DistrictKind.PLAIN)
    role = np.where(is_link, Role.SHUT_OFF, Role.PLAIN)
    feeds = np.flatnonzero(streets.is_feed)
    order = feeds[np.argsort(streets.district[feeds], kind="stable")]
    nth = np.arange(len(order)) - np.searchsorted(
        streets.district[order], streets.district[order], side="left"
    )
    is_pumped = kind[order] == DistrictKind.PUMPED
    lifted = np.where(nth < 2, Role.LIFTED, Role.SHUT_OFF)
    reduced = np.where(nth < 2, Role.REDUCED, Role.CHECKED)
    role[order] = np.where(is_pumped, lifted, reduced)
    return role


def _find_sites(streets: Streets, pipes: int, rng: Generator) -> _Sites:
    works = max(2, round(pipes / PIPES_A_WORKS))
    last = len(streets.crossing_xy) - 1
    on_main = np.unique(streets.ends[streets.rank == Rank.ARTERIAL])
    more = rng.choice(on_main[1:-1], works - 2, replace=False)
    works_at = np.concatenate([[0, last], more]).astype(np.int64)
    works_xy = streets.crossing_xy[works_at] + 48.0
    works_xy[0] = streets.crossing_xy[0] + (-190.0, -120.0)
    works_xy[1] = streets.crossing_xy[last] + (210.0, 130.0)

    hills = np.flatnonzero(streets.district_kind == DistrictKind.PUMPED)
    hills = hills[(rng.random(len(hills)) < 0.6) | (hills == hills.max())]
    inner = streets.rank == Rank.STREET
    crossing, district = streets.ends[inner, 0], streets.district[inner]
    away = np.hypot(*(streets.crossing_xy[crossing] - streets.district_center_xy[district]).T)
    order = np.lexsort((away, district))
    nearest = order[np.searchsorted(district[order], hills)]
    tank_at = crossing[nearest].astype(np.int64)
    tank_xy = streets.crossing_xy[tank_at] + (42.0, 36.0)
    return _Sites(
        np.concatenate([works_at, tank_at]), np.concatenate([works_xy, tank_xy]), works, hills
    )


def _segment_at(streets: Streets, crossings: NDArray[np.int64]) -> NDArray[np.int64]:
    """Find some street segment at each crossing."""
    at = np.zeros(len(streets.crossing_xy), dtype=np.int64)
    at[streets.ends[:, 1]] = np.arange(len(streets.ends))
    at[streets.ends[:, 0]] = np.arange(len(streets.ends))
    found: NDArray[np.int64] = at[crossings]
    return found


def _count_branches(
    streets: Streets, laid: NDArray[np.int64], missing: int, rng: Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Choose the segments that get a tee, and the branches that lead on round a corner."""
    can_have = laid[~streets.is_feed[laid] & ~streets.is_over_river[laid]]
    chance = rng.random(len(can_have)) * np.where(streets.rank[can_have] == Rank.ARTERIAL, 0.6, 1.0)
    tees = min(len(can_have), int(missing * 0.45))
    further = missing - 2 * tees
    if not 0 <= further <= tees:
        raise ValueError(f"a town needs at least {FEWEST_PIPES} pipes, or another seed")
    chosen = np.sort(can_have[np.argsort(-chance, kind="stable")[:tees]])
    return chosen, np.sort(rng.choice(tees, further, replace=False))


def _branch_places(
    streets: Streets, tees: NDArray[np.int64], further: NDArray[np.int64], rng: Generator
) -> tuple[Numbers, Numbers, Numbers]:
    """Place the tee, the end of each branch, and the end of those that lead on."""
    first, last = streets.crossing_xy[streets.ends[tees]].transpose(1, 0, 2)
    along = (last - first) / np.hypot(*(last - first).T)[:, None]
    share = rng.uniform(0.35, 0.65, (len(tees), 1))
    tee = first + share * (last - first) + rng.normal(0.0, 1.5, (len(tees), 2))
    side = rng.choice([-1.0, 1.0], len(tees))[:, None]
    across = np.column_stack([-along[:, 1], along[:, 0]]) * side
    end = tee + across * rng.uniform(22.0, 42.0, (len(tees), 1))
    turn = rng.choice([-1.0, 1.0], len(further))[:, None]
    far = end[further] + along[further] * turn * rng.uniform(12.0, 30.0, (len(further), 1))
    return tee, end, far


def _years(streets: Streets, xy: Numbers, rng: Generator) -> NDArray[np.int32]:
    """Old in the middle, new at the rim; a sixth has been renewed since."""
    reach = np.hypot(*(streets.crossing_xy[-1] - streets.center_xy))
    distance = np.hypot(*(xy - streets.center_xy).T) / reach
    year = 1962 + 52 * np.sqrt(np.clip(distance, 0, 1)) + rng.normal(0.0, 5.0, len(xy))
    renewed = rng.random(len(xy)) < 0.16
    year[renewed] = rng.uniform(2004, 2024, int(renewed.sum()))
    years: NDArray[np.int32] = np.clip(year, 1956, 2024).astype(np.int32)
    return years


def _diameters(
    is_trunk: Flags, is_branch: Flags, year: NDArray[np.int32], rng: Generator
) -> NDArray[np.int32]:
    chance = rng.random(len(year))
    trunk = np.select([chance < 0.25, chance < 0.7], [600, 500], 400)
    branch = np.where(
        year > 2000, np.where(chance < 0.5, 110, 160), np.where(chance < 0.6, 100, 75)
    )
    street = np.select([chance < 0.35, chance < 0.75, chance < 0.95], [150, 200, 300], 100)
    chosen: NDArray[np.int32] = np.where(is_trunk, trunk, np.where(is_branch, branch, street))
    return chosen.astype(np.int32)


def _materials(
    year: NDArray[np.int32], diameter_mm: NDArray[np.int32], rng: Generator
) -> NDArray[np.int8]:
    chance = rng.random(len(year))
    is_small, is_large = diameter_mm <= 160, diameter_mm >= 400
    number = {name: row for row, name in enumerate(MATERIALS)}
    old = np.where(chance < 0.8, number["CI"], number["AC"])
    old = np.where(is_small & (chance < 0.3), number["GS"], old)
    middle = np.select(
        [is_small & (chance < 0.5), chance < 0.5, is_large, chance < 0.75],
        [number["PVC"], number["CI"], number["PC"], number["ST"]],
        number["DI"],
    )
    new = np.where(is_small, number["PE"], number["DI"])
    new = np.where(is_large & (chance < 0.2), number["ST"], new)
    chosen: NDArray[np.int8] = np.where(
        year < 1984, old, np.where(year < 2001, middle, new)
    ).astype(np.int8)
    return chosen
