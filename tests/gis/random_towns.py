"""
Small random towns with every trap of `network-format.md`, each made from one seed.

A town is plain dicts, one list a kind, with every place resolved: a pipe's end nodes, a valve's
metre along its pipe, a customer's feeds. `features_of` draws it as GeoJSON without those metres.
`smaller` lists a town's neighbours with one thing fewer, so that a failing town can be boiled down.
"""

from __future__ import annotations

import random
from copy import deepcopy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.gis.brute_force import Town

POSITIONS = ("open", "open", "open", "closed", "unknown", None)
OPERABILITIES = ("operable", "unknown", "unknown", "inoperable")
SOURCE_TYPES = ("treatment_plant", "reservoir", "well", "tank")
KINDS = ("nodes", "pipes", "valves", "pumps", "control_valves", "sources", "customers", "hydrants")


def make_town(seed: int, *, is_drawn: bool = False) -> Town:
    """
    Make a town.

    Drawn, it can be put on a map and read back: no link has both ends at one node, no customer
    is fed by two pipes (one point is at one place only), and nobody's place is a guess.
    """
    dice = random.Random(seed)  # noqa: S311
    loops = not is_drawn
    # One in a hundred is large enough for queues to grow and for detours to be long.
    scale = 1 if dice.random() < 0.99 else 9
    count = dice.randint(1 if loops else 2, 7) * scale
    nodes = [{"id": name} for name in _names(dice, "N", count)]
    town: Town = {kind: [] for kind in KINDS} | {"nodes": nodes}
    town["pipes"] = [
        _pipe(dice, name, *_ends(dice, nodes, loops=loops))
        for name in _names(dice, "P", dice.randint(1, 8) * scale)
    ]
    valves = iter(_names(dice, "V", 22 * scale))
    town["valves"] = _point_valves(dice, town, valves, 20 * scale) + [
        {"id": next(valves), **_link(dice, nodes, loops=loops), **_facts(dice)}
        for _ in range(dice.choice((0, 0, 1, 2)))
    ]
    town["pumps"] = [
        {"id": name, **_link(dice, nodes, loops=loops), "status": _rarely_closed(dice)}
        for name in _names(dice, "U", dice.choice((0, 0, 0, 1, 2)))
    ]
    town["control_valves"] = [
        _control_valve(dice, name, _link(dice, nodes, loops=loops))
        for name in _names(dice, "C", dice.choice((0, 0, 0, 1, 2)))
    ]
    town["sources"] = [
        {
            "id": name,
            "node": dice.choice(nodes)["id"],
            "type": dice.choice(SOURCE_TYPES),
            "inflow": dice.random() < 0.7,
            "volume_m3": dice.choice((None, 50.0)),
        }
        for name in _names(dice, "S", dice.choice((0, 1, 1, 1, 2, 2, 3)))
    ]
    town["customers"] = [
        _customer(dice, town, name, is_drawn=is_drawn)
        for name in _names(dice, "K", dice.randint(0, 6) * scale)
    ]
    town["hydrants"] = [
        {"id": name, **_place(dice, town)} for name in _names(dice, "H", dice.randint(0, 2))
    ]
    return town


def _names(dice: random.Random, letter: str, count: int) -> list[str]:
    """Give ids whose text order is neither their number's nor the order in which they come."""
    return [f"{letter}{number}" for number in dice.sample(range(1, 300), count)]


def _ends(dice: random.Random, nodes: list[dict[str, Any]], *, loops: bool) -> tuple[str, str]:
    ends = dice.choices(nodes, k=2) if loops else dice.sample(nodes, 2)
    return ends[0]["id"], ends[1]["id"]


def _link(dice: random.Random, nodes: list[dict[str, Any]], *, loops: bool) -> dict[str, str]:
    start, end = _ends(dice, nodes, loops=loops)
    return {"start_node": start, "end_node": end}


def _rarely_closed(dice: random.Random) -> str:
    return "closed" if dice.random() < 0.2 else "open"


