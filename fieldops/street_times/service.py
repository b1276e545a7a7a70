"""
Travel times of crews: a field of minutes a job, kept while the streets stay as they are.

Where no streets are recorded, or a place lies far from all of them, the straight line times a
factor learnt from the utility's own trips stands in, and says so.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_array
from shapely import points

from fieldops.errors import NotFoundError
from fieldops.events.service import append_event
from fieldops.network.queries import read_state, set_person
from fieldops.street_times import queries
from gis.lines import metres_per_degree
from gis.roads import FARTHEST_M
from gis.streets import Streets
from gis.timeline import STREET_SPEED_KMH

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from sqlalchemy.orm import Session

    from fieldops.events.service import Actor, Event
    from fieldops.network.queries import NetworkState
    from fieldops.street_times.queries import RoadFacts
    from gis.streets import Field

    Numbers = NDArray[np.float64]
    Place = tuple[float, float]

MOST_FIELDS = 800
"""Fields kept at once: 0.1 to 0.23 MB each on the streets of a city."""
MOST_FOUND = 40
LEAST_TRIPS = 20
MOST_TRIPS = 500
SHORTEST_TRIP_M = 300.0
"""On a shorter trip parking takes longer than driving."""
NEARBY_M = 1_000.0
"""A road closed farther from a trip than this is on nobody's way."""
FACTORS = (1.0, 6.0)
"""No way is shorter than the straight line; one longer than this was an errand, not a way."""


@dataclass(frozen=True, slots=True, eq=False)
class CityStreets:
    """
    The streets of one revision, flat around their middle, and the fields made on them so far.

    `streets` is None where no road is recorded.
    """

    revision: int
    geometry_revision: int
    streets: Streets | None
    keys: NDArray[np.int64]
    middle: Numbers
    scale: Numbers
    fields: dict[Place, Field] = field(default_factory=dict)
    unclosed: list[CityStreets] = field(default_factory=list)
    """The same streets with none closed, made when somebody first asks what closing costs."""

    graphs: list[csr_array] = field(default_factory=list)

    def streets_of(self) -> Streets:
        """Give the streets where it is known that there are some."""
        assert self.streets is not None  # noqa: S101 - a field was made on them
        return self.streets

    def onward(self) -> csr_array:
        """Give the minutes from each corner to the next ones, made when somebody first drives."""
        if not self.graphs:
            self.graphs.append(csr_array(self.streets_of().reversed_graph.T))
        return self.graphs[0]

    def flat(self, places: Sequence[Place]) -> tuple[Numbers, Numbers]:
        """Give east and north of places in metres."""
        lon_lat = np.array(places, dtype=np.float64).reshape(-1, 2)
        x_m, y_m = ((lon_lat - self.middle) * self.scale).T
        return x_m, y_m

    def closed_places_m(self) -> Numbers:
        """Give where roads are closed: one end of each stretch. Shape (stretches, 2)."""
        if self.streets is None:
            return np.zeros((0, 2))
        roads = self.streets.roads
        return roads.corner_m[roads.start[roads.is_closed]]

    def is_far(self, x_m: Numbers, y_m: Numbers) -> NDArray[np.bool_]:
        """Tell which places lie far from every street that can be driven."""
        far = np.ones(x_m.size, dtype=np.bool_)
        if self.streets is not None:
            near, _ = self.streets.tree.query_nearest(
                points(x_m, y_m), max_distance=FARTHEST_M, all_matches=False
            )
            far[near] = False
        return far

    def field_to(self, place: Place) -> Field | None:
        """Give the field of a place, kept from the last time if it can be."""
        if self.streets is None:
            return None
        kept = self.fields.pop(place, None)
        if kept is None:
            x_m, y_m = self.flat([place])
            kept = self.streets.minutes_to(float(x_m[0]), float(y_m[0]))
            while len(self.fields) >= MOST_FIELDS:
                self.fields.pop(next(iter(self.fields)), None)
        self.fields[place] = kept
        return kept


