"""An invented town as GeoJSON text, one feature a line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from gis.towns import names
from gis.towns.mains import MATERIALS, PipeClass, Role
from gis.towns.premises import Critical, Trade
from gis.towns.streets import DistrictKind, Rank
from gis.towns.town import TANK_M3, lon_lat

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gis.network import Numbers
    from gis.towns.town import Town

CLASSES = {
    PipeClass.DISTRIBUTION: "distribution",
    PipeClass.TRANSMISSION: "transmission",
    PipeClass.SERVICE: "service",
}
TRADES = {
    Trade.HOUSING: "residential",
    Trade.HIGH_RISE: "residential",
    Trade.SHOP: "commercial",
    Trade.INDUSTRY: "industrial",
    Trade.PUBLIC: "public",
}
LANDMARKS = ("路灯杆", "墙角", "电线杆", "检查井", "消火栓", "行道树")
HEAD_M = {"town": 78.0, "hill": 112.0}


def feature_lines(town: Town) -> Iterator[str]:
    """
    Write a town as the lines of a GeoJSON file.

    Parameters
    ----------
    town
        From `make_town`.

    Yields
    ------
    str
        Lines without their ends; the same town gives the same lines.
    """
    yield '{"type":"FeatureCollection","features":['
    pending = None
    for kind in KINDS:
        for feature in kind(town):
            if pending is not None:
                yield pending + ","
            pending = feature
    yield str(pending)
    yield "]}"


def _feature(kind: str, name: str, geometry: str, properties: dict[str, object]) -> str:
    known = {key: value for key, value in properties.items() if value is not None}
    text = json.dumps(
        {"kind": kind, "id": name, **known}, ensure_ascii=False, separators=(",", ":")
    )
    return f'{{"type":"Feature","geometry":{geometry},"properties":{text}}}'


def _point(place: tuple[float, float] | list[float]) -> str:
    return f'{{"type":"Point","coordinates":[{place[0]:.7f},{place[1]:.7f}]}}'


def _line(*places: list[float]) -> str:
    inner = ",".join(f"[{lon:.7f},{lat:.7f}]" for lon, lat in places)
    return f'{{"type":"LineString","coordinates":[{inner}]}}'


class _Ids:
    """Ids with as many digits as the largest number of their kind needs."""

    def __init__(self, prefix: str, count: int) -> None:
        self.prefix = prefix
        self.width = len(str(count))

    def __call__(self, row: int) -> str:
        return f"{self.prefix}{row + 1:0{self.width}d}"


def _node_id(town: Town) -> _Ids:
    return _Ids("N", len(town.node_lon_lat))


def _pipe_id(town: Town) -> _Ids:
    return _Ids("P", len(town.mains.ends))


def _elevation_m(town: Town) -> Numbers:
    """Give the ground: it rises to the north-west, and falls towards the river."""
    lon, lat = town.node_lon_lat.T
    rise = (lat - lat.min()) / np.ptp(lat) + 0.6 * (lon.max() - lon) / np.ptp(lon)
    ripple = np.sin(lon * 900.0) + np.sin(lat * 1100.0)
    ground: Numbers = np.round(18.0 + 24.0 * rise + 1.5 * ripple, 1)
    return ground


def _nodes(town: Town) -> Iterator[str]:
    name = _node_id(town)
    rows = zip(town.node_lon_lat.tolist(), _elevation_m(town).tolist(), strict=True)
    used = np.zeros(len(town.node_lon_lat), dtype=np.bool_)
    for ends in (town.fittings.pipe_ends, town.fittings.valve_ends):
        used[ends[ends >= 0]] = True
    for row, ((place, ground), is_used) in enumerate(zip(rows, used.tolist(), strict=True)):
        if is_used:
            yield _feature("node", name(row), _point(place), {"elevation_m": ground})


def _zone_names(town: Town) -> list[str]:
    kinds = town.streets.district_kind
    zones = ["城区"]
    for kind in kinds[kinds != DistrictKind.PLAIN]:
        zones.append(f"{'加压' if kind == DistrictKind.PUMPED else '减压'}{len(zones):02d}区")
    return zones


def _pipes(town: Town) -> Iterator[str]:
    mains, fittings = town.mains, town.fittings
    name, node, zones = _pipe_id(town), _node_id(town), _zone_names(town)
    streets = _streets(town)
    places, bends = town.node_lon_lat.tolist(), town.bend_lon_lat.tolist()
    columns = zip(
        fittings.pipe_ends.tolist(),
        mains.pipe_class.tolist(),
        mains.material.tolist(),
        mains.diameter_mm.tolist(),
        mains.year.tolist(),
        town.pipe_zone.tolist(),
        mains.role.tolist(),
        mains.line.tolist(),
        mains.is_over_river.tolist(),
        strict=True,
    )
    for row, (ends, kind, material, diameter, year, zone, role, line, over_river) in enumerate(
        columns
    ):
        first, last = ends
        # One record in a hundred says nothing of its ends; months are known of newer pipes.
        known = row % 100 != 57
        yield _feature(
            "pipe",
            name(row),
            _line(places[first], bends[row], places[last]),
            {
                "diameter_mm": diameter,
                "material": MATERIALS[material],
                "laid_on": f"{year}-{row % 12 + 1:02d}" if year > 2000 else str(year),
                "class": CLASSES[kind],
                "start_node": node(first) if known else None,
                "end_node": node(last) if known else None,
                "one_way": True if role == Role.CHECKED else None,
                "zone": zones[zone],
                "road": streets[line],
                "laying": "过河管" if over_river else None,
            },
        )


def _streets(town: Town) -> list[str]:
    return names.street_names(town.streets.rows, town.streets.columns)


def _valves(town: Town) -> Iterator[str]:
    fittings = town.fittings
    name, node, pipe_id = _Ids("V", len(fittings.valve_ends)), _node_id(town), _pipe_id(town)
    is_point = fittings.valve_ends[:, 0] < 0
    share = np.where(is_point, town.valve_at_m / town.pipe_length_m[fittings.valve_beside], 0.0)
    points = town.place(fittings.valve_beside, share).tolist()
    places = town.node_lon_lat.tolist()
    diameter = town.mains.diameter_mm[fittings.valve_beside].tolist()
    columns = zip(
        fittings.valve_ends.tolist(),
        fittings.valve_beside.tolist(),
        fittings.position.tolist(),
        fittings.is_position_missing.tolist(),
        fittings.operability.tolist(),
        fittings.reachable.tolist(),
        fittings.boundary.tolist(),
        fittings.turns.tolist(),
        fittings.closes.tolist(),
        np.datetime_as_string(fittings.exercised_on).tolist(),
        fittings.has_fixed_points.tolist(),
        fittings.is_butterfly.tolist(),
        strict=True,
    )
    for row, (
        ends,
        pipe,
        position,
        is_missing,
        operability,
        reachable,
        boundary,
        turns,
        closes,
        exercised_on,
        has_points,
        is_butterfly,
    ) in enumerate(columns):
        is_link = ends[0] >= 0
        yield _feature(
            "valve",
            name(row),
            _line(places[ends[0]], places[ends[1]]) if is_link else _point(points[row]),
            {
                "pipe": None if is_link else pipe_id(pipe),
                "start_node": node(ends[0]) if is_link else None,
                "end_node": node(ends[1]) if is_link else None,
                "position": None if is_missing else ("open", "closed", "unknown")[position],
                "operability": ("operable", "inoperable", "unknown")[operability],
                "reachable": None if reachable else False,
                "boundary": True if boundary else None,
                "turns": turns,
                "closes": ("clockwise", "anticlockwise", "unknown")[closes],
                "valve_type": "蝶阀" if is_butterfly else "闸阀",
                "last_exercised_on": None if exercised_on == "NaT" else exercised_on,
                "diameter_mm": diameter[row],
                "fixed_points": _fixed_points(row) if has_points else None,
            },
        )


def _fixed_points(row: int) -> list[dict[str, object]]:
    """Tell how to find a cover under snow or asphalt: distances to things that stay."""
    return [
        {
            "name": LANDMARKS[(row + nth * (1 + row % 5)) % len(LANDMARKS)],
            "distance_m": round(1.2 + (row * (7 + 4 * nth) % 83) / 10, 1),
        }
        for nth in range(2)
    ]


def _pumps(town: Town) -> Iterator[str]:
    ends = town.fittings.pump_ends.tolist()
    name, node, places = _Ids("BP", len(ends)), _node_id(town), town.node_lon_lat.tolist()
    is_open = town.fittings.pump_is_open.tolist()
    for row, (first, last) in enumerate(ends):
        yield _feature(
            "pump",
            name(row),
            _line(places[first], places[last]),
            {
                "start_node": node(first),
                "end_node": node(last),
                "status": "open" if is_open[row] else "closed",
            },
        )


def _controls(town: Town) -> Iterator[str]:
    ends = town.fittings.control_ends.tolist()
    name, node, places = _Ids("JY", len(ends)), _node_id(town), town.node_lon_lat.tolist()
    for row, (first, last) in enumerate(ends):
        isolates = bool(town.fittings.control_isolates[row])
        yield _feature(
            "control_valve",
            name(row),
            _line(places[first], places[last]),
            {
                "start_node": node(first),
                "end_node": node(last),
                "status": "open",
                "type": "PRV",
                "setting": 28.0,
                "isolates": True if isolates else None,
                "position": "open" if isolates else None,
                "operability": "operable" if isolates else None,
            },
        )


def _sources(town: Town) -> Iterator[str]:
    node, places = _node_id(town), town.node_lon_lat.tolist()
    for row, at in enumerate(town.mains.works_node.tolist()):
        title = names.WORKS[row] if row < len(names.WORKS) else f"{names.TOWN}水厂{row + 1}"
        yield _feature(
            "source",
            f"W{row + 1}",
            _point(places[at]),
            {"node": node(at), "type": "treatment_plant", "head_m": HEAD_M["town"], "name": title},
        )
    for row, at in enumerate(town.mains.tank_node.tolist()):
        title = names.TANK if row == 0 else f"{names.TANK}{row + 1}"
        yield _feature(
            "source",
            f"T{row + 1}",
            _point(places[at]),
            {
                "node": node(at),
                "type": "tank",
                "head_m": HEAD_M["hill"],
                "volume_m3": TANK_M3,
                "name": title,
            },
        )


def _premises(town: Town) -> Iterator[str]:
    premises, mains = town.premises, town.mains
    name, pipe_id, streets = _Ids("C", len(premises.pipe)), _pipe_id(town), _streets(town)
    places = town.place(premises.pipe, premises.share, premises.aside_m).tolist()
    kinds = {kind: kind.name.lower() for kind in Critical if kind}
    seen: dict[str, int] = {}
    columns = zip(
        premises.pipe.tolist(),
        premises.second_pipe.tolist(),
        premises.properties.tolist(),
        premises.people.tolist(),
        premises.demand_l_per_property_day.tolist(),
        premises.tank_m3.tolist(),
        premises.trade.tolist(),
        premises.critical.tolist(),
        premises.is_pipe_missing.tolist(),
        mains.line[premises.pipe].tolist(),
        _house_numbers(town).tolist(),
        mains.is_branch[premises.pipe].tolist(),
        strict=True,
    )
    building = 0
    last_pipe = -1
    for row, (
        pipe,
        second,
        properties,
        people,
        demand,
        tank,
        trade,
        critical,
        is_missing,
        line,
        number,
        in_yard,
    ) in enumerate(columns):
        building = building + 1 if pipe == last_pipe else 1
        last_pipe = pipe
        where = names.address(
            streets[line], number, names.yard_name(pipe) if in_yard else None, building
        )
        title = None
        if critical:
            kind = kinds[Critical(critical)]
            seen[kind] = seen.get(kind, 0) + 1
            title = names.CRITICAL[kind] + (str(seen[kind]) if seen[kind] > 1 else "")
        feeds = [{"pipe": pipe_id(pipe)}, {"pipe": pipe_id(second)}] if second >= 0 else None
        yield _feature(
            "customer",
            name(row),
            _point(places[row]),
            {
                "pipe": None if is_missing else pipe_id(pipe),
                "feeds": feeds,
                "properties": properties,
                "people": people if people >= 0 else None,
                "category": TRADES[Trade(trade)],
                "critical": kinds[Critical(critical)] if critical else None,
                "demand_l_per_property_day": demand,
                "building_tank_m3": tank or None,
                "name": title,
                "address": where,
            },
        )


def _house_numbers(town: Town) -> Numbers:
    """Give numbers to houses along their street, from its west or south end, odd on the left."""
    premises, streets, mains = town.premises, town.streets, town.mains
    axis = np.where(mains.line[premises.pipe] < streets.rows, 0, 1)
    at = mains.bend_xy[premises.pipe]
    ends = mains.node_xy[mains.ends[premises.pipe]]
    along = ends[:, 0] + premises.share[:, None] * (ends[:, 1] - ends[:, 0])
    along[mains.is_branch[premises.pipe]] = at[mains.is_branch[premises.pipe]]
    metres = along[np.arange(len(axis)), axis] - town.streets.crossing_xy.min(axis=0)[axis]
    is_odd = premises.aside_m > 0
    numbers: Numbers = (2 * (metres // 14) + 2 - is_odd).astype(np.int64)
    return numbers


def _hydrants(town: Town) -> Iterator[str]:
    premises = town.premises
    name, pipe_id = _Ids("H", len(premises.hydrant_pipe)), _pipe_id(town)
    places = town.place(premises.hydrant_pipe, premises.hydrant_share).tolist()
    for row, pipe in enumerate(premises.hydrant_pipe.tolist()):
        flow = int(premises.hydrant_flow_l_s[row])
        properties = {"pipe": pipe_id(pipe), "flow_l_s": flow}
        yield _feature("hydrant", name(row), _point(places[row]), properties)


def _roads(town: Town) -> Iterator[str]:
    streets = town.streets
    open_road = np.flatnonzero(~streets.is_over_river | streets.has_pipe)
    name, titles = _Ids("R", len(open_road)), _streets(town)
    crossings = town.node_lon_lat[: len(streets.crossing_xy)].tolist()
    bends = lon_lat(streets.bend_xy[open_road]).tolist()
    ends, line = streets.ends[open_road].tolist(), streets.line[open_road].tolist()
    is_main = (streets.rank[open_road] == Rank.ARTERIAL).tolist()
    for row, (first, last) in enumerate(ends):
        yield _feature(
            "road",
            name(row),
            _line(crossings[first], bends[row], crossings[last]),
            {
                "name": titles[line[row]],
                "speed_kmh": 50 if is_main[row] else 30,
                "one_way": True if row % 37 == 5 and not is_main[row] else None,
                "closed": True if row % 101 == 60 else None,
            },
        )


def _depots(town: Town) -> Iterator[str]:
    streets = town.streets
    count = max(2, len(town.mains.ends) // 50_000)
    at = np.linspace(0, len(streets.crossing_xy) - 1, count + 2).astype(np.int64)[1:-1]
    for row, place in enumerate(town.node_lon_lat[at].tolist()):
        title = names.DEPOTS[row] if row < len(names.DEPOTS) else f"{names.TOWN}抢修站{row + 1}"
        spot = [round(place[0] + 0.0003, 7), round(place[1] + 0.0003, 7)]
        yield _feature("depot", f"D{row + 1}", _point(spot), {"name": title})


KINDS = (
    _nodes,
    _pipes,
    _valves,
    _pumps,
    _controls,
    _sources,
    _premises,
    _hydrants,
    _roads,
    _depots,
)
