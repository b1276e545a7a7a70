"""Random towns with every trap: `gis` and the brute force must say the same of all of them."""

from __future__ import annotations

import json
import random
from pprint import pformat
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from gis.formats.geojson import parse_geojson
from gis.isolation import Break
from gis.placement import network_of as network_of_placement
from gis.topology import place
from gis.world import World
from tests.gis import answer_of, brute_force
from tests.gis.random_towns import features_of, make_town, metre_on, smaller

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.gis.answer_of import Asked
    from tests.gis.brute_force import Json, Town

    What = tuple[str, str, float | None]
    Differences = Callable[[Town], list[Any]]

SEEDS = st.integers(0, 2**48)


def on_random_towns(check: Callable[[int], None], examples: int) -> None:
    """Run a check on towns of as many seeds; a failure names its seed and how to run it again."""
    decide = settings(
        max_examples=examples,
        deadline=None,
        print_blob=True,
        phases=[Phase.reuse, Phase.generate],  # a seed does not shrink: `boil_down` does
        suppress_health_check=list(HealthCheck),
    )
    decide(given(seed=SEEDS)(check))()


def boil_down(town: Town, differences: Differences) -> str:
    """Take away from a town all that is not needed for it to differ, and print the rest."""

    def differs(smaller_town: Town) -> bool:
        try:
            return bool(differences(smaller_town))
        except (StopIteration, ValueError):
            return False  # what was broken is gone

    least: Town | None = town
    while least is not None:
        town = least
        least = next((one for one in smaller(town) if differs(one)), None)
    return f"{pformat(town, width=200)}\n{pformat(differences(town), width=150)}"


def differing(product: Json, oracle: Json) -> list[Any]:
    """List the fields in which two answers differ."""
    return [
        {"field": name, "gis": product.get(name), "brute force": oracle.get(name)}
        for name in sorted({*product, *oracle})
        if product.get(name) != oracle.get(name)
    ]


def anything(town: Town, dice: random.Random) -> What:
    """Choose something to break, most often a pipe at a place."""
    devices = [*town["valves"], *town["control_valves"], *town["pumps"]]
    pipe = dice.choice(town["pipes"])
    choices: list[What] = [
        ("pipe", pipe["id"], None),
        ("pipe", pipe["id"], metre_on(dice, pipe)),
        ("pipe", pipe["id"], metre_on(dice, pipe)),
        ("node", dice.choice(town["nodes"])["id"], None),
    ]
    on_pipes = [valve for valve in town["valves"] if valve.get("pipe")]
    if on_pipes:
        valve = dice.choice(on_pipes)
        choices.append(("pipe", valve["pipe"], valve["at_m"]))
    if devices:
        choices.append(("device", dice.choice(devices)["id"], None))
    if town["hydrants"]:
        choices.append(("hydrant", dice.choice(town["hydrants"])["id"], None))
    return dice.choice(choices)


def break_rows(asked: Asked, things: list[What]) -> Break:
    """Name broken things by their rows."""
    ids = asked.ids
    return Break(
        pipes=[(ids.pipes.index(one), at) for kind, one, at in things if kind == "pipe"],
        nodes=[ids.nodes.index(one) for kind, one, _ in things if kind == "node"],
        devices=[ids.devices.index(one) for kind, one, _ in things if kind == "device"],
        hydrants=[ids.hydrants.index(one) for kind, one, _ in things if kind == "hydrant"],
    )


def break_places(town: Town, things: list[What]) -> set[brute_force.Place]:
    """Name broken things by their places."""
    broken: set[brute_force.Place] = set()
    for kind, name, at_m in things:
        if kind == "pipe":
            broken |= brute_force.break_of_pipe(town, name, at_m)
        elif kind == "node":
            broken |= {("node", name)}
        elif kind == "device":
            broken |= brute_force.break_of_device(town, name)
        else:
            hydrant = brute_force.find(town["hydrants"], name)
            broken |= {brute_force.place_of(town, hydrant)}
    return broken


def compare(town: Town, things: list[What]) -> list[Any]:
    """Break the same things in both."""
    asked = answer_of.ask(town)
    product = answer_of.answer(asked, break_rows(asked, things))
    return differing(product, brute_force.answer(town, break_places(town, things)))


def compare_weak_spots(town: Town) -> list[Any]:
    """Ask both for every segment and every valve."""
    asked = answer_of.ask(town)
    rows = answer_of.weak_segments(asked)
    oracle = brute_force.weak_segments(town)

    def in_order(found: list[Json]) -> list[str]:
        """Sort rows, all but the segment's own name, which is the application's."""
        bare = [{name: row[name] for name in sorted(row) if name != "segment"} for row in found]
        return sorted(map(str, bare))

    return differing(
        {"segments": in_order(rows), "valves": answer_of.weak_valves(asked)},
        {"segments": in_order(oracle), "valves": brute_force.weak_valves(town)},
    )


