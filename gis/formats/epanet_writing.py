"""
A network as an EPANET INP file, as far as that can carry it.

Isolation valves between two nodes become short pipes, open or closed; a pipe
with a closed valve on it is written closed. The findings say what is lost.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from gis.findings import Finding
from gis.formats.building import FormatError
from gis.topology import place

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gis.features import FeatureSet
    from gis.placement import Placement

_SECONDS_A_DAY = 86_400
_SHORTEST_M = 0.01
_LONGEST_ID = 31
_TANK_HEIGHT_M = 5.0
_HAZEN_WILLIAMS = 130.0
_DARCY_WEISBACH_MM = 0.25


def write_epanet(path: str | Path, features: FeatureSet) -> list[Finding]:
    """
    Write a network.

    Parameters
    ----------
    path
        The INP file.
    features
        The network; features without a place are placed first.

    Returns
    -------
    list
        What was lost or had to be made up.

    Raises
    ------
    FormatError
        If the features do not make a network.
    """
    placement = place(features)
    if placement.report.has_errors:
        raise FormatError(placement.report)
    with Path(path).open("w", encoding="utf-8", newline="\n") as file:
        return _Writing(placement, file).run()


class _Names:
    """Ids as EPANET allows them: 31 bytes without blanks, quotes and semicolons."""

    def __init__(self, ids: Iterable[str]) -> None:
        self.short: dict[str, str] = {}
        self.renamed = 0
        taken: set[str] = set()
        for identifier in sorted(set(ids)):
            name = re.sub(r"[\s;\"\[\]]", "_", identifier)
            while len(name.encode()) > _LONGEST_ID:
                name = name[:-1]
            number = 2
            base = name
            while name in taken:
                ending = f"~{number}"
                name = base[: _LONGEST_ID - len(ending)] + ending
                while len(name.encode()) > _LONGEST_ID:
                    base = base[:-1]
                    name = base + ending
                number += 1
            taken.add(name)
            self.renamed += name != identifier
            self.short[identifier] = name


class _Writing:
    """Writes section after section."""

    def __init__(self, placement: Placement, file: TextIO) -> None:
        self.placement = placement
        self.file = file
        self.lost: list[Finding] = []
        self.has_mm = any(pipe.roughness_mm is not None for pipe in placement.pipes)
        self.nodes = _Names(node.id for node in placement.nodes)
        self.link_valves = [
            row for row, ends in enumerate(placement.valve_ends.tolist()) if ends[0] >= 0
        ]
        links = [
            *placement.pipes,
            *(placement.valves[row] for row in self.link_valves),
            *placement.pumps,
            *placement.control_valves,
        ]
        self.pipe_ids = {pipe.id for pipe in placement.pipes}
        # EPANET has one set of names for all links; ours are apart by kind.
        self.links = _Names(self._key(link) for link in links)

    def run(self) -> list[Finding]:
        """Write the file, and tell what it cannot carry."""
        self._write_nodes()
        self._write_pipes()
        self._write_pumps()
        self._write_control_valves()
        self._write_places()
        self._section("OPTIONS", [])
        self.file.write(f" Units LPS\n Headloss {'D-W' if self.has_mm else 'H-W'}\n\n[END]\n")
        self._tell()
        return self.lost

    def _key(self, link: Any) -> str:  # noqa: ANN401
        is_taken = link.kind != "pipe" and link.id in self.pipe_ids
        return f"{link.kind}:{link.id}" if is_taken else str(link.id)

    def _section(self, name: str, rows: Iterable[Iterable[object]]) -> None:
        self.file.write(f"[{name}]\n")
        for row in rows:
            self.file.write(" " + "\t".join(_word(cell) for cell in row) + "\n")
        self.file.write("\n")

    def _node(self, row: int) -> str:
        return self.nodes.short[self.placement.nodes[row].id]

    def _write_nodes(self) -> None:
        placement = self.placement
        demand = self._demands()
        sources = dict(
            zip(placement.source_node.tolist()[::-1], placement.sources[::-1], strict=True)
        )
        self._section(
            "JUNCTIONS",
            (
                (self._node(row), node.elevation_m or 0.0, demand.get(row, 0.0))
                for row, node in enumerate(placement.nodes)
                if row not in sources
            ),
        )
        tanks = {row: source for row, source in sources.items() if source.type == "tank"}
        self._section(
            "RESERVOIRS",
            (
                (self._node(row), source.head_m or placement.nodes[row].elevation_m or 0.0)
                for row, source in sorted(sources.items())
                if row not in tanks
            ),
        )
        self._section("TANKS", (self._tank(row, tanks[row]) for row in sorted(tanks)))
        if len(sources) < len(placement.sources):
            self._lose("inp-lost", len(placement.sources) - len(sources), name="source")

    def _demands(self) -> dict[int, float]:
        """Give litres a second by node: the node's own, else those of its customers."""
        placement = self.placement
        found: dict[int, float] = defaultdict(float)
        fed: set[int] = set()
        for feed, customer_row in enumerate(placement.feed_customer.tolist()):
            if customer_row in fed:
                continue  # the first feed carries the demand
            fed.add(customer_row)
            customer = placement.customers[customer_row]
            each = customer.demand_l_per_property_day
            if each is None:
                continue
            row = int(placement.feed_node[feed])
            if row < 0:
                pipe = int(placement.feed_pipe[feed])
                is_late = placement.feed_at_m[feed] > placement.pipe_length_m[pipe] / 2
                row = int(placement.pipe_ends[pipe, int(is_late)])
            found[row] += each * customer.properties / _SECONDS_A_DAY
        for row, node in enumerate(placement.nodes):
            if node.demand_m3_day is not None:
                found[row] = node.demand_m3_day * 1000 / _SECONDS_A_DAY
        return found

    def _tank(self, row: int, tank: Any) -> tuple[object, ...]:  # noqa: ANN401
        node = self.placement.nodes[row]
        extra = tank.extra
        low, high = _number(extra, "min_level_m", 0.0), _number(extra, "max_level_m", 0.0)
        if high <= low:
            high = low + _TANK_HEIGHT_M
        volume = tank.volume_m3 or 100.0
        diameter = math.sqrt(4 * volume / (math.pi * (high - low)))
        level = min(max(_number(extra, "init_level_m", (low + high) / 2), low), high)
        height = node.elevation_m
        if height is None:
            height = 0.0 if tank.head_m is None else tank.head_m - level
        return self._node(row), height, level, low, high, diameter, 0.0

    def _write_pipes(self) -> None:
        placement = self.placement
        shut = {
            int(pipe)
            for pipe, valve in zip(placement.valve_pipe.tolist(), placement.valves, strict=True)
            if pipe >= 0 and valve.position == "closed"
        }
        rows: list[tuple[object, ...]] = []
        usual = _DARCY_WEISBACH_MM if self.has_mm else _HAZEN_WILLIAMS
        for row, pipe in enumerate(placement.pipes):
            is_open = pipe.status == "open" and row not in shut
            status = ("CV" if pipe.one_way else "Open") if is_open else "Closed"
            roughness = pipe.roughness_mm
            if roughness is None:
                # What a model brought along is in the unit of its own head loss formula.
                roughness = usual if self.has_mm else _number(pipe.extra, "roughness", usual)
            start, end = placement.pipe_ends[row].tolist()
            rows.append(
                (
                    self.links.short[pipe.id],
                    self._node(start),
                    self._node(end),
                    max(float(placement.pipe_length_m[row]), _SHORTEST_M),
                    pipe.diameter_mm,
                    roughness,
                    0,
                    status,
                )
            )
        for at in self.link_valves:
            valve = placement.valves[at]
            start, end = placement.valve_ends[at].tolist()
            rows.append(
                (
                    self.links.short[self._key(valve)],
                    self._node(start),
                    self._node(end),
                    0.1,
                    valve.diameter_mm or 150.0,
                    usual,
                    0,
                    "Closed" if valve.position == "closed" else "Open",
                )
            )
        self._section("PIPES", rows)
        self._lose("inp-valves-as-pipes", len(self.link_valves))
        self._lose("inp-lost", len(placement.valves) - len(self.link_valves), name="valve")

    def _write_pumps(self) -> None:
        pumps = self.placement.pumps
        names = [self.links.short[self._key(pump)] for pump in pumps]
        ends = self.placement.pump_ends.tolist()
        self._section(
            "PUMPS",
            (
                (name, self._node(start), self._node(end), "POWER", 10)
                for name, (start, end) in zip(names, ends, strict=True)
            ),
        )
        self._lose("inp-pump-power", len(pumps))
        self.closed = [
            name for name, pump in zip(names, pumps, strict=True) if pump.status == "closed"
        ]

    def _write_control_valves(self) -> None:
        valves = self.placement.control_valves
        names = [self.links.short[self._key(valve)] for valve in valves]
        rows = []
        for name, valve, (start, end) in zip(
            names, valves, self.placement.control_valve_ends.tolist(), strict=True
        ):
            setting = (valve.setting or 0.0) * (1000 if valve.type == "FCV" else 1)
            diameter = _number(valve.extra, "diameter_mm", 150.0)
            kind = valve.type or "TCV"
            rows.append((name, self._node(start), self._node(end), diameter, kind, setting, 0))
            if valve.status == "closed" or valve.position == "closed":
                self.closed.append(name)
        self._section("VALVES", rows)
        self._section("STATUS", ((name, "Closed") for name in sorted(self.closed)))

    def _write_places(self) -> None:
        placement = self.placement
        self._section(
            "COORDINATES",
            ((self._node(row), *node.geometry[0]) for row, node in enumerate(placement.nodes)),
        )
        self._section(
            "VERTICES",
            (
                (self.links.short[pipe.id], *point)
                for pipe in placement.pipes
                for point in pipe.geometry[1:-1]
            ),
        )

    def _tell(self) -> None:
        placement = self.placement
        self._lose("inp-customers-summed", len(placement.customers))
        for kind in ("hydrant", "road", "depot"):
            self._lose("inp-lost", len(getattr(placement, kind + "s")), name=kind)
        self._lose("inp-renamed", self.nodes.renamed + self.links.renamed)

    def _lose(self, code: str, count: int, **params: object) -> None:
        if count:
            params["count"] = count
            self.lost.append(Finding(code=code, severity="wrong", params=params))


def _number(extra: dict[str, Any], name: str, default: float) -> float:
    value = extra.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return default
    return float(value) if math.isfinite(value) else default


def _word(cell: object) -> str:
    return repr(round(cell, 12)) if isinstance(cell, float) else str(cell)
