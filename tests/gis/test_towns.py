"""Invented towns: the same from the same seed, and with every case in them."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from gis.formats.geojson import read_geojson
from gis.isolation import Break, isolate
from gis.network import DeviceKind, Operability, Position
from gis.placement import network_of
from gis.refeed import find_refeeds
from gis.topology import place
from gis.towns import SAMPLE_PIPES, SAMPLE_SEED, feature_lines, make_town, town_network
from gis.towns.premises import Critical
from gis.world import World

if TYPE_CHECKING:
    from gis.towns import Town

SAMPLE = Path(__file__).parents[2] / "sample_network.geojson"


def text_of(town: Town) -> str:
    """Write a town as a file would hold it."""
    return "".join(f"{line}\n" for line in feature_lines(town))


@pytest.fixture(scope="module")
def sample() -> Town:
    """Give the town that lies in the repository."""
    return make_town(SAMPLE_PIPES, SAMPLE_SEED)


@pytest.fixture(scope="module")
def features() -> list[dict[str, Any]]:
    """Read the properties of the sample's features, with the type of their geometry."""
    collection = json.loads(SAMPLE.read_text(encoding="utf-8"))
    return [f["properties"] | {"shape": f["geometry"]["type"]} for f in collection["features"]]


@pytest.fixture(scope="module")
def world(sample: Town) -> World:
    """Take the sample apart at its valves."""
    return World.of(sample.network())


def test_the_sample_in_the_repository_is_what_the_generator_makes(sample: Town) -> None:
    """Whoever changes the generator writes the sample again."""
    assert SAMPLE.read_text(encoding="utf-8") == text_of(sample)


def test_the_same_seed_gives_the_same_town_and_another_gives_another() -> None:
    """Nothing but the seed decides."""
    assert text_of(make_town(300, 5)) == text_of(make_town(300, 5))
    assert text_of(make_town(300, 5)) != text_of(make_town(300, 6))


@pytest.mark.parametrize("pipes", [250, 777, 5_003])
def test_a_town_has_exactly_as_many_pipes_as_were_asked_for(pipes: int) -> None:
    """Benchmarks by size need the size."""
    assert town_network(pipes, seed=2).pipe_count == pipes


def test_a_handful_of_pipes_is_no_town() -> None:
    """The message says how many are."""
    with pytest.raises(ValueError, match="at least 250 pipes, not 3"):
        make_town(3, 1)


def test_the_sample_has_about_400_pipes_and_2000_customers_and_every_kind(
    features: list[dict[str, Any]],
) -> None:
    """A stranger sees all there is."""
    count = Counter(f["kind"] for f in features)

    assert (count["pipe"], count["customer"]) == (400, 2000)
    assert set(count) == {
        *("node", "pipe", "valve", "pump", "control_valve"),
        *("source", "customer", "hydrant", "road", "depot"),
    }