def _pipe(dice: random.Random, name: str, start: str, end: str) -> dict[str, Any]:
    return {
        "id": name,
        "start_node": start,
        "end_node": end,
        "length_m": dice.choice((100.0, 100.0, 64.0, 37.5, 7.0, 1.5, 1.0, 0.75, 0.25, 0.0)),
        "status": "closed" if dice.random() < 0.1 else "open",
        "one_way": dice.random() < 0.15,
        "zone": dice.choice((None, None, "east", "west")),
    }


def _facts(dice: random.Random) -> dict[str, Any]:
    return {
        "position": dice.choice(POSITIONS),
        "operability": dice.choice(OPERABILITIES),
        "reachable": dice.random() < 0.85,
        "boundary": dice.random() < 0.1,
    }


def metre_on(dice: random.Random, pipe: dict[str, Any]) -> float:
    """Choose a place along a pipe: an end, near an end, or a round place where others are."""
    length_m: float = pipe["length_m"]
    near = [0.0, 0.125, 0.375, 0.5, 0.625, length_m / 2, length_m / 2, length_m / 4]
    places = [*near, *(length_m - metre for metre in near)]
    return dice.choice([metre for metre in places if 0.0 <= metre <= length_m])


def _point_valves(
    dice: random.Random, town: Town, names: Iterator[str], limit: int
) -> list[dict[str, Any]]:
    valves: list[dict[str, Any]] = []
    for pipe in town["pipes"]:
        for _ in range(dice.choice((0, 0, 1, 1, 2, 3))):
            at_m = metre_on(dice, pipe)
            if valves and valves[-1]["pipe"] == pipe["id"] and dice.random() < 0.25:
                at_m = valves[-1]["at_m"]
            valves.append({"id": next(names), "pipe": pipe["id"], "at_m": at_m, **_facts(dice)})
            if len(valves) == limit:
                return valves
    return valves


def _control_valve(dice: random.Random, name: str, link: dict[str, str]) -> dict[str, Any]:
    isolates = dice.random() < 0.6
    facts = _facts(dice) if isolates or dice.random() < 0.2 else {}
    kind = dice.choice(("PRV", "PSV", "FCV", "TCV"))
    return {
        "id": name,
        **link,
        "type": kind,
        "isolates": isolates,
        "status": _rarely_closed(dice),
        **facts,
    }


def _place(dice: random.Random, town: Town) -> dict[str, Any]:
    """Choose a place: a node, a metre on a pipe, or a valve's own place."""
    on_pipes = [valve for valve in town["valves"] if valve.get("pipe")]
    what = dice.random()
    if what < 0.3:
        return {"node": dice.choice(town["nodes"])["id"]}
    if what < 0.55 and on_pipes:
        valve = dice.choice(on_pipes)
        return {"pipe": valve["pipe"], "at_m": valve["at_m"]}
    pipe = dice.choice(town["pipes"])
    return {"pipe": pipe["id"], "at_m": metre_on(dice, pipe)}


def _customer(dice: random.Random, town: Town, name: str, *, is_drawn: bool) -> dict[str, Any]:
    feeds: list[dict[str, Any]] = []
    for feed in (_place(dice, town) for _ in range(dice.choice((1, 1, 1, 2, 2, 3)))):
        others = [one for one in feeds if "pipe" in one and (is_drawn or one == feed)]
        if not ("pipe" in feed and others):
            feeds.append(feed)
    return {
        "id": name,
        "feeds": feeds,
        "properties": dice.choice((0, 1, 1, 1, 3, 20)),
        "people": dice.choice((None, 0, 2, 2, 5, 5, 7)),
        "critical": dice.choice((None, None, None, "hospital", "dialysis")),
        "is_guessed": dice.random() < 0.2 and not is_drawn,
    }


# ---- fewer ---------------------------------------------------------------------------------------


