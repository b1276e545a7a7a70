"""Small networks for tests, drawn as a list of pipes and what stands on them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from gis.network import DeviceFacts, DeviceKind, Network


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """
    A network in words.

    Pipes are "A-B" (A>B with a check at B), 100 m each; a valve is (pipe, metres)
    or a link "A-B"; a customer is (pipe, metres), several for several feeds.
    """

    pipes: list[str]
    valves: list[tuple[int, float] | str] = field(default_factory=list)
    sources: dict[str, float | None] = field(default_factory=dict)
    """Node, and None for works or m3 for a tank."""
    customers: list[list[tuple[int, float]]] = field(default_factory=list)
    closed: set[int] = field(default_factory=set)
    stuck: set[int] = field(default_factory=set)
    demand_l_day: float = 1000.0
    tank_m3: float = 0.0

    def network(self) -> Network:
        """Give the arrays."""
        links = [v for v in self.valves if isinstance(v, str)]
        ends = [p.replace(">", "-").split("-") for p in [*self.pipes, *links]]
        names = sorted({n for pair in ends for n in pair} | set(self.sources))
        row = {name: k for k, name in enumerate(names)}
        on_pipe = [v if isinstance(v, tuple) else None for v in self.valves]
        count = len(self.valves)
        feeds = [(k, *feed) for k, customer in enumerate(self.customers) for feed in customer]
        tanks = [volume is not None for volume in self.sources.values()]
        return Network(
            node_count=len(names),
            pipe_ends=_rows([[row[a], row[b]] for a, b in ends[: len(self.pipes)]], 2),
            pipe_length_m=np.full(len(self.pipes), 100.0),
            pipe_is_open=np.ones(len(self.pipes), dtype=np.bool_),
            pipe_is_one_way=np.array([">" in p for p in self.pipes], dtype=np.bool_),
            pipe_zone=_rows([-1] * len(self.pipes)),
            device_kind=np.full(count, DeviceKind.VALVE, dtype=np.int8),
            device_ends=_rows(
                [[-1, -1] if isinstance(v, tuple) else _link(v, row) for v in self.valves], 2
            ),
            device_pipe=_rows([v[0] if v else -1 for v in on_pipe]),
            device_at_m=np.array([v[1] if v else np.nan for v in on_pipe], dtype=np.float64),
            device_is_open=np.ones(count, dtype=np.bool_),
            device_boundary=np.zeros(count, dtype=np.bool_),
            device_rank=_rows(list(range(count))),
            facts=DeviceFacts(
                position=np.array([k in self.closed for k in range(count)], dtype=np.int8),
                operability=np.array([k in self.stuck for k in range(count)], dtype=np.int8),
                reachable=np.ones(count, dtype=np.bool_),
            ),
            source_node=_rows([row[name] for name in self.sources]),
            source_is_tank=np.array(tanks, dtype=np.bool_),
            source_has_inflow=np.ones(len(tanks), dtype=np.bool_),
            source_volume_m3=np.array(
                [np.nan if v is None else v for v in self.sources.values()], dtype=np.float64
            ),
            feed_premises=_rows([f[0] for f in feeds]),
            feed_pipe=_rows([f[1] for f in feeds]),
            feed_at_m=np.array([f[2] for f in feeds], dtype=np.float64),
            feed_node=_rows([-1] * len(feeds)),
            premises_properties=_rows([1] * len(self.customers)),
            premises_people=_rows([-1] * len(self.customers)),
            premises_is_critical=np.zeros(len(self.customers), dtype=np.bool_),
            premises_is_guessed=np.zeros(len(self.customers), dtype=np.bool_),
            premises_demand_l_day=np.full(len(self.customers), self.demand_l_day),
            premises_tank_m3=np.full(len(self.customers), self.tank_m3),
            hydrant_pipe=_rows([]),
            hydrant_at_m=np.zeros(0),
            hydrant_node=_rows([]),
        )


def _rows(
    values: object, columns: int | None = None
) -> np.ndarray[tuple[int, ...], np.dtype[np.int32]]:
    rows = np.array(values, dtype=np.int32)
    return rows.reshape(-1, columns) if columns else rows


def _link(valve: str, row: dict[str, int]) -> list[int]:
    start, end = valve.split("-")
    return [row[start], row[end]]