CASES = {
    "a valve on a pipe": {"kind": "valve", "shape": "Point"},
    "a valve as a link": {"kind": "valve", "shape": "LineString"},
    "a stuck valve": {"kind": "valve", "operability": "inoperable"},
    "an unreachable valve": {"kind": "valve", "reachable": False},
    "a valve of unknown position": {"kind": "valve", "position": "unknown"},
    "a valve of unknown operability": {"kind": "valve", "operability": "unknown"},
    "a closed boundary valve": {"kind": "valve", "position": "closed", "boundary": True},
    "a works": {"kind": "source", "type": "treatment_plant"},
    "a tank": {"kind": "source", "type": "tank", "volume_m3": 600.0},
    "a running pump": {"kind": "pump", "status": "open"},
    "a check valve": {"kind": "pipe", "one_way": True},
    "a pressure-reducing valve": {"kind": "control_valve", "type": "PRV"},
    "a control valve that isolates": {"kind": "control_valve", "isolates": True},
    "a hospital": {"kind": "customer", "critical": "hospital"},
    "a dialysis centre": {"kind": "customer", "critical": "dialysis"},
    "a school": {"kind": "customer", "critical": "school"},
    "a closed road": {"kind": "road", "closed": True},
    "a one-way road": {"kind": "road", "one_way": True},
    "a pipe under the river's bridge": {"kind": "pipe", "laying": "过河管"},
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_sample_holds(case: dict[str, Any], features: list[dict[str, Any]]) -> None:
    """Every case of the exchange format has an example."""
    assert any(case.items() <= f.items() for f in features)


def test_some_facts_are_left_out_as_in_real_records(features: list[dict[str, Any]]) -> None:
    """The report of an import has something to say."""
    valves = [f for f in features if f["kind"] == "valve"]
    customers = [f for f in features if f["kind"] == "customer"]

    assert any("position" not in f for f in valves)
    assert any("pipe" not in f for f in customers)
    assert any("people" not in f for f in customers)
    assert any("building_tank_m3" in f for f in customers)
    assert any("start_node" not in f for f in features if f["kind"] == "pipe")
    assert any("fixed_points" in f and "last_exercised_on" in f for f in valves)


def test_two_valves_stand_in_one_place(sample: Town) -> None:
    """They are in series by the text order of their ids."""
    places = Counter(
        (int(pipe), round(at, 3))
        for pipe, at in zip(sample.fittings.valve_beside, sample.valve_at_m, strict=True)
        if not np.isnan(at)
    )

    assert max(places.values()) == 2


def test_the_file_is_read_without_a_fault_and_as_the_arrays_say(sample: Town) -> None:
    """The arrays of a benchmark are the network that its file would give."""
    placement = place(read_geojson(SAMPLE))
    report, read, made = placement.report, network_of(placement)[0], sample.network()

    assert not report.has_errors
    assert report.total("wrong") == 0
    assert read.pipe_ends.tolist() == made.pipe_ends.tolist()
    assert np.allclose(read.pipe_length_m, made.pipe_length_m, atol=1e-3)
    assert read.device_kind.tolist() == made.device_kind.tolist()
    assert read.device_ends.tolist() == made.device_ends.tolist()
    assert read.device_pipe.tolist() == made.device_pipe.tolist()
    assert np.allclose(read.device_at_m, made.device_at_m, atol=0.02, equal_nan=True)
    assert read.device_rank.argsort().tolist() == made.device_rank.argsort().tolist()
    assert read.source_node.tolist() == made.source_node.tolist()
    assert sum(World.of(read).feeder < 0) == sum(World.of(made).feeder < 0)


def test_everybody_has_supply_and_a_broken_pipe_costs_few_of_them(world: World) -> None:
    """A town in which every break is a disaster would show nothing."""
    properties = world.network.premises_properties
    losses = [
        properties[isolate(world, Break(pipes=[(pipe, None)])).premises_lost].sum()
        for pipe in range(world.network.pipe_count)
    ]

    assert (world.feeder != -1).all()
    assert max(losses) < 0.1 * properties.sum()
    assert 0 < np.median(losses) < 0.02 * properties.sum()


def test_the_hospital_has_water_while_one_of_its_feeds_has(sample: Town, world: World) -> None:
    """Two feeds from two streets."""
    hospital = int(np.flatnonzero(sample.premises.critical == Critical.HOSPITAL)[0])
    feeds = [int(sample.premises.pipe[hospital]), int(sample.premises.second_pipe[hospital])]

    for pipe in feeds:
        assert hospital not in isolate(world, Break(pipes=[(pipe, None)])).premises_lost
    both = isolate(world, Break(pipes=[(pipe, None) for pipe in feeds]))
    assert hospital in both.premises_lost


def test_some_answer_hangs_on_the_valve_of_unknown_position(world: World) -> None:
    """The second answer is there to be seen."""
    closed = world.with_unknown_closed()

    def lost(world: World, pipe: int) -> set[int]:
        return set(isolate(world, Break(pipes=[(pipe, None)])).premises_lost.tolist())

    assert any(lost(world, pipe) != lost(closed, pipe) for pipe in range(400))


def test_some_break_can_be_refed_across_a_zone_boundary(world: World) -> None:
    """A closed boundary valve is worth something to those cut off."""
    answers = [isolate(world, Break(pipes=[(pipe, None)])) for pipe in range(400)]

    assert any(
        refeed.crosses_boundary and refeed.properties_regained
        for answer in answers
        for refeed in find_refeeds(world, answer)
    )


def test_a_city_has_valves_and_zones_as_cities_have() -> None:
    """About 0.7 valves a pipe, few of them mid-pipe, other pressures behind closed ones."""
    town = make_town(20_000, seed=4)
    network = town.network()
    is_valve = network.device_kind == DeviceKind.VALVE
    middle = (network.device_at_m > 1) & (
        network.device_at_m < network.pipe_length_m[network.device_pipe] - 1
    )

    assert 0.6 < is_valve.sum() / network.pipe_count < 0.8
    assert 0.01 < middle.sum() / is_valve.sum() < 0.06
    assert len(set(network.pipe_zone.tolist())) > 10
    assert (network.facts.position[network.device_boundary] == Position.CLOSED).all()
    assert (network.facts.operability == Operability.INOPERABLE).sum() > 100
    assert network.premises_count == network.pipe_count
    assert (World.of(network).feeder == -1).mean() < 0.01
