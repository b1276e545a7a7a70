"""The science of the tablet run beside Python's: the same towns, asked the same."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gis.isolation import isolate
from gis.network import Operability, Position

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gis.isolation import Break, Isolation
    from gis.world import World

    Json = dict[str, Any]

SCRIPT = Path(__file__).with_name("isolate_many.mjs")
SUPPOSED = ("opened", "inoperable", "unreachable", "closed")


def topology_of(world: World) -> Json:
    """Write down what the tablet reads: the network taken apart at its devices."""
    network, blocks, members = world.network, world.blocks, world.members
    arrays = {
        "edge_blocks": blocks.edge_blocks.ravel(),
        "edge_is_dead": blocks.edge_is_dead,
        "edge_is_one_way": blocks.edge_is_one_way,
        "device_kind": network.device_kind,
        "device_boundary": network.device_boundary,
        "pipe_length_m": network.pipe_length_m,
        "pipe_is_open": network.pipe_is_open,
        "first_part": blocks.first_part,
        "part_end_m": blocks.part_end_m,
        "part_block": blocks.of_vertex[blocks.nodes : blocks.nodes + len(blocks.part_pipe)],
        "node_block": blocks.of_vertex[: blocks.nodes],
        "hydrant_block": members.hydrant_block,
        "source_block": members.source_block,
        "feed_premises": network.feed_premises,
        "feed_block": members.feed_block,
        "premises_properties": network.premises_properties,
        "premises_is_critical": network.premises_is_critical,
    }
    return {"block_count": blocks.count, **{name: _plain(each) for name, each in arrays.items()}}


def facts_of(world: World) -> Json:
    """Write down what is known of the devices."""
    facts = world.facts
    arrays = {
        "position": facts.position,
        "operability": facts.operability,
        "reachable": facts.reachable,
        "is_open": world.is_open,
    }
    return {name: _plain(each) for name, each in arrays.items()}


def _plain(values: np.ndarray[Any, Any]) -> list[Any]:
    plain = values.astype(np.int8) if values.dtype == np.bool_ else values
    rows: list[Any] = plain.tolist()
    return rows


def question(world: World, broken: Break, supposed: dict[str, list[int]]) -> Json:
    """Write down a question for the tablet."""
    places: list[Json] = [{"pipe": pipe, "at_m": at_m} for pipe, at_m in broken.pipes]
    places += [{"node": row} for row in broken.nodes]
    places += [{"device": row} for row in broken.devices]
    places += [{"hydrant": row} for row in broken.hydrants]
    return {
        "topology": topology_of(world),
        "facts": facts_of(world),
        "broken": {"places": places},
        "supposed": {**supposed, "closed": [int(row) for row in broken.closing]},
    }


def ask_tablet(questions: Iterable[Json]) -> list[Json]:
    """Ask the tablet's program, started once, all of these."""
    lines = "".join(f"{json.dumps(one)}\n" for one in questions)
    done = subprocess.run(
        ["node", str(SCRIPT)], input=lines, capture_output=True, text=True, check=True, timeout=500
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def ask_python(world: World, broken: Break, supposed: dict[str, list[int]]) -> Json:
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
