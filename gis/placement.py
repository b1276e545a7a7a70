"""Features that know their places, and the network that they make."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gis.network import NONE, DeviceFacts, DeviceKind, Network, Operability, Position
from gis.segments import snap_places

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gis.features import (
        ControlValveFeature,
        CustomerFeature,
        DepotFeature,
        HydrantFeature,
        NodeFeature,
        PipeFeature,
        PumpFeature,
        RoadFeature,
        SourceFeature,
        ValveFeature,
    )
    from gis.findings import Report

    Rows = NDArray[np.int32]
    Numbers = NDArray[np.float64]
    Flags = NDArray[np.bool_]

_POSITIONS = {None: Position.OPEN, "open": Position.OPEN, "closed": Position.CLOSED}
_OPERABILITIES = {"operable": Operability.OPERABLE, "inoperable": Operability.INOPERABLE}


class PlacementError(ValueError):
    """The placement holds errors, so that no network can be made of it."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Placement:
    """
    The features of a network, each at its place.

    The lists hold the features themselves, filled in; the arrays hold the same places as row
    numbers into these lists (int32, -1 for none) for whoever wants millions of them.

    Attributes
    ----------
    nodes, pipes, valves, pumps, control_valves, sources, customers, hydrants, roads, depots
        The features. Nodes that had to be made come last among the nodes.
    report
        What was guessed and what is wrong; with errors the arrays are of no use.
    pipe_ends, pipe_length_m
        Node at start and end. Shape (pipes, 2) and (pipes,).
    valve_pipe, valve_at_m, valve_ends
        A valve on a pipe has a pipe and a place, a link has two ends, one on no pipe has neither.
        Shape (valves,), (valves,) and (valves, 2).
    pump_ends, control_valve_ends
        Shape (pumps, 2) and (control valves, 2).
    source_node
        Shape (sources,).
    feed_customer, feed_pipe, feed_at_m, feed_node, feed_is_guessed
        One row a feed, in the order of the customers. Shape (feeds,).
    hydrant_pipe, hydrant_at_m, hydrant_node
        Shape (hydrants,).
    """

    nodes: list[NodeFeature]
    pipes: list[PipeFeature]
    valves: list[ValveFeature]
    pumps: list[PumpFeature]
    control_valves: list[ControlValveFeature]
    sources: list[SourceFeature]
    customers: list[CustomerFeature]
    hydrants: list[HydrantFeature]
    roads: list[RoadFeature]
    depots: list[DepotFeature]
    report: Report
    pipe_ends: Rows
    pipe_length_m: Numbers
    valve_pipe: Rows
    valve_at_m: Numbers
    valve_ends: Rows
    pump_ends: Rows
    control_valve_ends: Rows
    source_node: Rows
    feed_customer: Rows
    feed_pipe: Rows
    feed_at_m: Numbers
    feed_node: Rows
    feed_is_guessed: Flags
    hydrant_pipe: Rows
    hydrant_at_m: Numbers
    hydrant_node: Rows


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkIds:
    """
    The id of every row of a `Network`.

    Attributes
    ----------
    devices
        Valves first, then pumps, then control valves; valves on no pipe are in no network.
    device_kinds
        "valve", "pump" or "control_valve" of each.
    """

    nodes: list[str]
    pipes: list[str]
    devices: list[str]
    device_kinds: list[str]
    sources: list[str]
    customers: list[str]
    hydrants: list[str]


def network_of(placement: Placement) -> tuple[Network, NetworkIds]:
    """
    Make the network of placed features.

    Returns
    -------
    tuple
        The network, its rows in the order of the placement's lists, and the ids of its rows.

    Raises
    ------
    PlacementError
        If the placement's report holds an error.
    """
    if placement.report.has_errors:
        raise PlacementError(str(placement.report.errors[0]))
    placed = np.flatnonzero((placement.valve_pipe >= 0) | (placement.valve_ends[:, 0] >= 0))
    ids = _ids(placement, placed.tolist())
    columns: dict[str, Any] = {
        **_pipes(placement),
        **_devices(placement, placed.astype(np.int32), ids.devices),
        **_sources(placement),
        **_premises(placement),
    }
    network = Network(
        node_count=len(placement.nodes),
        **columns,
        hydrant_pipe=placement.hydrant_pipe,
        hydrant_at_m=placement.hydrant_at_m,
        hydrant_node=placement.hydrant_node,
    )
    return network, ids


def cuts_m(
    length_m: Numbers, pipe: Rows, at_m: Numbers, snap_m: float = 0.5
) -> tuple[Rows, Numbers]:
    """
    Give the places where valves cut pipes in two, by the rule of `gis.segments`.

    Parameters
    ----------
    length_m
        Length of every pipe. Shape (pipes,).
    pipe, at_m
        Pipe and place of every valve on a pipe. Shape (valves,).
    snap_m
        Valves so near to a pipe's end lie at the end and cut nothing.

    Returns
    -------
    tuple
        Pipe and place of each cut, sorted, each place once. Shape (cuts,).
    """
    places, ends = snap_places(length_m[pipe], at_m, snap_m)
    is_cut = ends < 0
    pairs = np.unique(np.column_stack([pipe[is_cut], places[is_cut]]), axis=0).reshape(-1, 2)
    return pairs[:, 0].astype(np.int32), pairs[:, 1]