def smaller(town: Town) -> Iterator[Town]:
    """List the towns that have one thing fewer, or one thing plainer."""
    for kind in ("customers", "hydrants", "valves", "control_valves", "pumps", "sources"):
        for number in range(len(town[kind])):
            yield town | {kind: town[kind][:number] + town[kind][number + 1 :]}
    for pipe in town["pipes"]:
        if not any(_stands_on(thing, pipe["id"]) for thing in _placed(town)):
            yield town | {"pipes": [one for one in town["pipes"] if one is not pipe]}
    used = {
        end
        for kind in ("pipes", "valves", "pumps", "control_valves")
        for link in town[kind]
        for end in (link.get("start_node"), link.get("end_node"))
    }
    used |= {thing.get("node") for thing in [*town["sources"], *_placed(town)]}
    for node in town["nodes"]:
        if node["id"] not in used:
            yield town | {"nodes": [one for one in town["nodes"] if one is not node]}
    yield from _plainer(town)


def _plainer(town: Town) -> Iterator[Town]:
    plain: dict[str, dict[str, Any]] = {
        "pipes": {"status": "open", "one_way": False, "zone": None},
        "valves": {
            "position": "open",
            "operability": "operable",
            "reachable": True,
            "boundary": False,
        },
        "control_valves": {"isolates": False, "status": "open", "position": "open"},
        "customers": {"properties": 1, "people": 2, "critical": None, "is_guessed": False},
    }
    for kind, plainest in plain.items():
        for number, feature in enumerate(town[kind]):
            for name, value in plainest.items():
                if feature.get(name) != value:
                    copy = deepcopy(town)
                    copy[kind][number][name] = value
                    yield copy
    for number, customer in enumerate(town["customers"]):
        for one in customer["feeds"]:
            if len(customer["feeds"]) > 1:
                copy = deepcopy(town)
                copy["customers"][number]["feeds"].remove(one)
                yield copy


def _placed(town: Town) -> list[dict[str, Any]]:
    feeds = [feed for customer in town["customers"] for feed in customer["feeds"]]
    return [*town["valves"], *town["hydrants"], *feeds]


def _stands_on(thing: dict[str, Any], pipe: str) -> bool:
    return thing.get("pipe") == pipe


# ---- as a map ------------------------------------------------------------------------------------


def features_of(town: Town) -> list[dict[str, Any]]:
    """Draw a town as GeoJSON features with straight pipes and points exactly on them."""
    where = {
        node["id"]: (100.0 + 0.01 * (number % 3) + 0.001 * number, 0.01 * (number // 3))
        for number, node in enumerate(town["nodes"])
    }
    pipes = {pipe["id"]: pipe for pipe in town["pipes"]}

    def point(thing: dict[str, Any]) -> dict[str, Any]:
        if thing.get("pipe") is None:
            return {"type": "Point", "coordinates": list(where[thing["node"]])}
        pipe = pipes[thing["pipe"]]
        (x0, y0), (x1, y1) = where[pipe["start_node"]], where[pipe["end_node"]]
        share = thing["at_m"] / pipe["length_m"] if pipe["length_m"] else 0.0
        return {"type": "Point", "coordinates": [x0 + (x1 - x0) * share, y0 + (y1 - y0) * share]}

    def line(link: dict[str, Any]) -> dict[str, Any]:
        ends = [list(where[link["start_node"]]), list(where[link["end_node"]])]
        return {"type": "LineString", "coordinates": ends}

    drawn = []
    for kind in KINDS:
        for thing in town[kind]:
            properties = {
                key: value
                for key, value in thing.items()
                if value is not None and key not in {"at_m", "is_guessed", "feeds"}
            }
            if kind == "nodes":
                geometry: dict[str, Any] = {
                    "type": "Point",
                    "coordinates": list(where[thing["id"]]),
                }
            elif kind == "customers":
                feeds = [{k: v for k, v in feed.items() if k != "at_m"} for feed in thing["feeds"]]
                properties |= feeds[0] | ({"feeds": feeds} if len(feeds) > 1 else {})
                on_pipe = [feed for feed in thing["feeds"] if "pipe" in feed]
                geometry = point((on_pipe or thing["feeds"])[0])
            elif "start_node" in thing:
                geometry = line(thing)
            else:
                geometry = point(thing)
            properties["kind"] = kind.removesuffix("s")
            if kind == "pipes":
                properties["diameter_mm"] = 150
            drawn.append({"type": "Feature", "geometry": geometry, "properties": properties})
    return drawn
