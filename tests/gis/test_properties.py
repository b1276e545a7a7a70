"""What must hold of every answer, whatever the town."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gis.criticality import find_segments
from gis.intervals import block_intervals
from gis.isolation import Break, isolate
from gis.network import DeviceKind, Operability, Position
from gis.world import World
from tests.gis import answer_of, brute_force
from tests.gis.random_towns import make_town, metre_on
from tests.gis.test_against_brute_force import anything, break_places, break_rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from gis.isolation import Isolation
    from tests.gis.answer_of import Asked
    from tests.gis.brute_force import Json, Place, Town

on_seeds = given(seed=st.integers(0, 2**48))
enough = settings(max_examples=150, deadline=None, print_blob=True)


def roll(seed: int) -> random.Random:
    """Give dice of their own to a seed."""
    return random.Random(seed + 1)  # noqa: S311


def lost(asked: Asked, found: Isolation) -> set[str]:
    """Name who loses supply."""
    return {asked.ids.customers[row] for row in found.premises_lost.tolist()}


def wet_by(
    town: Town, closing: set[str], pumps: set[str], without: set[str] | None = None
) -> set[Place]:
    """Let the water run with some devices closed and some sources shut."""
    links = brute_force.links_of(town)
    chosen = [
        link
        for link in links
        if (link.kind in brute_force.VALVES and link.id in closing)
        or (link.kind == "pump" and link.id in pumps)
    ]
    running = [s for s in town["sources"] if s["id"] not in (without or set())]
    places: set[Place] = {("node", source["node"]) for source in running}
    return brute_force.supplied_by(brute_force.shut(links, chosen), places)


@on_seeds
@enough
def test_closing_the_valves_stops_the_water(seed: int) -> None:
    """With the valves closed, pumps stopped and sources on the segment shut, the break is dry."""
    town = make_town(seed)
    what = [anything(town, roll(seed))]
    asked = answer_of.ask(town)
    answer = answer_of.one_answer(asked, break_rows(asked, what))

    wet = wet_by(
        town,
        set(answer["valves_to_close"]),
        set(answer["pumps_to_stop"]),
        set(answer["sources_shut"]),
    )

    assert not wet & break_places(town, what)


@on_seeds
@enough
def test_every_valve_listed_is_needed(seed: int) -> None:
    """Whichever is left open, the break is wet."""
    town = make_town(seed)
    what = [anything(town, roll(seed))]
    asked = answer_of.ask(town)
    answer = answer_of.one_answer(asked, break_rows(asked, what))

    for valve in answer["valves_to_close"] if town["sources"] else []:
        others = set(answer["valves_to_close"]) - {valve}
        pumps, sources = set(answer["pumps_to_stop"]), set(answer["sources_shut"])
        assert wet_by(town, others, pumps, sources) & break_places(town, what)


@on_seeds
@enough
def test_the_outage_grows_with_what_is_closed(seed: int) -> None:
    """A valve closed besides takes supply from some, and gives it to nobody."""
    town, dice = make_town(seed), roll(seed)
    asked = answer_of.ask(town)
    closable = [
        row
        for row, link in enumerate([*town["valves"], *town["pumps"], *town["control_valves"]])
        if link.get("operability") != "inoperable" and link.get("reachable", True)
        if link.get("isolates", True)
    ]
    more = dice.sample(closable, min(len(closable), 3))
    pipes = [(dice.randrange(len(town["pipes"])), None)]

    outages = [
        lost(asked, isolate(asked.world, Break(pipes=pipes, closing=more[:count])))
        for count in range(len(more) + 1)
    ]

    assert all(less <= greater for less, greater in itertools.pairwise(outages))


@on_seeds
@enough
def test_more_that_breaks_takes_more(seed: int) -> None:
    """Two breaks at once lose whom either loses."""
    town, dice = make_town(seed), roll(seed)
    asked = answer_of.ask(town)
    one, other = anything(town, dice), anything(town, dice)

    def outage(*what: tuple[str, str, float | None]) -> set[str]:
        return lost(asked, isolate(asked.world, break_rows(asked, list(what))))

    assert outage(one) | outage(other) <= outage(one, other)


@on_seeds
@enough
def test_the_outage_of_a_failed_valve_contains_the_plans(seed: int) -> None:
    """Whichever valve will not close or cannot be got at, nobody of the plan gets off."""
    town = make_town(seed)
    asked = answer_of.ask(town)
    broken = break_rows(asked, [anything(town, roll(seed))])
    plan = isolate(asked.world, broken)

    for valve in plan.valves_to_close:
        row = np.array([valve], dtype=np.int32)
        stuck = asked.world.with_facts(row, operability=Operability.INOPERABLE)
        hidden = asked.world.with_facts(row, reachable=False)
        again = isolate(stuck, broken)

        assert valve not in again.valves_to_close
        assert lost(asked, plan) <= lost(asked, again)
        assert lost(asked, again) == lost(asked, isolate(hidden, broken))


@on_seeds
@enough
def test_another_source_never_hurts(seed: int) -> None:
    """Who had supply before and keeps it with fewer sources keeps it with more."""
    town, dice = make_town(seed), roll(seed)
    if not town["sources"]:
        return
    one_more = {**town["sources"][0], "id": "S999", "node": dice.choice(town["nodes"])["id"]}
    richer = town | {"sources": [*town["sources"], one_more]}
    pipe = dice.choice(town["pipes"])["id"]
    had_supply = {
        customer["id"]
        for customer in town["customers"]
        if {brute_force.place_of(town, feed) for feed in customer["feeds"]}
        & wet_by(town, set(), set())
    }

    def outage(of: Town) -> set[str]:
        asked = answer_of.ask(of)
        return lost(asked, isolate(asked.world, answer_of.break_pipe(asked, pipe)))

    assert outage(richer) & had_supply <= outage(town)


# ---- changes that change nothing -----------------------------------------------------------------


def answered(town: Town, pipe: str, at_m: float | None) -> Json:
    """Ask for a break on a pipe."""
    asked = answer_of.ask(town)
    return answer_of.answer(asked, answer_of.break_pipe(asked, pipe, at_m))


def renamed(thing: Any, names: dict[str, str]) -> Any:  # noqa: ANN401
    """Replace every id in any nest of dicts and lists; lists of ids stay sorted."""
    if isinstance(thing, dict):
        return {key: renamed(value, names) for key, value in thing.items()}
    if isinstance(thing, list):
        found = [renamed(one, names) for one in thing]
        return sorted(found) if all(isinstance(one, str) for one in found) else found
    return names.get(thing, thing) if isinstance(thing, str) else thing


@on_seeds
@enough
def test_other_ids_give_the_same_answer(seed: int) -> None:
    """Devices keep their text order, by which valves at one place stand in series."""
    town, dice = make_town(seed), roll(seed)
    names: dict[str, str] = {}
    for kind in ("nodes", "pipes", "sources", "customers", "hydrants"):
        ids = [one["id"] for one in town[kind]]
        numbers = dice.sample(range(1000), len(ids))
        names |= {name: f"{kind}/{number}" for name, number in zip(ids, numbers, strict=True)}
    devices = sorted(
        one["id"] for kind in ("valves", "pumps", "control_valves") for one in town[kind]
    )
    names |= {name: f"阀 {number:03}" for number, name in enumerate(devices)}
    pipe = dice.choice(town["pipes"])
    at_m = metre_on(dice, pipe)

    before = answered(town, pipe["id"], at_m)
    after = answered(renamed(town, names), names[pipe["id"]], at_m)

    assert renamed(before, names) == after


@on_seeds
@enough
def test_the_order_of_the_file_changes_nothing(seed: int) -> None:
    """Every kind shuffled."""
    town, dice = make_town(seed), roll(seed)
    shuffled = {kind: dice.sample(things, len(things)) for kind, things in town.items()}
    pipe = dice.choice(town["pipes"])
    at_m = metre_on(dice, pipe)

    assert answered(town, pipe["id"], at_m) == answered(shuffled, pipe["id"], at_m)


def things_on(town: Town, pipe: str) -> list[Json]:
    """List all that has a place on a pipe: valves, hydrants, feeds."""
    feeds = [feed for customer in town["customers"] for feed in customer["feeds"]]
    return [t for t in (*town["valves"], *town["hydrants"], *feeds) if t.get("pipe") == pipe]


def moved(town: Town, move: Callable[[Json], Json]) -> Town:
    """Give a town in which `move` has changed everything that has a place."""
    return town | {
        "valves": [move(valve) for valve in town["valves"]],
        "hydrants": [move(hydrant) for hydrant in town["hydrants"]],
        "customers": [
            customer | {"feeds": [move(feed) for feed in customer["feeds"]]}
            for customer in town["customers"]
        ],
    }


@on_seeds
@enough
def test_a_pipe_drawn_the_other_way_gives_the_same_answer(seed: int) -> None:
    """Not a one-way pipe, nor where the text says "nearer the start"."""
    town, dice = make_town(seed), roll(seed)
    pipe = dice.choice(town["pipes"])
    length_m = pipe["length_m"]
    at_m = metre_on(dice, pipe)
    cuts = brute_force.cuts_of(town, pipe)
    places = [at_m, *(one["at_m"] for one in things_on(town, pipe["id"]) if "id" not in one)]
    places += [h["at_m"] for h in town["hydrants"] if h.get("pipe") == pipe["id"]]
    ends = [
        (brute_force.end_of(pipe, v["at_m"]), v["at_m"])
        for v in town["valves"]
        if v.get("pipe") == pipe["id"]
    ]
    stands = [end or metre for end, metre in ends]
    in_series = len(stands) > len(set(stands))
    at_a_tie = any(end and 2 * metre == length_m for end, metre in ends)
    if pipe["one_way"] or in_series or at_a_tie or set(places) & set(cuts):
        return

    def mirror(thing: Json) -> Json:
        on_it = thing.get("pipe") == pipe["id"]
        return thing | {"at_m": length_m - thing["at_m"]} if on_it else thing

    turned = {**pipe, "start_node": pipe["end_node"], "end_node": pipe["start_node"]}
    other = moved(town, mirror) | {
        "pipes": [turned if one is pipe else one for one in town["pipes"]]
    }

    assert answered(town, pipe["id"], at_m) == answered(other, pipe["id"], length_m - at_m)


@on_seeds
@enough
def test_a_pipe_split_in_two_gives_the_same_answer(seed: int) -> None:
    """A node more and a pipe more, where nothing stands; the second half has the check."""
    town, dice = make_town(seed), roll(seed)
    candidates = [
        pipe
        for pipe in town["pipes"]
        if pipe["length_m"] > 5
        and pipe["status"] == "open"
        and pipe["start_node"] != pipe["end_node"]
    ]
    if not candidates:
        return
    pipe = dice.choice(candidates)
    split_m = pipe["length_m"] * dice.choice((0.3, 0.4, 0.6))
    node = {"id": "N999"}
    first = {**pipe, "end_node": "N999", "length_m": split_m, "one_way": False}
    second = {
        **pipe,
        "id": "P999",
        "start_node": "N999",
        "length_m": pipe["length_m"] - split_m,
    }

    def move(thing: Json) -> Json:
        if thing.get("pipe") != pipe["id"] or thing["at_m"] <= split_m:
            return thing
        return thing | {"pipe": "P999", "at_m": thing["at_m"] - split_m}

    pipes = [one for one in town["pipes"] if one is not pipe]
    other = moved(town, move) | {
        "nodes": [*town["nodes"], node],
        "pipes": [*pipes, first, second],
    }
    at_m = metre_on(dice, pipe)
    broken = move({"pipe": pipe["id"], "at_m": at_m})

    whole = answered(town, pipe["id"], at_m)
    halves = answered(other, broken["pipe"], broken["at_m"])

    assert whole == _with_pipe_instead(halves, "P999", pipe["id"])


def _with_pipe_instead(answer: Json, half: str, whole: str) -> Json:
    """Name the whole pipe wherever its second half is meant."""
    answer = dict(answer)
    for name in ("pipes_shut", "pipes_cut_off"):
        if answer[name] is not None:
            answer[name] = sorted({whole if one == half else one for one in answer[name]})
    otherwise = answer.get("if_unknown_closed")
    if otherwise:
        # Two answers that differed only in the halves that they name are now one.
        otherwise = _with_pipe_instead(otherwise, half, whole)
        is_same = otherwise == {name: answer[name] for name in otherwise}
        answer["if_unknown_closed"] = None if is_same else otherwise
    return answer


# ---- facts, sums and times -----------------------------------------------------------------------


@on_seeds
@enough
def test_changed_facts_give_what_a_rebuilt_world_gives(seed: int) -> None:
    """Five rounds of edits to one world, against a world made anew after each."""
    town, dice = make_town(seed), roll(seed)
    asked = answer_of.ask(town)
    if not asked.ids.devices:
        return
    for _ in range(5):
        rows = np.array(
            dice.sample(range(len(asked.ids.devices)), dice.randint(1, len(asked.ids.devices))),
            dtype=np.int32,
        )
        news: dict[str, Any] = dice.choice(
            (
                {"position": dice.choice(list(Position))},
                {"position": Position.OPEN},
                {"operability": dice.choice(list(Operability))},
                {"reachable": dice.random() < 0.5},
                {"is_open": dice.random() < 0.5},
            )
        )
        if "is_open" in news:
            kinds = asked.world.network.device_kind[rows]
            rows = rows[kinds != DeviceKind.VALVE]  # those have a position and no status
        asked = answer_of.Asked(asked.world.with_facts(rows, **news), asked.ids)
        names = {asked.ids.devices[row] for row in rows.tolist()}
        words = {
            name: value.name.lower() if isinstance(value, Position | Operability) else value
            for name, value in news.items()
        }
        if "is_open" in words:
            words = {"status": "open" if words["is_open"] else "closed"}
        town = brute_force.with_facts(town, names, **words)
        rebuilt = answer_of.ask(town)
        what = [anything(town, dice)]

        assert ((asked.world.feeder == -1) == (rebuilt.world.feeder == -1)).all()
        assert asked.world.openable.tolist() == rebuilt.world.openable.tolist()
        assert answer_of.answer(asked, break_rows(asked, what)) == answer_of.answer(
            rebuilt, break_rows(rebuilt, what)
        )


@on_seeds
@enough
def test_segments_hold_every_part_and_metre_once(seed: int) -> None:
    """Lengths of the segments sum to that of the town, parts and nodes to all there are."""
    town = make_town(seed)
    asked = answer_of.ask(town)
    rows = answer_of.weak_segments(asked)
    parts = [part for pipe in town["pipes"] for part in brute_force.parts_of(town, pipe)]
    segments = find_segments(asked.world)

    total_m = sum(pipe["length_m"] for pipe in town["pipes"])
    assert sum(row["length_m"] for row in rows) == pytest.approx(total_m)
    assert segments.of_block.size == asked.world.blocks.count
    assert len(asked.world.blocks.part_pipe) == len(parts)


@on_seeds
@enough
def test_losses_by_zone_sum_to_the_total(seed: int) -> None:
    """Whoever is lost is lost in one zone, and nobody twice."""
    town, dice = make_town(seed), roll(seed)
    what = [anything(town, dice)]
    asked = answer_of.ask(town)
    answer = answer_of.one_answer(asked, break_rows(asked, what))
    zones = {pipe["id"]: pipe["zone"] for pipe in town["pipes"]}
    names = [*answer["customers"]["shut"], *(answer["customers"]["cut_off"] or [])]
    by_zone: Counter[str | None] = Counter()
    for name in names:
        customer = brute_force.find(town["customers"], name)
        by_zone[zones.get(customer["feeds"][0].get("pipe"))] += customer["properties"]

    assert len(names) == len(set(names)) == answer["customers"]["connections"]
    assert by_zone.total() == answer["customers"]["properties"]


@on_seeds
@enough
def test_nobody_has_water_back_before_it_is_gone(seed: int) -> None:
    """Loss comes before return for every block, whatever the order of closing and reopening."""
    town, dice = make_town(seed), roll(seed)
    asked = answer_of.ask(town)
    found = isolate(asked.world, break_rows(asked, [anything(town, dice)]))
    if not found.has_sources:
        return
    worked = np.concatenate([found.valves_to_close, found.pumps_to_stop]).astype(np.int32)
    closed = np.array([dice.uniform(0, 5) for _ in worked])
    reopened = np.array([dice.uniform(5, 20) for _ in worked])

    lost_h, back_h = block_intervals(asked.world, found, worked, closed, reopened)
    affected = ~np.isnan(lost_h)

    assert (lost_h[affected] <= back_h[affected]).all()
    assert World.of(asked.world.network).blocks.count == len(lost_h)
