"""The answers of `gis` in the same words as `brute_force`, with no database in between."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gis.criticality import Loss, find_segments, isolate_each, valve_losses
from gis.isolation import Break, Isolation, isolate
from gis.network import DeviceFacts, DeviceKind, Network, Operability, Position
from gis.refeed import find_refeeds
from gis.world import World
from tests.gis import brute_force

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tests.gis.brute_force import Json, Town

    Rows = np.ndarray[Any, np.dtype[np.int32]]

POSITIONS = {"open": Position.OPEN, "closed": Position.CLOSED, "unknown": Position.UNKNOWN}
OPERABILITIES = {
    "operable": Operability.OPERABLE,
    "inoperable": Operability.INOPERABLE,
    "unknown": Operability.UNKNOWN,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ids:
    """The id of each row, by kind."""

    nodes: list[str]
    pipes: list[str]
    devices: list[str]
    sources: list[str]
    customers: list[str]
    hydrants: list[str]


@dataclass(frozen=True, slots=True)
class Asked:
    """A world with the ids of its rows, ready to be asked."""

    world: World
    ids: Ids

    def rows(self, kind: str, names: Iterable[str]) -> Rows:
        """Give the rows of some ids."""
        ids: list[str] = getattr(self.ids, kind)
        return np.array([ids.index(name) for name in names], dtype=np.int32)


def ask(town: Town) -> Asked:
    """Make a world of a town, straight from its resolved places."""
    network, ids = network_of(town)
    return Asked(World.of(network), ids)


# ---- a town as arrays ----------------------------------------------------------------------------


def network_of(town: Town) -> tuple[Network, Ids]:
    """Write a town down as arrays, each kind in the order in which it lists it."""
    devices = [*town["valves"], *town["pumps"], *town["control_valves"]]
    kinds = [DeviceKind.VALVE] * len(town["valves"]) + [DeviceKind.PUMP] * len(town["pumps"])
    kinds += [
        DeviceKind.ISOLATING_CONTROL_VALVE if valve["isolates"] else DeviceKind.CONTROL_VALVE
        for valve in town["control_valves"]
    ]
    ids = Ids(
        nodes=[one["id"] for one in town["nodes"]],
        pipes=[one["id"] for one in town["pipes"]],
        devices=[one["id"] for one in devices],
        sources=[one["id"] for one in town["sources"]],
        customers=[one["id"] for one in town["customers"]],
        hydrants=[one["id"] for one in town["hydrants"]],
    )
    node = {name: row for row, name in enumerate(ids.nodes)} | {None: -1}
    pipe = {name: row for row, name in enumerate(ids.pipes)} | {None: -1}
    in_order = sorted(ids.devices)
    zones = ["east", "west"]
    pipes, sources, customers = town["pipes"], town["sources"], town["customers"]
    feeds = [(row, feed) for row, one in enumerate(customers) for feed in one["feeds"]]
    hydrants = town["hydrants"]
    return Network(
        node_count=len(ids.nodes),
        pipe_ends=_rows([(node[one["start_node"]], node[one["end_node"]]) for one in pipes], 2),
        pipe_length_m=_numbers([one["length_m"] for one in pipes]),
        pipe_is_open=_flags([one["status"] == "open" for one in pipes]),
        pipe_is_one_way=_flags([one["one_way"] for one in pipes]),
        pipe_zone=_rows([zones.index(one["zone"]) if one.get("zone") else -1 for one in pipes]),
        device_kind=_codes(kinds),
        device_ends=_rows(
            [(node[one.get("start_node")], node[one.get("end_node")]) for one in devices], 2
        ),
        device_pipe=_rows([pipe[one.get("pipe")] for one in devices]),
        device_at_m=_numbers([one.get("at_m") for one in devices]),
        device_is_open=_flags([one.get("status", "open") == "open" for one in devices]),
        device_boundary=_flags([one.get("boundary", False) for one in devices]),
        device_rank=_rows([in_order.index(name) for name in ids.devices]),
        facts=DeviceFacts(
            position=_codes([POSITIONS[one.get("position") or "open"] for one in devices]),
            operability=_codes(
                [OPERABILITIES[one.get("operability", "unknown")] for one in devices]
            ),
            reachable=_flags([one.get("reachable", True) for one in devices]),
        ),
        source_node=_rows([node[one["node"]] for one in sources]),
        source_is_tank=_flags([one["type"] == "tank" for one in sources]),
        source_has_inflow=_flags([one["inflow"] for one in sources]),
        source_volume_m3=_numbers([one["volume_m3"] for one in sources]),
        feed_premises=_rows([row for row, _ in feeds]),
        feed_pipe=_rows([pipe[feed.get("pipe")] for _, feed in feeds]),
        feed_at_m=_numbers([feed.get("at_m") for _, feed in feeds]),
        feed_node=_rows([node[feed.get("node")] for _, feed in feeds]),
        premises_properties=_rows([one["properties"] for one in customers]),
        premises_people=_rows([_or_unknown(one["people"]) for one in customers]),
        premises_is_critical=_flags([one["critical"] is not None for one in customers]),
        premises_is_guessed=_flags([one["is_guessed"] for one in customers]),
        premises_demand_l_day=_numbers([None] * len(customers)),
        premises_tank_m3=np.zeros(len(customers)),
        hydrant_pipe=_rows([pipe[one.get("pipe")] for one in hydrants]),
        hydrant_at_m=_numbers([one.get("at_m") for one in hydrants]),
        hydrant_node=_rows([node[one.get("node")] for one in hydrants]),
    ), ids


def _or_unknown(count: int | None) -> int:
    return -1 if count is None else count


def _rows(values: Sequence[Any], columns: int = 0) -> Rows:
    rows = np.array(values, dtype=np.int32)
    return rows.reshape(-1, columns) if columns else rows


def _numbers(values: Sequence[float | None]) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array([np.nan if one is None else one for one in values], dtype=np.float64)


def _flags(values: Sequence[bool]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    return np.array(values, dtype=np.bool_)


def _codes(values: Sequence[int]) -> np.ndarray[Any, np.dtype[np.int8]]:
    return np.array(values, dtype=np.int8)


# ---- answers in words ----------------------------------------------------------------------------


def answer(asked: Asked, broken: Break) -> Json:
    """Answer both ways where positions are unknown."""
    as_open = one_answer(asked, broken)
    as_closed = one_answer(Asked(asked.world.with_unknown_closed(), asked.ids), broken)
    differ = brute_force.lost_in(as_open) ^ brute_force.lost_in(as_closed)
    return {
        **as_open,
        "if_unknown_closed": None if as_closed == as_open else as_closed,
        "customers_differ": sorted(differ),
    }


def one_answer(asked: Asked, broken: Break) -> Json:
    """Answer with the positions as the world has them."""
    world, ids = asked.world, asked.ids
    found = isolate(world, broken)
    judged = found.has_sources

    def names(kind: str, rows: Rows) -> list[str]:
        every: list[str] = getattr(ids, kind)
        return sorted(every[row] for row in rows.tolist())

    return {
        "isolated": found.is_isolated,
        "valves_to_close": names("devices", found.valves_to_close),
        "valves_optional": names("devices", found.valves_optional),
        "valves_verify_shut": names("devices", found.valves_verify_shut),
        "pumps_to_stop": names("devices", found.pumps_to_stop),
        "sources_shut": names("sources", found.sources_shut),
        "pipes_shut": names("pipes", found.pipes_shut),
        "pipes_cut_off": names("pipes", found.pipes_cut_off) if judged else None,
        "customers": _customers(world.network, ids, found),
        "hydrants_dry": names("hydrants", found.hydrants_dry),
        "refeed": _refeed(asked, found) if judged else None,
    }


def _customers(network: Network, ids: Ids, found: Isolation) -> Json:
    lost = found.premises_lost
    people = network.premises_people[lost]

    def names(rows: Rows) -> list[str]:
        return sorted(ids.customers[row] for row in rows.tolist())

    return {
        "connections": lost.size,
        "properties": int(network.premises_properties[lost].sum()),
        "people": None if (people < 0).any() else int(people.sum()),
        "critical": names(lost[network.premises_is_critical[lost]]),
        "guessed": int(network.premises_is_guessed[lost].sum()),
        "shut": names(found.premises_shut),
        "cut_off": names(found.premises_cut_off) if found.has_sources else None,
        "already_dry": found.premises_already_dry.size if found.has_sources else None,
    }


def _refeed(asked: Asked, found: Isolation) -> list[Json]:
    return [
        {
            "valve": asked.ids.devices[row.device],
            "properties_regained": row.properties_regained,
            "crosses_boundary": row.crosses_boundary,
        }
        for row in find_refeeds(asked.world, found)
    ]


# ---- weak spots in words -------------------------------------------------------------------------


def weak_segments(asked: Asked) -> list[Json]:
    """List segments that hold a part or a node, in no order."""
    world, ids = asked.world, asked.ids
    blocks, network = world.blocks, world.network
    found = find_segments(world)
    of_vertex = found.of_block[blocks.of_vertex]
    rows = []
    for number, isolation in enumerate(isolate_each(world, found)):
        vertices = np.flatnonzero(of_vertex == number)
        parts = vertices[vertices >= blocks.nodes] - blocks.nodes
        parts = parts[parts < len(blocks.part_pipe)]
        if not parts.size and not (vertices < blocks.nodes).any():
            continue
        loss = Loss.of(network, isolation)
        judged = isolation.has_sources
        ring = np.concatenate([isolation.valves_to_close, isolation.valves_optional])
        rows.append(
            {
                "pipes": sorted({ids.pipes[row] for row in blocks.part_pipe[parts].tolist()}),
                "valves": sorted(ids.devices[row] for row in ring.tolist()),
                "length_m": float((blocks.part_end_m - blocks.part_start_m)[parts].sum()),
                "properties_shut": loss.properties_shut,
                "properties_cut_off": loss.properties_cut_off if judged else None,
                "properties_lost": loss.properties,
                "critical_lost": loss.critical,
            }
        )
    return rows


def weak_valves(asked: Asked) -> dict[str, tuple[int, int]]:
    """Give the loss if each valve fails, and how much of that is extra."""
    segments = find_segments(asked.world)
    isolations = isolate_each(asked.world, segments)
    losses = [Loss.of(asked.world.network, one) for one in isolations]
    return {
        asked.ids.devices[row.device]: (row.properties_lost, row.extra)
        for row in valve_losses(asked.world, segments, losses)
    }


def break_pipe(asked: Asked, pipe: str, at_m: float | None = None) -> Break:
    """Break a pipe by its id."""
    return Break(pipes=[(asked.ids.pipes.index(pipe), at_m)])