@dataclass(frozen=True, slots=True, eq=False)
class Travel:
    """
    Minutes from each place to each other; `is_straight` where no street answered for it.

    inf where streets lead to neither end from the other.
    """

    minutes: Numbers
    is_straight: NDArray[np.bool_]


def current_streets(session: Session) -> CityStreets:
    """Give the streets as they stand, read anew only when roads changed; see current_network."""
    kept = session.info["kept"]
    state = read_state(session)
    if state.own_step:
        edited = kept.get("streets_edited")
        if edited is None or edited[0] != state.own_step:
            edited = kept["streets_edited"] = (state.own_step, _read_streets(session, state))
        own: CityStreets = edited[1]
        return own
    stored: CityStreets | None = kept.get("streets")
    if stored is not None and stored.revision >= state.revision:
        return stored
    with kept.setdefault("streets_lock", Lock()):
        stored = kept.get("streets")
        if stored is None or stored.revision < state.revision:
            stored = kept["streets"] = _bring_up_to_date(session, stored, state)
    return stored


def _bring_up_to_date(
    session: Session, stored: CityStreets | None, state: NetworkState
) -> CityStreets:
    if (
        stored is None
        or stored.geometry_revision != state.geometry_revision
        or not queries.are_only_closures(session, stored.revision)
    ):
        return _read_streets(session, state)
    is_closed = np.isin(stored.keys, queries.fetch_closed_keys(session))
    streets, fields = stored.streets, stored.fields
    if streets is not None:
        was = np.zeros(stored.keys.size, dtype=np.bool_)
        was[streets.road[streets.roads.is_closed]] = True
        if (was != is_closed).any():
            streets, fields = streets.closing(is_closed), {}
    return CityStreets(
        state.revision,
        stored.geometry_revision,
        streets,
        stored.keys,
        stored.middle,
        stored.scale,
        fields,
    )


def _read_streets(session: Session, state: NetworkState) -> CityStreets:
    rows = queries.fetch_roads(session)
    numbers = (state.revision, state.geometry_revision)
    if rows is None:
        return CityStreets(*numbers, None, np.zeros(0, np.int64), np.zeros(2), np.ones(2))
    middle = (rows.lon_lat.min(axis=0) + rows.lon_lat.max(axis=0)) / 2
    scale = np.concatenate(metres_per_degree(middle[1:]))
    streets = Streets.of_lines(
        (rows.lon_lat - middle) * scale,
        rows.road,
        speed_kmh=rows.speed_kmh,
        is_one_way=rows.is_one_way,
        is_closed=rows.is_closed,
    )
    return CityStreets(*numbers, streets, rows.keys, middle, scale)


def find_travel(
    session: Session, starts: Sequence[Place], goals: Sequence[Place], straight_factor: float
) -> Travel:
    """Give the minutes from each place to each goal, both as (lon, lat)."""
    city = current_streets(session)
    straight = straight_minutes(starts, goals, straight_factor)
    if city.streets is None or not starts or not goals:
        return Travel(straight, np.ones(straight.shape, dtype=np.bool_))
    fields = [each for each in map(city.field_to, goals) if each is not None]
    x_m, y_m = city.flat(starts)
    minutes = city.streets.minutes_between(fields, x_m, y_m)
    is_straight = city.is_far(x_m, y_m)[:, None] | np.array([each.stretch < 0 for each in fields])
    cut = ~np.isfinite(minutes).all(axis=0)
    if cut.any():
        # What joins nothing though nothing is closed is a gap in the record; else there is no way.
        there = np.isfinite(minutes)
        if city.streets.roads.is_closed.any():
            there[:, cut] = _is_joined(
                city, [goals[int(at)] for at in np.flatnonzero(cut)], x_m, y_m
            )
        is_straight |= ~there
    return Travel(np.where(is_straight, straight, minutes), is_straight)