def compare_on_the_map(town: Town, things: list[What]) -> list[Any]:
    """Draw a town, read and place it as an import does, and break the same things."""
    collection = {"type": "FeatureCollection", "features": features_of(town)}
    placement = place(parse_geojson(json.dumps(collection).encode()))
    network, ids = network_of_placement(placement)
    names = {name: getattr(ids, name) for name in answer_of.Ids.__dataclass_fields__}
    asked = answer_of.Asked(World.of(network), answer_of.Ids(**names))
    product = answer_of.answer(asked, break_rows(asked, things))
    return differing(product, brute_force.answer(town, break_places(town, things)))


def answers_agree(seed: int) -> None:
    """Break one thing, and sometimes two at once."""
    town, dice = make_town(seed), random.Random(seed)  # noqa: S311
    things = [anything(town, dice) for _ in range(dice.choice((1, 1, 1, 2)))]
    if compare(town, things):
        pytest.fail(f"seed {seed}: {things}\n{boil_down(town, lambda one: compare(one, things))}")


def drawn_answers_agree(seed: int) -> None:
    """Break one pipe of a town that was read from GeoJSON."""
    town, dice = make_town(seed, is_drawn=True), random.Random(seed)  # noqa: S311
    things = [anything(town, dice)]
    if compare_on_the_map(town, things):
        least = boil_down(town, lambda one: compare_on_the_map(one, things))
        pytest.fail(f"seed {seed}: {things}\n{least}")


def weak_spots_agree(seed: int) -> None:
    """Ask for all segments and valves of a town."""
    town = make_town(seed)
    if compare_weak_spots(town):
        pytest.fail(f"seed {seed}\n{boil_down(town, compare_weak_spots)}")


def test_every_answer_is_that_of_the_brute_force() -> None:
    """2,000 random towns, every field of every answer."""
    on_random_towns(answers_agree, 2000)


def test_weak_spots_are_those_of_the_brute_force() -> None:
    """Every segment and every valve of 200 random towns."""
    on_random_towns(weak_spots_agree, 200)


def test_a_town_read_from_its_map_gives_the_same_answers() -> None:
    """300 random towns through GeoJSON, where places come from points."""
    on_random_towns(drawn_answers_agree, 300)


@pytest.mark.long
def test_at_length() -> None:
    """50,000 towns more, with `--long`."""
    on_random_towns(answers_agree, 50_000)
    on_random_towns(weak_spots_agree, 5_000)
    on_random_towns(drawn_answers_agree, 10_000)


def test_the_towns_hold_every_trap() -> None:
    """What no town holds is compared with nothing."""
    towns = [make_town(seed) for seed in range(400)]

    def count(kind: str, is_one: Callable[[Json], bool]) -> int:
        return sum(1 for town in towns for one in town[kind] if is_one(one))

    traps = {
        "self-loop": count("pipes", lambda p: p["start_node"] == p["end_node"]),
        "closed pipe": count("pipes", lambda p: p["status"] == "closed"),
        "one-way pipe": count("pipes", lambda p: p["one_way"]),
        "short pipe": count("pipes", lambda p: p["length_m"] < 1),
        "link valve": count("valves", lambda v: "start_node" in v),
        "unknown position": count("valves", lambda v: v["position"] == "unknown"),
        "no position": count("valves", lambda v: v["position"] is None),
        "closed pump": count("pumps", lambda p: p["status"] == "closed"),
        "isolating control valve": count("control_valves", lambda c: c["isolates"]),
        "tank": count("sources", lambda s: s["type"] == "tank"),
        "several feeds": count("customers", lambda c: len(c["feeds"]) > 1),
        "no source": sum(1 for town in towns if not town["sources"]),
        "valves in series": sum(1 for town in towns if _has_series(town)),
        "parallel pipes": sum(1 for town in towns if _has_parallels(town)),
        "valve between pipe and check": sum(1 for town in towns if _has_valve_at_check(town)),
    }

    assert {name: found for name, found in traps.items() if found < 20} == {}


def _has_series(town: Town) -> bool:
    places = [(v["pipe"], v["at_m"]) for v in town["valves"] if "pipe" in v]
    return len(places) > len(set(places))


def _has_parallels(town: Town) -> bool:
    pairs = [frozenset((p["start_node"], p["end_node"])) for p in town["pipes"]]
    return len(pairs) > len(set(pairs))


def _has_valve_at_check(town: Town) -> bool:
    return any(p["one_way"] and brute_force.valves_at(town, p, "end") for p in town["pipes"])