def _ids(placement: Placement, placed: list[int]) -> NetworkIds:
    valves = [placement.valves[row].id for row in placed]
    pumps = [pump.id for pump in placement.pumps]
    control_valves = [valve.id for valve in placement.control_valves]
    return NetworkIds(
        nodes=[node.id for node in placement.nodes],
        pipes=[pipe.id for pipe in placement.pipes],
        devices=valves + pumps + control_valves,
        device_kinds=["valve"] * len(valves)
        + ["pump"] * len(pumps)
        + ["control_valve"] * len(control_valves),
        sources=[source.id for source in placement.sources],
        customers=[customer.id for customer in placement.customers],
        hydrants=[hydrant.id for hydrant in placement.hydrants],
    )


def _pipes(placement: Placement) -> dict[str, Rows | Numbers | Flags]:
    pipes = placement.pipes
    numbers: dict[str | None, int] = {None: NONE}
    for zone in sorted({pipe.zone for pipe in pipes if pipe.zone is not None}):
        numbers[zone] = len(numbers) - 1
    return {
        "pipe_ends": placement.pipe_ends,
        "pipe_length_m": placement.pipe_length_m,
        "pipe_is_open": np.array([pipe.status == "open" for pipe in pipes], dtype=bool),
        "pipe_is_one_way": np.array([pipe.one_way for pipe in pipes], dtype=bool),
        "pipe_zone": np.array([numbers[pipe.zone] for pipe in pipes], dtype=np.int32),
    }


def _devices(placement: Placement, placed: Rows, ids: list[str]) -> dict[str, object]:
    valves = [placement.valves[row] for row in placed.tolist()]
    pumps, control_valves = placement.pumps, placement.control_valves
    switched: list[PumpFeature | ControlValveFeature] = [*pumps, *control_valves]
    kinds = [DeviceKind.VALVE] * len(valves) + [DeviceKind.PUMP] * len(pumps)
    kinds += [
        DeviceKind.ISOLATING_CONTROL_VALVE if valve.isolates else DeviceKind.CONTROL_VALVE
        for valve in control_valves
    ]
    manned: list[ValveFeature | ControlValveFeature | None] = [
        *valves,
        *(None for _ in pumps),
        *control_valves,
    ]
    rank = np.empty(len(ids), dtype=np.int32)
    rank[sorted(range(len(ids)), key=ids.__getitem__)] = np.arange(len(ids), dtype=np.int32)
    nowhere = np.full(len(switched), NONE, dtype=np.int32)
    return {
        "device_kind": np.array(kinds, dtype=np.int8),
        "device_ends": np.concatenate(
            [placement.valve_ends[placed], placement.pump_ends, placement.control_valve_ends]
        ),
        "device_pipe": np.concatenate([placement.valve_pipe[placed], nowhere]),
        "device_at_m": np.concatenate(
            [placement.valve_at_m[placed], np.full(len(switched), np.nan)]
        ),
        "device_is_open": np.array(
            [True] * len(valves) + [link.status == "open" for link in switched], dtype=bool
        ),
        "device_boundary": np.array([m is not None and m.boundary for m in manned], dtype=bool),
        "device_rank": rank,
        "facts": DeviceFacts(
            position=np.array(
                [
                    Position.OPEN if m is None else _POSITIONS.get(m.position, Position.UNKNOWN)
                    for m in manned
                ],
                dtype=np.int8,
            ),
            operability=np.array(
                [
                    Operability.UNKNOWN
                    if m is None
                    else _OPERABILITIES.get(m.operability, Operability.UNKNOWN)
                    for m in manned
                ],
                dtype=np.int8,
            ),
            reachable=np.array([m is None or m.reachable for m in manned], dtype=bool),
        ),
    }


def _sources(placement: Placement) -> dict[str, Rows | Numbers | Flags]:
    sources = placement.sources
    return {
        "source_node": placement.source_node,
        "source_is_tank": np.array([source.type == "tank" for source in sources], dtype=bool),
        "source_has_inflow": np.array([source.inflow for source in sources], dtype=bool),
        "source_volume_m3": _numbers([source.volume_m3 for source in sources]),
    }


def _premises(placement: Placement) -> dict[str, Rows | Numbers | Flags]:
    customers = placement.customers
    properties = np.array([customer.properties for customer in customers], dtype=np.int32)
    tanks = _numbers([customer.building_tank_m3 for customer in customers])
    each = _numbers([customer.demand_l_per_property_day for customer in customers])
    return {
        "feed_premises": placement.feed_customer,
        "feed_pipe": placement.feed_pipe,
        "feed_at_m": placement.feed_at_m,
        "feed_node": placement.feed_node,
        "premises_properties": properties,
        "premises_people": np.array(
            [NONE if customer.people is None else customer.people for customer in customers],
            dtype=np.int32,
        ),
        "premises_is_critical": np.array(
            [customer.critical is not None for customer in customers], dtype=bool
        ),
        "premises_is_guessed": np.array(
            [customer.is_guessed for customer in customers], dtype=bool
        ),
        "premises_demand_l_day": each * properties,
        "premises_tank_m3": np.nan_to_num(tanks, nan=0.0),
    }


def _numbers(values: list[float | None]) -> Numbers:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
