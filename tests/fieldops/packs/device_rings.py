"""The science of the tablet run beside Python's: the same towns, asked the same."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gis.formats.pack import Pack, write_pack
from gis.isolation import isolate
from gis.network import Operability, Position

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gis.isolation import Break, Isolation
    from gis.packing import Topology
    from gis.world import World

    Json = dict[str, Any]
    Supposed = dict[str, list[int]]

SCRIPT = Path(__file__).with_name("isolate_many.mjs")


def pack_of(topology: Topology) -> str:
    """Write the pack that a tablet downloads, as text for a line of JSON."""
    pack = Pack({"has_sources": topology.has_sources}, topology.arrays, {})
    return base64.b64encode(write_pack(pack)).decode()


def question(topology: Topology, broken: Break, supposed: Supposed) -> Json:
    """
    Write down a question for the tablet, in the rows of its pack.

    Raises
    ------
    KeyError
        If something named is not in the pack.
    """

    def rows(kind: str) -> dict[int, int]:
        return {old: new for new, old in enumerate(getattr(topology, kind).tolist())}

    pipes, devices, hydrants = rows("pipes"), rows("devices"), rows("hydrants")
    places: list[Json] = [{"pipe": pipes[pipe], "at_m": at_m} for pipe, at_m in broken.pipes]
    places += [{"device": devices[row]} for row in broken.devices]
    places += [{"hydrant": hydrants[row]} for row in broken.hydrants]
    others = {name: [devices[row] for row in each] for name, each in supposed.items()}
    closed = [devices[int(row)] for row in broken.closing]
    return {
        "pack": pack_of(topology),
        "broken": {"places": places},
        "supposed": {**others, "closed": closed},
    }


def ask_tablet(questions: Iterable[Json]) -> list[Json]:
    """Ask the tablet's program, started once, all of these."""
    lines = "".join(f"{json.dumps(one)}\n" for one in questions)
    done = subprocess.run(
        ["node", str(SCRIPT)], input=lines, capture_output=True, text=True, check=True, timeout=500
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def ask_python(world: World, broken: Break, supposed: Supposed) -> Json:
    """Ask `gis` the same, and answer in the tablet's words."""
    rows = {name: np.array(each, dtype=np.int32) for name, each in supposed.items()}
    if supposed.get("opened"):
        world = world.with_facts(rows["opened"], position=Position.OPEN, is_open=True)
    if supposed.get("inoperable"):
        world = world.with_facts(rows["inoperable"], operability=Operability.INOPERABLE)
    if supposed.get("unreachable"):
        world = world.with_facts(rows["unreachable"], reachable=False)
    return in_tablets_words(world, isolate(world, broken))


def in_tablets_words(world: World, found: Isolation) -> Json:
    """Say what Python found as the tablet does."""
    network = world.network
    lost = found.premises_lost

    def properties(premises: np.ndarray[Any, Any]) -> int:
        return int(network.premises_properties[premises].sum())

    return {
        "valves_to_close": found.valves_to_close.tolist(),
        "valves_optional": found.valves_optional.tolist(),
        "valves_verify_shut": found.valves_verify_shut.tolist(),
        "pumps_to_stop": found.pumps_to_stop.tolist(),
        "sources_on_segment": found.sources_shut.tolist(),
        "properties_shut": properties(found.premises_shut),
        "properties_cut_off": properties(found.premises_cut_off) if found.has_sources else None,
        "premises_shut": found.premises_shut.tolist(),
        "premises_cut_off": found.premises_cut_off.tolist(),
        "critical": lost[network.premises_is_critical[lost]].tolist(),
        "parts_shut": found.parts_shut.tolist(),
        "parts_cut_off": found.parts_cut_off.tolist(),
        "reaches_pack_edge": False,
        "has_sources": found.has_sources,
    }


def in_networks_rows(told: Json, topology: Topology, parts: Sequence[int]) -> Json:
    """Give a tablet's answer in the rows of the whole network; `parts` are those of its pack."""
    rows: dict[str, Sequence[int]] = {
        "valves_to_close": topology.devices.tolist(),
        "valves_optional": topology.devices.tolist(),
        "valves_verify_shut": topology.devices.tolist(),
        "pumps_to_stop": topology.devices.tolist(),
        "sources_on_segment": topology.sources.tolist(),
        "premises_shut": topology.premises.tolist(),
        "premises_cut_off": topology.premises.tolist(),
        "critical": topology.premises.tolist(),
        "parts_shut": parts,
        "parts_cut_off": parts,
    }
    return told | {name: [each[row] for row in told[name]] for name, each in rows.items()}


def differing(told: Sequence[Json], expected: Sequence[Json]) -> list[tuple[int, Json]]:
    """List the questions answered differently, with the fields that differ."""
    found = []
    for number, (mine, theirs) in enumerate(zip(told, expected, strict=True)):
        fields = {
            name: {"tablet": mine.get(name), "gis": theirs.get(name)}
            for name in sorted({*mine, *theirs})
            if mine.get(name) != theirs.get(name)
        }
        if fields:
            found.append((number, fields))
    return found
