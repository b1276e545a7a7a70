"""Packs: what a tablet carries is what the network is, whole or clipped to a district."""

from __future__ import annotations

import json
import random
import subprocess
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from fieldops.settings import CHECKOUT
from gis.floods import ROOT, UNSUPPLIED, flood
from gis.formats.pack import Pack, PackError, read_pack, write_pack
from gis.packing import (
    BEYOND_DRY,
    BEYOND_SUPPLIED,
    INSIDE,
    OUTSIDE,
    OUTSIDE_DRY,
    Topology,
    topology_of,
)
from gis.segments import Groups
from gis.world import edge_state
from tests.gis.answer_of import ask
from tests.gis.random_towns import make_town

if TYPE_CHECKING:
    from pathlib import Path

    from gis.world import World

TOWNS = 200


Flags = np.ndarray[Any, np.dtype[np.bool_]]


def some_world(seed: int) -> tuple[World, Flags]:
    """Make a random town, and choose some of its pipes."""
    asked = ask(make_town(seed))
    dice = random.Random(seed)  # noqa: S311
    count = asked.world.network.pipe_count
    return asked.world, np.array([dice.random() < 0.5 for _ in range(count)], dtype=np.bool_)


@pytest.fixture(scope="module")
def towns() -> list[tuple[World, Flags]]:
    """Make random towns, each with the pipes of a district."""
    return [some_world(seed) for seed in range(TOWNS)]


def supply_in(pack: Topology, world: World) -> Flags:
    """Let the water of a pack run, from its sources and from beyond its edge."""
    arrays = pack.arrays
    ends = arrays["edge_blocks"].reshape(-1, 2)
    one_way = np.where(arrays["edge_is_one_way"], 1, 3)
    state = np.where(arrays["edge_is_dead"], 0, one_way).astype(np.int8)
    state[: len(pack.devices)] = world.state[pack.devices]
    roots = np.flatnonzero(arrays["block_beyond"] == BEYOND_SUPPLIED)
    seeds = np.unique(np.concatenate([arrays["source_block"], roots])).astype(np.int32)
    feeder = np.full(len(arrays["block_beyond"]), UNSUPPLIED, dtype=np.int32)
    feeder[seeds] = ROOT
    start = arrays["block_edge_start"].astype(np.int64)
    flood(start, arrays["block_edges"], ends, state, seeds, feeder)
    supplied: Flags = feeder != UNSUPPLIED
    return supplied


def test_a_whole_pack_is_the_world_itself(towns: list[tuple[World, Flags]]) -> None:
    """Every row keeps its number, and nothing leads out."""
    for world, _ in towns:
        network, members, arrays = world.network, world.members, topology_of(world).arrays
        feeds = members.feeds_of_premises.members

        assert np.array_equal(arrays["edge_blocks"], world.blocks.edge_blocks.ravel())
        assert np.array_equal(arrays["block_edges"], world.edges.members)
        assert np.array_equal(arrays["feed_block"], members.feed_block[feeds])
        assert np.array_equal(arrays["source_block"], members.source_block)
        assert np.array_equal(arrays["hydrant_block"], members.hydrant_block)
        assert np.array_equal(arrays["premises_properties"], network.premises_properties)
        assert not arrays["block_beyond"].any()
        assert not arrays["edge_is_pack_edge"].any()


def test_a_district_has_the_supply_of_the_whole(towns: list[tuple[World, Flags]]) -> None:
    """What comes in over the edge is neither forgotten nor made up."""
    for world, inside in towns:
        pack = topology_of(world, inside)
        arrays, blocks = pack.arrays, world.blocks
        of_part = blocks.of_vertex[blocks.nodes : blocks.nodes + len(blocks.part_pipe)]
        every = Groups(blocks.first_part, np.arange(len(of_part), dtype=np.int32))
        parts = every.of_blocks(pack.pipes)
        in_pack = arrays["part_block"]
        is_inside = in_pack >= 0
        is_inside[is_inside] = arrays["block_beyond"][in_pack[is_inside]] == INSIDE

        # Each pipe of the district is there, with all its parts inside.
        assert set(np.flatnonzero(inside).tolist()) <= set(pack.pipes.tolist())
        assert is_inside[inside[blocks.part_pipe[parts]]].all()
        was = world.feeder[of_part[parts]] != UNSUPPLIED
        now = supply_in(pack, world)
        assert np.array_equal(now[in_pack[is_inside]], was[is_inside])
        dry = arrays["block_beyond"] == BEYOND_DRY
        assert now[(arrays["block_beyond"] != INSIDE) & ~dry].all()
        assert not now[dry].any()


def test_feeds_outside_tell_whether_they_had_water(towns: list[tuple[World, Flags]]) -> None:
    """Whoever has another feed outside the pack must not be told to lose supply."""
    seen = set()
    for world, inside in towns:
        pack = topology_of(world, inside)
        feeds = world.members.feeds_of_premises.of_blocks(pack.premises)
        told, block = pack.arrays["feed_block"], world.members.feed_block[feeds]
        if not pack.premises.size:
            continue
        at = np.maximum(told, 0)
        has_water = np.where(told >= 0, supply_in(pack, world)[at], told == OUTSIDE)
        is_placed = block >= 0
        assert np.array_equal(told[~is_placed], block[~is_placed])
        had_water = world.feeder[block] != UNSUPPLIED
        assert np.array_equal(has_water[is_placed], had_water[is_placed])
        seen |= set(np.minimum(told, 0).tolist())
    assert seen >= {0, OUTSIDE, OUTSIDE_DRY}


