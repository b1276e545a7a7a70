"""A whole invented town, placed on the earth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from gis.network import NONE, DeviceFacts, DeviceKind, Network
from gis.towns.fittings import AT_END_M, fit
from gis.towns.mains import FEWEST_PIPES, Role, lay_mains
from gis.towns.premises import settle
from gis.towns.streets import DistrictKind, lay_streets

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gis.network import Numbers, Rows
    from gis.towns.fittings import Fittings
    from gis.towns.mains import Mains
    from gis.towns.premises import Premises
    from gis.towns.streets import Streets

Scalar = TypeVar("Scalar", bound=np.generic)

ORIGIN_LON_LAT = (117.3512, 31.1207)
"""South-west corner. No town of this shape and name lies there."""
EQUATOR_M = 6_378_137.0
ECCENTRICITY_SQUARED = 0.00669437999014
TANK_M3 = 600.0


@dataclass(frozen=True, slots=True, eq=False)
class Town:
    """
    An invented town.

    Attributes
    ----------
    streets, mains, fittings, premises
        What it is made of.
    node_lon_lat, bend_lon_lat
        Degrees, rounded as they are written. Shape (nodes, 2), (pipes, 2).
    pipe_length_m
        Along the line, on the ellipsoid. Shape (pipes,).
    valve_at_m
        Place of the valves on pipes, nan for links. Shape (valves,).
    """

    streets: Streets
    mains: Mains
    fittings: Fittings
    premises: Premises
    node_lon_lat: Numbers
    bend_lon_lat: Numbers
    pipe_length_m: Numbers
    valve_at_m: Numbers

    @property
    def pipe_zone(self) -> Rows:
        """Pressure zone of each pipe: 0 for the town's own, else that of its district."""
        kind = self.streets.district_kind
        number = np.zeros(len(kind) + 1, dtype=np.int32)
        other = np.flatnonzero(kind != DistrictKind.PLAIN)
        number[other] = np.arange(1, len(other) + 1)
        return number[self.mains.district]

    def place(self, pipe: Rows, share: Numbers, aside_m: Numbers | float = 0.0) -> Numbers:
        """
        Find a place along a pipe or beside it.

        Parameters
        ----------
        pipe, share, aside_m
            Pipe, share of its length from its start, metres to the left. Shape (places,).

        Returns
        -------
        Numbers
            Longitude and latitude. Shape (places, 2).
        """
        ends = self.fittings.pipe_ends[pipe]
        first, last = self.node_lon_lat[ends[:, 0]], self.node_lon_lat[ends[:, 1]]
        bend = self.bend_lon_lat[pipe]
        to_bend, from_bend = _distance_m(first, bend), _distance_m(bend, last)
        along = share * (to_bend + from_bend)
        before = along <= to_bend
        start, stop = np.where(before[:, None], [first, bend], [bend, last])
        piece = np.where(before, to_bend, from_bend)
        part = np.where(before, along, along - to_bend) / np.where(piece > 0, piece, 1.0)
        step = stop - start
        metres = _metres_a_degree(start[:, 1])
        ahead = step * metres / np.maximum(piece, 1e-9)[:, None]
        left = np.column_stack([-ahead[:, 1], ahead[:, 0]]) / metres
        shift = left * np.broadcast_to(aside_m, len(pipe))[:, None]
        places: Numbers = np.round(start + part[:, None] * step + shift, 7)
        return places

    def network(self) -> Network:
        """Give the town as arrays, as its file would be read, without the detour of a file."""
        mains, fittings, premises = self.mains, self.fittings, self.premises
        count = [len(fittings.valve_ends), len(fittings.pump_ends), len(fittings.control_ends)]
        isolating = np.where(
            fittings.control_isolates,
            DeviceKind.ISOLATING_CONTROL_VALVE,
            DeviceKind.CONTROL_VALVE,
        )
        kind = np.repeat([DeviceKind.VALVE, DeviceKind.PUMP, 0], count)
        kind[sum(count[:2]) :] = isolating
        others = count[1] + count[2]
        is_point = fittings.valve_ends[:, 0] < 0
        twice = np.flatnonzero(premises.second_pipe >= 0)
        connections = len(premises.pipe)
        feed_pipe = np.concatenate([premises.pipe, premises.second_pipe[twice]])
        feed_share = np.concatenate([premises.share, np.full(len(twice), 0.5)])
        sources = np.concatenate([mains.works_node, mains.tank_node])
        is_tank = np.arange(len(sources)) >= len(mains.works_node)
        return Network(
            node_count=len(fittings.node_xy),
            pipe_ends=fittings.pipe_ends,
            pipe_length_m=self.pipe_length_m,
            pipe_is_open=np.ones(len(fittings.pipe_ends), dtype=np.bool_),
            pipe_is_one_way=mains.role == Role.CHECKED,
            pipe_zone=self.pipe_zone,
            device_kind=kind.astype(np.int8),
            device_ends=np.concatenate(
                [fittings.valve_ends, fittings.pump_ends, fittings.control_ends]
            ),
            device_pipe=_padded(np.where(is_point, fittings.valve_beside, NONE), others, NONE),
            device_at_m=_padded(self.valve_at_m, others, np.nan),
            device_is_open=np.concatenate(
                [np.ones(count[0], np.bool_), fittings.pump_is_open, np.ones(count[2], np.bool_)]
            ),
            device_boundary=_padded(fittings.boundary, others, fill=False),
            # Ids in text order: BP..., JY..., V...
            device_rank=np.roll(np.arange(sum(count), dtype=np.int32), -others),
            facts=DeviceFacts(
                _padded(fittings.position, others, 0),
                _padded(fittings.operability, others, 0),
                _padded(fittings.reachable, others, fill=True),
            ),
            source_node=sources,
            source_is_tank=is_tank,
            source_has_inflow=np.ones(len(sources), dtype=np.bool_),
            source_volume_m3=np.where(is_tank, TANK_M3, np.nan),
            feed_premises=np.concatenate([np.arange(connections), twice]).astype(np.int32),
            feed_pipe=feed_pipe,
            feed_at_m=feed_share * self.pipe_length_m[feed_pipe],
            feed_node=np.full(len(feed_pipe), NONE, dtype=np.int32),
            premises_properties=premises.properties,
            premises_people=premises.people,
            premises_is_critical=premises.critical > 0,
            premises_is_guessed=premises.is_pipe_missing,
            premises_demand_l_day=(premises.properties * premises.demand_l_per_property_day).astype(
                np.float64
            ),
            premises_tank_m3=premises.tank_m3.astype(np.float64),
            hydrant_pipe=premises.hydrant_pipe,
            hydrant_at_m=premises.hydrant_share * self.pipe_length_m[premises.hydrant_pipe],
            hydrant_node=np.full(len(premises.hydrant_pipe), NONE, dtype=np.int32),
        )