def _is_joined(
    city: CityStreets, goals: Sequence[Place], x_m: Numbers, y_m: Numbers
) -> NDArray[np.bool_]:
    """Tell from which places streets would lead to each goal if none were closed."""
    unclosed = _without_closures(city)
    fields = [each for each in map(unclosed.field_to, goals) if each is not None]
    return np.isfinite(unclosed.streets_of().minutes_between(fields, x_m, y_m))


def _without_closures(city: CityStreets) -> CityStreets:
    if not city.unclosed:
        is_closed = np.zeros(city.keys.size, dtype=np.bool_)
        streets = city.streets_of().closing(is_closed)
        city.unclosed.append(replace(city, streets=streets, fields={}))
    return city.unclosed[0]


@dataclass(frozen=True, slots=True, eq=False)
class Way:
    """Places on a way, and the minutes at which each is reached."""

    places: list[Place]
    minutes: list[float]

    def at(self, minute: float) -> Place:
        """Give the place at a moment of the drive."""
        lon_lat = np.array(self.places)
        return (
            float(np.interp(minute, self.minutes, lon_lat[:, 0])),
            float(np.interp(minute, self.minutes, lon_lat[:, 1])),
        )


def find_way(session: Session, start: Place, goal: Place, straight_factor: float) -> Way:
    """Give the fastest way over the streets; the straight line where no street answers."""
    travel = find_travel(session, [start], [goal], straight_factor)
    total_min = float(travel.minutes[0, 0])
    city = current_streets(session)
    field_to = city.field_to(goal)
    if travel.is_straight[0, 0] or field_to is None or not np.isfinite(total_min):
        straight_min = float(straight_minutes([start], [goal], straight_factor)[0, 0])
        return Way([start, goal], [0.0, straight_min])
    corners = _corners_on_way(city, field_to, start)
    left_min = field_to.minutes[corners].astype(np.float64) + field_to.off_min
    lon_lat = city.streets_of().roads.corner_m[corners] / city.scale + city.middle
    passed = np.maximum.accumulate(np.clip(total_min - left_min, 0.0, total_min))
    return Way([start, *map(tuple, lon_lat.tolist()), goal], [0.0, *passed.tolist(), total_min])


def _corners_on_way(city: CityStreets, field_to: Field, start: Place) -> list[int]:
    """Go from corner to corner to where the least time is left."""
    streets, minutes = city.streets_of(), field_to.minutes
    x_m, y_m = city.flat([start])
    _, near = streets.tree.query_nearest(points(x_m, y_m), all_matches=False)
    entered = int(streets.open_stretch[near[0]])
    if entered == field_to.stretch:
        return []
    ends = [int(streets.roads.start[entered]), int(streets.roads.end[entered])]
    here = min(ends, key=lambda corner: float(minutes[corner]))
    graph, way = city.onward(), [here]
    last = {int(streets.roads.start[field_to.stretch]), int(streets.roads.end[field_to.stretch])}
    while here not in last:
        span = slice(graph.indptr[here], graph.indptr[here + 1])
        nexts, costs = graph.indices[span], graph.data[span]
        best = int(nexts[int((costs + minutes[nexts]).argmin())]) if nexts.size else here
        if minutes[best] >= minutes[here]:
            break
        here = best
        way.append(here)
    return way


def find_detours_min(session: Session, trips: Sequence[tuple[Place, Place]]) -> list[float]:
    """Give how many minutes closed roads cost on each way; inf where they cut it off."""
    city = current_streets(session)
    near = [at for at, trip in enumerate(trips) if _is_closed_near(city, *trip)]
    lost = [0.0] * len(trips)
    if not near:
        return lost
    unclosed = _without_closures(city)
    starts, goals = [trips[at][0] for at in near], [trips[at][1] for at in near]
    as_is = _minutes_of(city, starts, goals)
    if_open = _minutes_of(unclosed, starts, goals)
    for at, now_min, open_min in zip(near, as_is, if_open, strict=True):
        if np.isfinite(open_min):
            lost[at] = max(now_min - open_min, 0.0)
    return lost