def test_only_edges_to_beyond_lead_out(towns: list[tuple[World, Flags]]) -> None:
    """A pack edge has one block in the district and one beyond; no other touches one beyond."""
    seen = 0
    for world, inside in towns:
        arrays = topology_of(world, inside).arrays
        ends = arrays["edge_blocks"].reshape(-1, 2)[~arrays["edge_is_route"]]
        is_beyond = arrays["block_beyond"][ends] != INSIDE
        seen += int(arrays["edge_is_pack_edge"].sum())
        leads_out = arrays["edge_is_pack_edge"][~arrays["edge_is_route"]]
        assert np.array_equal(is_beyond.any(axis=1), leads_out)
        assert not is_beyond.all(axis=1).any()
    assert seen


def test_states_of_edges_can_be_told_from_a_pack() -> None:
    """Kind, status, position, operability and reach are all that an edge's state needs."""
    world, inside = some_world(3)
    pack = topology_of(world, inside)
    every = np.arange(len(world.state), dtype=np.int32)
    told = edge_state(world.network, world.blocks, world.facts, world.is_open, every)

    assert np.array_equal(told, world.state)
    for name in ("position", "operability", "reachable"):
        found = pack.arrays[f"device_{name}"]
        assert np.array_equal(found, getattr(world.facts, name)[pack.devices])


def test_texts_and_arrays_come_back_as_they_went() -> None:
    """Empty columns, Chinese and every type."""
    arrays = {
        "bytes": np.array([1, 2, 3], dtype=np.uint8),
        "flags": np.array([True, False]),
        "places": np.array([1.5, np.nan]),
        "rows": np.array([[1, -2], [3, 4]], dtype=np.int32),
        "short": np.array([0.5], dtype=np.float32),
        "none": np.zeros(0, dtype=np.int8),
    }
    texts = {"id": ["阀门2", "V10", "", "V1"], "empty": []}
    read = read_pack(write_pack(Pack({"name": "城东"}, arrays, texts)))

    assert read.about == {"name": "城东"}
    assert read.texts == texts
    for name, array in arrays.items():
        assert np.array_equal(read.arrays[name], array.ravel(), equal_nan=array.dtype.kind == "f")


def test_a_torn_pack_is_refused() -> None:
    """Half a file must not be taken for a small network."""
    whole = write_pack(Pack({}, {"rows": np.arange(100, dtype=np.int32)}, {}))
    for torn in (whole[:-1], whole[:9], whole + b"\0", b"x" + whole[1:], b""):
        with pytest.raises(PackError):
            read_pack(torn)


def test_a_pack_refuses_what_a_browser_cannot_read() -> None:
    """Whole numbers of 64 bits have no plain view, and two columns of one name no order."""
    with pytest.raises(PackError, match="int64"):
        write_pack(Pack({}, {"rows": np.arange(3, dtype=np.int64)}, {}))
    with pytest.raises(PackError, match="named"):
        write_pack(Pack({}, {"id_start": np.zeros(1, dtype=np.int32)}, {"id": []}))


JAVASCRIPT = """
import { readFileSync } from "node:fs";
import { countTexts, parsePack, partAt, rowOf, textAt } from "./pack_format.mjs";
const file = readFileSync("pack.topology");
const pack = parsePack(file.buffer.slice(file.byteOffset, file.byteOffset + file.length));
const columns = Object.fromEntries(Object.entries(pack.columns)
  .map(([name, column]) => [name, [...column].map((one) => Number.isNaN(one) ? null : one)]));
const ids = Array.from({ length: countTexts(pack, "pipe_id") },
  (_, row) => textAt(pack, "pipe_id", row));
let refused = "";
try { parsePack(file.buffer.slice(file.byteOffset, file.byteOffset + file.length - 8)); }
catch (error) { refused = error.name; }
console.log(JSON.stringify({ about: pack.about, columns, ids, refused,
  rows: [...ids, "?"].map((id) => rowOf(pack, "pipe_id", id)),
  parts: [0, 10, 10.0005, 10.002, 50, 90].map((at) => partAt(pack, 0, at)) }));
"""


def test_the_browser_reads_what_python_writes(tmp_path: Path) -> None:
    """The same numbers, texts and rows; a torn file is refused there, too."""
    arrays = {
        "pipe_first_part": np.array([0, 3], dtype=np.int32),
        "part_end_m": np.array([10.0, 50.0, 90.0]),
        "device_turns": np.array([12.5, np.nan], dtype=np.float32),
        "device_kind": np.array([0, 3, -1], dtype=np.int8),
        "is_dead": np.array([True]),
        "start": np.array([7], dtype=np.uint32),
    }
    ids = ["管10", "P2", "P10", "", "P1"]
    (tmp_path / "pack.topology").write_bytes(
        write_pack(Pack({"x": "东"}, arrays, {"pipe_id": ids}))
    )
    module = CHECKOUT / "fieldops/static/js/tablet/pack_format.js"
    (tmp_path / "pack_format.mjs").write_text(module.read_text())
    (tmp_path / "read.mjs").write_text(JAVASCRIPT)
    command = ["node", "read.mjs"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    read = json.loads(done.stdout)

    assert read["about"] == {"x": "东"}
    for name, array in arrays.items():
        expected = [None if one != one else one for one in array.tolist()]  # noqa: PLR0124 - nan
        assert read["columns"][name] == expected
    assert read["ids"] == ids
    assert read["rows"] == [0, 1, 2, 3, 4, -1]
    assert read["parts"] == [0, 0, 0, 1, 1, 2]
    assert read["refused"] == "RangeError"
