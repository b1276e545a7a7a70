"""The water network as arrays of rows."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from enum import IntEnum
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Rows = NDArray[np.int32]
    Numbers = NDArray[np.float64]
    Flags = NDArray[np.bool_]
    Codes = NDArray[np.int8]

NONE = -1
"""Row number that stands for "none", and count that stands for "unknown"."""


class NetworkError(ValueError):
    """The arrays do not describe a network."""


class DeviceKind(IntEnum):
    """What joins two blocks of pipes, other than a plain joint."""

    VALVE = 0
    PUMP = 1
    CONTROL_VALVE = 2
    ISOLATING_CONTROL_VALVE = 3


class Position(IntEnum):
    """Where the gate of an isolation valve stands."""

    OPEN = 0
    CLOSED = 1
    UNKNOWN = 2


class Operability(IntEnum):
    """Whether an isolation valve can be worked."""

    OPERABLE = 0
    INOPERABLE = 1
    UNKNOWN = 2


@dataclass(frozen=True, slots=True, eq=False)
class DeviceFacts:
    """
    The three facts of every device that change from day to day.

    They are facts of isolation valves and isolating control valves; the rows
    of pumps and plain control valves are carried and never read.

    Attributes
    ----------
    position
        A `Position` each. Shape (devices,).
    operability
        An `Operability` each. Shape (devices,).
    reachable
        Whether a crew can get at it now. Shape (devices,).
    """

    position: Codes
    operability: Codes
    reachable: Flags

    def changed(
        self,
        rows: Rows,
        *,
        position: Codes | int | None = None,
        operability: Codes | int | None = None,
        reachable: Flags | bool | None = None,
    ) -> Self:
        """Give a copy in which `rows` have other facts; what is None stays."""
        copy = {field.name: getattr(self, field.name).copy() for field in fields(self)}
        news = {"position": position, "operability": operability, "reachable": reachable}
        for name, value in news.items():
            if value is not None:
                copy[name][rows] = value
        return replace(self, **copy)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Network:
    """
    Pipes, the devices on and between them, sources, premises and hydrants.

    Everything is a row number (int32) into the arrays of its kind; -1 is
    "none", or "unknown" for a count. Lengths in metres, volumes in m3.

    Attributes
    ----------
    node_count
        Number of nodes.
    pipe_ends
        Node at start and end of each pipe. Shape (pipes, 2).
    pipe_length_m, pipe_is_open, pipe_is_one_way, pipe_zone
        Shape (pipes,). A one-way pipe has its check at its end, passing only
        towards the end node. Zones are numbered, -1 unknown.
    device_kind
        A `DeviceKind` each. Shape (devices,).
    device_ends
        Start and end node of a link, -1 for a valve on a pipe. Shape (devices, 2).
    device_pipe, device_at_m
        Pipe and place along it from its start, for a valve on a pipe; -1 and
        nan for a link. Shape (devices,).
    device_is_open
        Recorded status of pumps and control valves; True for valves. Shape (devices,).
    device_boundary
        Whether the device parts two supply zones. Shape (devices,).
    device_rank
        Place of the device's id in text order: the order of valves at one place. Shape (devices,).
    facts
        Position, operability and reachability as recorded.
    source_node, source_is_tank, source_has_inflow, source_volume_m3
        Shape (sources,). Volume nan where unknown.
    feed_premises, feed_pipe, feed_at_m, feed_node
        One row a feed: the premises, and either a pipe with a place or a node. Shape (feeds,).
    premises_properties, premises_people, premises_is_critical, premises_is_guessed,
    premises_demand_l_day, premises_tank_m3
        Shape (premises,). People -1 and demand nan where unknown; tank 0 for none.
    hydrant_pipe, hydrant_at_m, hydrant_node
        Shape (hydrants,). Either pipe and place, or node.
    """

    node_count: int
    pipe_ends: Rows
    pipe_length_m: Numbers
    pipe_is_open: Flags
    pipe_is_one_way: Flags
    pipe_zone: Rows
    device_kind: Codes
    device_ends: Rows
    device_pipe: Rows
    device_at_m: Numbers
    device_is_open: Flags
    device_boundary: Flags
    device_rank: Rows
    facts: DeviceFacts
    source_node: Rows
    source_is_tank: Flags
    source_has_inflow: Flags
    source_volume_m3: Numbers
    feed_premises: Rows
    feed_pipe: Rows
    feed_at_m: Numbers
    feed_node: Rows
    premises_properties: Rows
    premises_people: Rows
    premises_is_critical: Flags
    premises_is_guessed: Flags
    premises_demand_l_day: Numbers
    premises_tank_m3: Numbers
    hydrant_pipe: Rows
    hydrant_at_m: Numbers
    hydrant_node: Rows

    def __post_init__(self) -> None:
        """Refuse arrays whose lengths or row numbers do not fit together."""
        self._check_lengths()
        self._check_rows("pipe_ends", self.node_count, may_be_none=False)
        self._check_rows("source_node", self.node_count, may_be_none=False)
        self._check_rows("feed_premises", self.premises_count, may_be_none=False)
        for name in ("device_ends", "feed_node", "hydrant_node"):
            self._check_rows(name, self.node_count, may_be_none=True)
        for name in ("device_pipe", "feed_pipe", "hydrant_pipe"):
            self._check_rows(name, self.pipe_count, may_be_none=True)

    @property
    def pipe_count(self) -> int:
        """Number of pipes."""
        return len(self.pipe_length_m)

    @property
    def device_count(self) -> int:
        """Number of valves, pumps and control valves together."""
        return len(self.device_kind)

    @property
    def premises_count(self) -> int:
        """Number of customers' connections."""
        return len(self.premises_properties)

    @property
    def hydrant_count(self) -> int:
        """Number of hydrants."""
        return len(self.hydrant_pipe)

    @property
    def source_count(self) -> int:
        """Number of works, reservoirs, wells and tanks."""
        return len(self.source_node)

    def _check_lengths(self) -> None:
        for name in ("pipe_ends", "device_ends"):
            shape = getattr(self, name).shape
            if len(shape) != 2 or shape[1] != 2:
                raise NetworkError(f"{name} has shape {shape}, expected (rows, 2)")
        counts = {
            "pipe": self.pipe_count,
            "device": self.device_count,
            "source": self.source_count,
            "feed": len(self.feed_premises),
            "premises": self.premises_count,
            "hydrant": self.hydrant_count,
        }
        arrays = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "node_count"}
        facts = arrays.pop("facts")
        arrays |= {f"device_{f.name}": getattr(facts, f.name) for f in fields(facts)}
        for name, array in arrays.items():
            expected = counts[name.split("_", 1)[0]]
            if len(array) != expected:
                raise NetworkError(f"{name} has {len(array)} rows, expected {expected}")

    def _check_rows(self, name: str, count: int, *, may_be_none: bool) -> None:
        rows = getattr(self, name)
        lowest = NONE if may_be_none else 0
        if rows.size and not lowest <= rows.min() <= rows.max() < count:
            raise NetworkError(f"{name} must lie in [{lowest}, {count})")