def _is_closed_near(city: CityStreets, start: Place, goal: Place) -> bool:
    """Tell whether a closed road lies about a trip: elsewhere in the city it is on nobody's way."""
    closed_m = city.closed_places_m()
    x_m, y_m = city.flat([start, goal])
    lows = np.array([x_m.min(), y_m.min()]) - NEARBY_M
    highs = np.array([x_m.max(), y_m.max()]) + NEARBY_M
    return bool(((closed_m >= lows) & (closed_m <= highs)).all(axis=1).any())


def _minutes_of(city: CityStreets, starts: list[Place], goals: list[Place]) -> list[float]:
    """Give the minutes of each trip, by pairs."""
    fields = [each for each in map(city.field_to, goals) if each is not None]
    minutes = city.streets_of().minutes_between(fields, *city.flat(starts))
    found: list[float] = np.diagonal(minutes).tolist()
    return found


def straight_minutes(
    starts: Sequence[Place], goals: Sequence[Place], straight_factor: float
) -> Numbers:
    """Give the minutes as the crow flies, times a factor for the streets."""
    from_, to = (np.array(each, dtype=np.float64).reshape(-1, 2) for each in (starts, goals))
    middle_lat = (from_[:, None, 1] + to[None, :, 1]) / 2
    east, north = metres_per_degree(middle_lat)
    metres = np.hypot(
        (from_[:, None, 0] - to[None, :, 0]) * east, (from_[:, None, 1] - to[None, :, 1]) * north
    )
    return np.asarray(metres * straight_factor / (STREET_SPEED_KMH * 1000 / 60))


def begin_trip(session: Session, event: Event) -> None:
    """Note that a crew departed for an order."""
    queries.begin_trip(session, event.subject_key, min(event.occurred_at, event.received_at))


def end_trip(session: Session, event: Event) -> None:
    """Note that a crew arrived at an order."""
    queries.end_trip(session, event.subject_key, min(event.occurred_at, event.received_at))


HANDLERS = {"work_order.departed": begin_trip, "work_order.arrived": end_trip}


def learn_straight_factor(session: Session) -> tuple[float, int] | None:
    """Give the factor that the newest trips show, and how many they are; None for too few."""
    trips = queries.fetch_trips(session, SHORTEST_TRIP_M, MOST_TRIPS)
    if len(trips) < LEAST_TRIPS:
        return None
    a_min = STREET_SPEED_KMH * 1000 / 60
    median = statistics.median(minutes * a_min / metres for metres, minutes in trips)
    return min(max(median, FACTORS[0]), FACTORS[1]), len(trips)


def close_road(
    session: Session, road_id: str, *, is_closed: bool, actor: Actor, now: dt.datetime
) -> RoadFacts:
    """
    Record that a road can or cannot be driven.

    Raises
    ------
    NotFoundError
        If there is no such road.
    """
    road = queries.lock_road(session, road_id)
    if road is None:
        raise NotFoundError("There is no road %(road)s.", road=road_id)
    if road.is_closed == is_closed:
        return road
    set_person(session, actor.name, now)
    queries.update_closed(session, road.key, is_closed=is_closed)
    append_event(
        session,
        "road.closed" if is_closed else "road.opened",
        ("road", road.key),
        by=actor,
        now=now,
        body={"id": road.id, "name": road.name, "closed": is_closed},
    )
    return queries.RoadFacts(road.key, road.id, road.name, is_closed)


def search_roads(session: Session, words: str) -> list[RoadFacts]:
    """Find roads by a part of their name or id; nothing for nothing."""
    words = " ".join(words.replace("\0", "").split())[:100]
    return queries.fetch_roads_like(session, words, MOST_FOUND) if words else []


def list_closed_roads(session: Session) -> list[RoadFacts]:
    """List the closed roads."""
    return queries.fetch_closed_roads(session)