def make_town(pipes: int, seed: int, customers: int | None = None) -> Town:
    """
    Invent a town.

    Parameters
    ----------
    pipes
        Number of pipes, at least `FEWEST_PIPES`.
    seed
        The same seed gives the same town.
    customers
        Number of connections; without it five a pipe in a town of up to 5,000
        pipes, else one a pipe.

    Returns
    -------
    Town
        A town with every case that a network file can hold.

    Raises
    ------
    ValueError
        When there are too few pipes for a town.
    """
    if pipes < FEWEST_PIPES:
        raise ValueError(f"a town needs at least {FEWEST_PIPES} pipes, not {pipes}")
    if customers is None:
        customers = 5 * pipes if pipes <= 5_000 else pipes
    rng = np.random.default_rng(seed)
    streets = lay_streets(pipes, rng)
    mains = lay_mains(streets, pipes, rng)
    fittings = fit(mains, len(streets.crossing_xy), rng)
    node, bend = lon_lat(fittings.node_xy), lon_lat(mains.bend_xy)
    first, last = node[fittings.pipe_ends].transpose(1, 0, 2)
    length_m = _distance_m(first, bend) + _distance_m(bend, last)
    premises = settle(mains, length_m, customers, rng)

    length = length_m[fittings.valve_beside]
    at_m = np.choose(
        fittings.valve_side, [AT_END_M, length - AT_END_M, fittings.valve_share * length]
    )
    at_m = np.where(fittings.valve_ends[:, 0] < 0, at_m, np.nan)
    return Town(streets, mains, fittings, premises, node, bend, length_m, at_m)


def town_network(pipes: int, seed: int = 1) -> Network:
    """Give an invented town as arrays alone; see `make_town`."""
    return make_town(pipes, seed).network()


def _padded(
    values: NDArray[Scalar],
    more: int,
    fill: float,
) -> NDArray[Scalar]:
    return np.concatenate([values, np.full(more, fill, dtype=values.dtype)])


def _metres_a_degree(lat: Numbers) -> Numbers:
    """Give the metres that a degree of longitude and one of latitude are worth. Shape (n, 2)."""
    sine = np.sin(np.radians(lat))
    root = np.sqrt(1 - ECCENTRICITY_SQUARED * sine**2)
    east = EQUATOR_M / root * np.cos(np.radians(lat))
    north = EQUATOR_M * (1 - ECCENTRICITY_SQUARED) / root**3
    return np.column_stack([east, north]) * (np.pi / 180)


def lon_lat(xy: Numbers) -> Numbers:
    """Place metres east and north of the town's corner on the earth. Shape (places, 2)."""
    origin = np.array(ORIGIN_LON_LAT)
    north = xy[:, 1] / _metres_a_degree(origin[1:])[0, 1]
    lat = origin[1] + north
    # Each street keeps its length in metres wherever in the town it lies.
    lon = origin[0] + xy[:, 0] / _metres_a_degree(lat)[:, 0]
    return np.round(np.column_stack([lon, lat]), 7)


def _distance_m(one: Numbers, other: Numbers) -> Numbers:
    """Measure short distances on the ellipsoid."""
    metres = _metres_a_degree((one[:, 1] + other[:, 1]) / 2)
    distance: Numbers = np.hypot(*((other - one) * metres).T)
    return distance
