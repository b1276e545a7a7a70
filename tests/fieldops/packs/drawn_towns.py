"""Towns drawn by hand in words, as a tablet carries them, with an outage to ask of."""

from __future__ import annotations

import atexit
import base64
import json
import subprocess
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gis.formats.pack import Pack, write_pack
from gis.packing import Topology, topology_of
from tests.gis.answer_of import Asked, ask

if TYPE_CHECKING:
    from collections.abc import Iterable

    Json = dict[str, Any]

SCRIPT = Path(__file__).with_name("ring_many.mjs")
KINDS = ("nodes", "pipes", "valves", "pumps", "control_valves", "sources", "customers", "hydrants")


@dataclass
class Drawn:
    """A town; `diameters` are of valves that are not DN 100, None for an unknown one."""

    town: Json = field(default_factory=lambda: {kind: [] for kind in KINDS})
    diameters: dict[str, float | None] = field(default_factory=dict)

    def pipe(self, name: str, ends: str, **more: object) -> Drawn:
        """Draw a pipe of 100 m between two nodes of one letter each, its customer in the middle."""
        known = {one["id"] for one in self.town["nodes"]}
        self.town["nodes"] += [{"id": end} for end in dict.fromkeys(ends) if end not in known]
        self.town["pipes"].append(
            {
                "id": name,
                "start_node": ends[0],
                "end_node": ends[1],
                "length_m": 100.0,
                "status": "open",
                "one_way": False,
                "zone": None,
            }
            | more
        )
        return self.customer(f"C{name}", name)

    def valve(self, name: str, pipe: str, at_m: float = 0.0, **more: object) -> Drawn:
        """Draw a valve on a pipe, open and known to work."""
        facts = {"position": "open", "operability": "operable", "reachable": True}
        self.town["valves"].append({"id": name, "pipe": pipe, "at_m": at_m, **facts} | more)
        return self

    def pump(self, name: str, ends: str) -> Drawn:
        """Draw a running pump between two nodes."""
        link = {"start_node": ends[0], "end_node": ends[1]}
        self.town["pumps"].append({"id": name, **link, "status": "open"})
        return self

    def source(self, name: str, node: str) -> Drawn:
        """Draw works at a node."""
        works = {"type": "treatment_plant", "inflow": True, "volume_m3": None}
        self.town["sources"].append({"id": name, "node": node, **works})
        return self

    def customer(
        self, name: str, *pipes: str, properties: int = 1, critical: str | None = None
    ) -> Drawn:
        """Draw a customer with a feed in the middle of each pipe."""
        self.town["customers"] = [one for one in self.town["customers"] if one["id"] != name]
        self.town["customers"].append(
            {
                "id": name,
                "feeds": [{"pipe": pipe, "at_m": 50.0} for pipe in pipes],
                "properties": properties,
                "people": 2,
                "critical": critical,
                "is_guessed": False,
            }
        )
        return self

    def pack(self, inside: Iterable[str] | None = None) -> str:
        """Bake it, whole or the pipes named, as base64."""
        made = ask(self.town)
        chosen = None if inside is None else np.isin(made.ids.pipes, list(inside))
        topology = topology_of(made.world, chosen)
        return base64.b64encode(write_pack(self._pack(made, topology))).decode()

    def _pack(self, made: Asked, topology: Topology) -> Pack:
        ids, count = made.ids, len(topology.devices)
        names = [ids.devices[row] for row in topology.devices.tolist()]
        tables = ["valve"] * len(self.town["valves"]) + ["pump"] * len(self.town["pumps"])
        tables += ["control_valve"] * len(self.town["control_valves"])
        order = ("valve", "pump", "control_valve")
        table = [order.index(tables[row]) for row in topology.devices.tolist()]
        sizes = [self.diameters.get(name, 100.0) for name in names]
        nothing = np.zeros(count)
        arrays = topology.arrays | {
            "device_table": np.array(table, dtype=np.uint8),
            "device_key": topology.devices.astype(np.float64),
            "device_lon": nothing,
            "device_lat": np.arange(count, dtype=np.float64) / 1000,
            "device_turns": np.full(count, 20, dtype=np.float32),
            "device_closes": np.ones(count, dtype=np.uint8),
            "device_diameter_mm": np.array(
                [np.nan if one is None else one for one in sizes], dtype=np.float32
            ),
            "device_is_assumed": np.zeros(count, dtype=np.uint8),
        }
        critical = [one["critical"] or "" for one in self.town["customers"]]
        texts = {
            "device_id": names,
            "device_type": [""] * count,
            "pipe_id": [ids.pipes[row] for row in topology.pipes.tolist()],
            "hydrant_id": [ids.hydrants[row] for row in topology.hydrants.tolist()],
            "source_id": [ids.sources[row] for row in topology.sources.tolist()],
            "premises_critical": [critical[row] for row in topology.premises.tolist()],
        }
        return Pack({"has_sources": topology.has_sources}, arrays, texts)


def worked(valve: str, state: str = "to_close", **more: object) -> Json:
    """Give a valve of an outage's plan as the tablet knows it."""
    facts = {"table": "valve", "role": "close", "position_before": "open", "accepted_by": None}
    return {"valve": valve, "state": state, **facts} | more


def outage(pipe: str | None, *valves: Json, **question: object) -> Json:
    """Give an outage of a pipe broken in its middle, or of what the question says."""
    names = ("valves", "nodes", "hydrants", "closed", "inoperable", "unreachable", "opened")
    asked: Json = {name: [] for name in names}
    asked["pipes"] = [[pipe, 50.0]] if pipe else []
    return {
        "id": "O-1",
        "pipe": pipe,
        "at_m": 50.0,
        "question": asked | question,
        "valves": list(valves),
    }


def ring(pack: str, job: Json, stuck: str, **known: object) -> Json:
    """Ask the tablet for the next ring."""
    return tablet({"pack": pack, "outage": job, "stuck": stuck, "known": known})


@cache
def _program() -> subprocess.Popen[str]:
    """Start the tablet's program once, for to start it takes longer than to ask it."""
    program = subprocess.Popen(
        ["node", str(SCRIPT)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    atexit.register(program.communicate)
    return program


def tablet(question: Json) -> Json:
    """Ask the tablet's program something."""
    program = _program()
    assert program.stdin is not None
    assert program.stdout is not None
    program.stdin.write(f"{json.dumps(question)}\n")
    program.stdin.flush()
    found: Json = json.loads(program.stdout.readline())
    return found


def names(cards: Iterable[Json]) -> list[str]:
    """Name the valves of a list, by id."""
    return sorted(one["valve"] for one in cards)
