"""
Who loses supply, worked out again: slowly, one question at a time, straight from the definitions.

A town is plain dicts as `random_towns` makes them, with every place already resolved. Its water
stands in *places*: ("node", id), ("part", pipe, number) and ("stub", pipe, end, number), the
nameless bit of pipe between two valves, or valve and check, that share a pipe's end. Places are
joined by links. Every answer is a search over those links and nothing is kept from one to the next.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    Town = dict[str, list[dict[str, Any]]]
    Place = tuple[str | int, ...]
    Json = dict[str, Any]

SNAP_M = 0.5
VALVES = ("valve", "isolating")


@dataclass(frozen=True, slots=True)
class Link:
    """
    A way for water from `tail` to `head`, and back where `is_two_way`.

    `kind` is joint, check, control, pump, valve or isolating; the last two have the facts of a
    valve. What is closed conducts nothing, what is closable may be closed by a crew.
    """

    kind: str
    id: str
    tail: Place
    head: Place
    is_two_way: bool = True
    is_closed: bool = False
    is_closable: bool = False
    can_open: bool = False
    boundary: bool = False
    pipe: str | None = None

    def ways(self) -> list[tuple[Place, Place]]:
        """Name the directions in which it would pass water when open."""
        forth = [(self.tail, self.head)]
        return [*forth, (self.head, self.tail)] if self.is_two_way else forth


# ---- the network as places and links -------------------------------------------------------------


def end_of(pipe: Json, at_m: float) -> str | None:
    """Tell at which end of a pipe a point valve lies: start, end, or None for mid-pipe."""
    to_start, to_end = at_m, pipe["length_m"] - at_m
    if min(to_start, to_end) > SNAP_M:
        return None
    return "start" if to_start <= to_end else "end"


def valves_at(town: Town, pipe: Json, where: str | None) -> list[Json]:
    """List the point valves at one end of a pipe, or in its middle, in order from its start."""
    there = [
        valve
        for valve in town["valves"]
        if valve.get("pipe") == pipe["id"] and end_of(pipe, valve["at_m"]) == where
    ]
    if where is None:
        return sorted(there, key=lambda valve: (valve["at_m"], valve["id"]))
    return sorted(there, key=lambda valve: valve["id"])


def cuts_of(town: Town, pipe: Json) -> list[float]:
    """Tell where the valves in its middle divide a pipe."""
    return [valve["at_m"] for valve in valves_at(town, pipe, None)]


def parts_of(town: Town, pipe: Json) -> list[Place]:
    """List the parts of a pipe from its start."""
    return [("part", pipe["id"], number) for number in range(len(cuts_of(town, pipe)) + 1)]


def length_of(town: Town, place: Place) -> float:
    """Measure a part."""
    pipe = find(town["pipes"], place[1])
    bounds = [0.0, *cuts_of(town, pipe), pipe["length_m"]]
    number = int(place[2])
    return float(bounds[number + 1] - bounds[number])


def start_of(town: Town, place: Place) -> float:
    """Tell at which metre of its pipe a part starts."""
    pipe = find(town["pipes"], place[1])
    return float([0.0, *cuts_of(town, pipe)][int(place[2])])


def find(features: list[Json], name: object) -> Json:
    """Find a feature by its id."""
    return next(feature for feature in features if feature["id"] == name)


def place_of(town: Town, thing: Json) -> Place:
    """Find the place of a feed, hydrant or break: at a valve's own place, the part before it."""
    if thing.get("node") is not None:
        return ("node", thing["node"])
    pipe = find(town["pipes"], thing["pipe"])
    before = [cut for cut in cuts_of(town, pipe) if cut < thing["at_m"]]
    return ("part", pipe["id"], len(before))


def facts_of(device: Json, *, unknown_is_closed: bool) -> Json:
    """Read the three facts of a valve: closed or not, to be closed or not, to be opened or not."""
    position = device.get("position") or "open"
    workable = device.get("operability") != "inoperable" and device.get("reachable", True)
    is_closed = (
        position == "closed"
        or (position == "unknown" and unknown_is_closed)
        or device.get("status") == "closed"
    )
    return {
        "is_closed": is_closed,
        "is_closable": workable and not is_closed,
        "can_open": workable and is_closed,
        "boundary": device.get("boundary", False),
    }


def links_of_pipe(town: Town, pipe: Json, *, unknown_is_closed: bool) -> list[Link]:
    """Lay a pipe: node, valves, part, valve, part ..., valves, check, node. Closed, it is none."""
    if pipe["status"] == "closed":
        return []
    links: list[Link] = []
    here: Place = ("node", pipe["start_node"])

    def step(kind: str, there: Place, device: Json | None = None, *, two_way: bool = True) -> None:
        nonlocal here
        facts = facts_of(device, unknown_is_closed=unknown_is_closed) if device else {}
        name = device["id"] if device else pipe["id"]
        links.append(Link(kind, name, here, there, two_way, **facts, pipe=pipe["id"]))
        here = there

    parts = parts_of(town, pipe)
    at_start, at_end = valves_at(town, pipe, "start"), valves_at(town, pipe, "end")
    for number, valve in enumerate(at_start):
        is_last = number == len(at_start) - 1
        step("valve", parts[0] if is_last else ("stub", pipe["id"], "start", number), valve)
    if not at_start:
        step("joint", parts[0])
    for part, valve in zip(parts[1:], valves_at(town, pipe, None), strict=True):
        step("valve", part, valve)
    end: Place = ("node", pipe["end_node"])
    for number, valve in enumerate(at_end):
        is_last = number == len(at_end) - 1 and not pipe["one_way"]
        there = end if is_last else ("stub", pipe["id"], "end", number)
        step("valve", there, valve, two_way=not pipe["one_way"])
    if pipe["one_way"]:
        step("check", end, two_way=False)
    elif not at_end:
        step("joint", end)
    return links


def links_of(town: Town, *, unknown_is_closed: bool = False) -> list[Link]:
    """List every link of a town."""
    links = [
        link
        for pipe in town["pipes"]
        for link in links_of_pipe(town, pipe, unknown_is_closed=unknown_is_closed)
    ]
    for kind in ("valves", "pumps", "control_valves"):
        for device in town[kind]:
            if device.get("pipe") is not None:
                continue
            ends: tuple[Place, Place] = (
                ("node", device["start_node"]),
                ("node", device["end_node"]),
            )
            if kind == "valves" or device.get("isolates"):
                facts = facts_of(device, unknown_is_closed=unknown_is_closed)
                name = "valve" if kind == "valves" else "isolating"
                links.append(Link(name, device["id"], *ends, kind == "valves", **facts))
            else:
                closed = device["status"] == "closed"
                name = "pump" if kind == "pumps" else "control"
                can_stop = kind == "pumps" and not closed
                links.append(Link(name, device["id"], *ends, False, closed, can_stop))  # noqa: FBT003
    return links


# ---- searches ------------------------------------------------------------------------------------


def reached(ways: Iterable[tuple[Place, Place]], starts: Iterable[Place]) -> set[Place]:
    """Follow `ways` from `starts` as far as they lead."""
    onward: dict[Place, list[Place]] = {}
    for tail, head in ways:
        onward.setdefault(tail, []).append(head)
    found, todo = set(), list(starts)
    while todo:
        place = todo.pop()
        if place not in found:
            found.add(place)
            todo.extend(onward.get(place, []))
    return found


def segment_of(links: list[Link], broken: set[Place]) -> set[Place]:
    """Collect all that water can reach the break from without passing what is or can be closed."""
    ways = [
        way for link in links if not link.is_closed and not link.is_closable for way in link.ways()
    ]
    return reached([(head, tail) for tail, head in ways], broken)


def supplied_by(links: list[Link], sources: Iterable[Place]) -> set[Place]:
    """Collect all that water from the sources reaches through what is not closed."""
    return reached([way for link in links if not link.is_closed for way in link.ways()], sources)


def shut(links: list[Link], chosen: Iterable[Link]) -> list[Link]:
    """Close some of the links."""
    chosen = set(chosen)
    return [replace(link, is_closed=True) if link in chosen else link for link in links]


def opens_into(link: Link, segment: set[Place]) -> bool:
    """Tell whether an open link would let water from outside into the segment."""
    return any(tail not in segment and head in segment for tail, head in link.ways())


# ---- one answer ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one break does, in places and links."""

    segment: set[Place]
    before: set[Place]
    after: set[Place]
    closed: list[Link]
    to_close: list[Link]
    optional: list[Link]
    verify: list[Link]
    pumps: list[Link]
    has_sources: bool
    is_on_closed_pipe: set[Place]


def work_out(town: Town, broken: set[Place], *, unknown_is_closed: bool = False) -> Outcome:
    """Find the segment of a break, its ring, and what has water before and after."""
    links = links_of(town, unknown_is_closed=unknown_is_closed)
    sources: set[Place] = {("node", source["node"]) for source in town["sources"]}
    segment = segment_of(links, broken)
    border = [
        link
        for link in links
        if link.kind in VALVES and link.is_closable and opens_into(link, segment)
    ]
    pumps = [
        link
        for link in links
        if link.kind == "pump" and not link.is_closed and {link.tail, link.head} & segment
    ]
    closed = shut(links, [*border, *pumps])
    after = supplied_by(closed, sources - segment)
    assert not after & segment, "closing everything does not isolate"

    to_close = []
    for valve in border:
        others = [link for link in border if link is not valve]
        wet = supplied_by(shut(links, [*others, *pumps]), sources - segment)
        if not sources or wet & broken:
            to_close.append(valve)
    optional = [link for link in border if link not in to_close]
    if sources:
        _check_ring(links, to_close, pumps, sources - segment, segment, broken)

    verify = [
        link
        for link in links
        if link.kind in VALVES
        and link.is_closed
        and any(
            tail not in segment and head in segment and (not sources or tail in after)
            for tail, head in link.ways()
        )
    ]
    dead = {
        part
        for pipe in town["pipes"]
        if pipe["status"] == "closed"
        for part in parts_of(town, pipe)
    }
    return Outcome(
        segment,
        supplied_by(links, sources),
        after,
        closed,
        to_close,
        optional,
        verify,
        pumps,
        bool(sources),
        dead,
    )


def _check_ring(
    links: list[Link],
    to_close: list[Link],
    pumps: list[Link],
    sources: set[Place],
    segment: set[Place],
    broken: set[Place],
) -> None:
    """Hold a ring to its word: it isolates, and without any one of its valves the break is wet."""
    assert not supplied_by(shut(links, [*to_close, *pumps]), sources) & segment
    for valve in to_close:
        others = [link for link in to_close if link is not valve]
        assert supplied_by(shut(links, [*others, *pumps]), sources) & broken


def losses(town: Town, found: Outcome) -> dict[str, str]:
    """Name the customers who lose supply: "shut" or "cut_off" by id."""
    lost = {}
    for customer in town["customers"]:
        feeds = {place_of(town, feed) for feed in customer["feeds"]}
        if found.has_sources:
            is_lost = bool(feeds & found.before) and not feeds & found.after
        else:
            is_lost = bool(feeds & found.segment - found.is_on_closed_pipe)
        if is_lost:
            lost[customer["id"]] = "shut" if feeds & found.segment else "cut_off"
    return lost


def already_dry(town: Town, found: Outcome) -> int | None:
    """Count the connections on the segment that had no supply before."""
    if not found.has_sources:
        return None
    feeds = [{place_of(town, f) for f in customer["feeds"]} for customer in town["customers"]]
    return sum(1 for places in feeds if places & found.segment and not places & found.before)


def dry_hydrants(town: Town, found: Outcome) -> list[str]:
    """Name the hydrants that had water before and have none now."""
    dry = []
    for hydrant in town["hydrants"]:
        place = place_of(town, hydrant)
        if found.has_sources:
            is_dry = place in found.before and place not in found.after
        else:
            is_dry = place in found.segment - found.is_on_closed_pipe
        if is_dry:
            dry.append(hydrant["id"])
    return sorted(dry)


def customers_json(town: Town, found: Outcome) -> Json:
    """Sum up the customers of an answer."""
    lost = losses(town, found)
    people = [customer for customer in town["customers"] if customer["id"] in lost]
    counts = [customer.get("people") for customer in people]
    return {
        "connections": len(people),
        "properties": sum(customer.get("properties", 1) for customer in people),
        "people": None if None in counts else sum(counts),
        "critical": sorted(c["id"] for c in people if c.get("critical")),
        "guessed": sum(1 for c in people if c.get("is_guessed")),
        "shut": sorted(name for name, how in lost.items() if how == "shut"),
        "cut_off": sorted(name for name, how in lost.items() if how == "cut_off")
        if found.has_sources
        else None,
        "already_dry": already_dry(town, found),
    }


def zones_of(town: Town, place: Place, but: str | None) -> set[str]:
    """Name the known zones of a pipe's part, or of the pipes at a node other than the valve's."""
    if place[0] != "node":
        pipes = [pipe for pipe in town["pipes"] if pipe["id"] == place[1]]
    else:
        pipes = [
            pipe
            for pipe in town["pipes"]
            if place[1] in {pipe["start_node"], pipe["end_node"]} and pipe["id"] != but
        ]
    return {pipe["zone"] for pipe in pipes if pipe.get("zone") is not None}


def crosses_boundary(town: Town, link: Link) -> bool:
    """Tell whether a closed valve parts two zones, or is a boundary by its record."""
    if link.boundary:
        return True
    ends = [link.tail, link.head]
    if link.pipe is not None:
        pipe = find(town["pipes"], link.pipe)
        where = end_of(pipe, find(town["valves"], link.id)["at_m"])
        if where is None:
            return False
        ends = [("part", link.pipe, 0), ("node", pipe[f"{where}_node"])]
    one, other = (zones_of(town, end, link.pipe) for end in ends)
    return bool(one and other and one != other)


def refeed_json(town: Town, found: Outcome) -> list[Json] | None:
    """Try every closed valve off the segment that a crew can open."""
    if not found.has_sources:
        return None
    lost = losses(town, found)
    cut_off = found.before - found.after - found.segment
    sources: set[Place] = {("node", source["node"]) for source in town["sources"]}
    rows = []
    for link in found.closed:
        if link.kind not in VALVES or not link.can_open or {link.tail, link.head} & found.segment:
            continue
        opened = [replace(one, is_closed=False) if one is link else one for one in found.closed]
        wet = supplied_by(opened, sources - found.segment)
        assert not wet & found.segment, "opening a valve off the segment wets the break"
        if not any(place[0] in {"node", "part"} for place in wet & cut_off):
            continue
        regained = sum(
            customer.get("properties", 1)
            for customer in town["customers"]
            if customer["id"] in lost and {place_of(town, feed) for feed in customer["feeds"]} & wet
        )
        rows.append(
            {
                "valve": link.id,
                "properties_regained": regained,
                "crosses_boundary": crosses_boundary(town, link),
            }
        )
    return sorted(rows, key=lambda row: (-row["properties_regained"], row["valve"]))


def pipes_in(places: set[Place]) -> list[str]:
    """Name the pipes that have a part among the places."""
    return sorted({str(place[1]) for place in places if place[0] == "part"})


def one_answer(town: Town, broken: set[Place], *, unknown_is_closed: bool = False) -> Json:
    """Answer for a set of broken places, with one reading of the unknown positions."""
    found = work_out(town, broken, unknown_is_closed=unknown_is_closed)
    sources_shut = sorted(s["id"] for s in town["sources"] if ("node", s["node"]) in found.segment)
    return {
        "isolated": not sources_shut,
        "valves_to_close": sorted(link.id for link in found.to_close),
        "valves_optional": sorted(link.id for link in found.optional),
        "valves_verify_shut": sorted(link.id for link in found.verify),
        "pumps_to_stop": sorted(link.id for link in found.pumps),
        "sources_shut": sources_shut,
        "pipes_shut": pipes_in(found.segment),
        "pipes_cut_off": pipes_in(found.before - found.after - found.segment)
        if found.has_sources
        else None,
        "customers": customers_json(town, found),
        "hydrants_dry": dry_hydrants(town, found),
        "refeed": refeed_json(town, found),
    }


def lost_in(answer: Json) -> set[str]:
    """Name all who lose supply in an answer, shut or cut off."""
    return set(answer["customers"]["shut"]) | set(answer["customers"]["cut_off"] or [])


def answer(town: Town, broken: set[Place]) -> Json:
    """Answer for a set of broken places, both ways where positions are unknown."""
    as_open = one_answer(town, broken)
    as_closed = one_answer(town, broken, unknown_is_closed=True)
    return {
        **as_open,
        "if_unknown_closed": None if as_closed == as_open else as_closed,
        "customers_differ": sorted(lost_in(as_open) ^ lost_in(as_closed)),
    }


def with_facts(town: Town, ids: Iterable[str], **facts: object) -> Town:
    """Give a town in which some devices have other facts."""
    chosen = set(ids)
    changed = {
        kind: [device | facts if device["id"] in chosen else device for device in town[kind]]
        for kind in ("valves", "control_valves", "pumps")
    }
    return town | changed


# ---- where a break may be ------------------------------------------------------------------------


def break_of_pipe(town: Town, name: str, at_m: float | None = None) -> set[Place]:
    """Break a pipe at a place, or all of it."""
    pipe = find(town["pipes"], name)
    if at_m is None:
        return set(parts_of(town, pipe))
    return {place_of(town, {"pipe": name, "at_m": at_m})}


def break_of_device(town: Town, name: str) -> set[Place]:
    """Break a valve or pump: what touches it on either side."""
    for pipe in town["pipes"]:
        laid = links_of_pipe(town, {**pipe, "status": "open"}, unknown_is_closed=False)
        for link in laid:
            if link.kind == "valve" and link.id == name:
                return {link.tail, link.head}
    device = find([*town["valves"], *town["control_valves"], *town["pumps"]], name)
    return {("node", device["start_node"]), ("node", device["end_node"])}


# ---- weak spots ----------------------------------------------------------------------------------


def all_places(town: Town) -> set[Place]:
    """List every node and part."""
    nodes: set[Place] = {("node", node["id"]) for node in town["nodes"]}
    return nodes | {part for pipe in town["pipes"] for part in parts_of(town, pipe)}


def segments(town: Town) -> list[set[Place]]:
    """Divide a town into maximal sets of parts joined both ways without anything closable."""
    links = links_of(town)
    floods = {place: segment_of(links, {place}) for place in all_places(town)}
    found: list[set[Place]] = []
    for place in sorted(floods, key=str):
        if not any(place in segment for segment in found):
            found.append({p for p in floods[place] if p in floods and place in floods[p]})
    return found


def segment_names(town: Town, found: list[set[Place]]) -> list[str]:
    """Name segments: first pipe or node, and the metre where the name alone is not enough."""
    firsts: list[tuple[str, int, float]] = []
    for segment in found:
        pipes = pipes_in(segment)
        if pipes:
            part = min(place for place in segment if place[:2] == ("part", pipes[0]))
            firsts.append((pipes[0], int(part[2]), start_of(town, part)))
        else:
            firsts.append((min(str(place[1]) for place in segment), 0, 0.0))
    return [_name_of(one, [other for other in firsts if other[0] == one[0]]) for one in firsts]


def _name_of(one: tuple[str, int, float], alike: list[tuple[str, int, float]]) -> str:
    """Give the metre as many digits as tell it from every other; count those at one place."""
    name, part, metre = one
    lowest = min(number for _, number, _ in alike)
    if part == lowest:
        return name
    others = [each for each in alike if each[1] != lowest]
    here = [number for _, number, at in others if f"{at:.3f}" == f"{metre:.3f}"]
    elsewhere = [at for _, number, at in others if number not in here]
    digits = next(
        d for d in (1, 2, 3) if all(f"{at:.{d}f}" != f"{metre:.{d}f}" for at in elsewhere)
    )
    count = sum(1 for number in here if number <= part)
    return f"{name}@{metre:.{digits}f}" + (f"#{count}" if count > 1 else "")


def properties_lost(town: Town, broken: set[Place]) -> tuple[int, int | None]:
    """Sum the properties shut and cut off by a break."""
    found = work_out(town, broken)
    sums = {"shut": 0, "cut_off": 0}
    for name, how in losses(town, found).items():
        sums[how] += find(town["customers"], name).get("properties", 1)
    return sums["shut"], sums["cut_off"] if found.has_sources else None


def total_lost(town: Town, broken: set[Place]) -> int:
    """Sum the properties that a break takes from supply."""
    shut_off, cut_off = properties_lost(town, broken)
    return shut_off + (cut_off or 0)


def weak_segments(town: Town) -> list[Json]:
    """Answer `weak-spots --by segment`, as far as it is about supply."""
    found = segments(town)
    rows = []
    for segment, name in zip(found, segment_names(town, found), strict=True):
        one = work_out(town, segment)
        shut_off, cut_off = properties_lost(town, segment)
        lost = losses(town, one)
        rows.append(
            {
                "segment": name,
                "pipes": pipes_in(segment),
                "valves": sorted(link.id for link in [*one.to_close, *one.optional]),
                "length_m": sum((length_of(town, p) for p in segment if p[0] == "part"), start=0.0),
                "properties_shut": shut_off,
                "properties_cut_off": cut_off,
                "properties_lost": shut_off + (cut_off or 0),
                "critical_lost": sum(
                    1 for c in town["customers"] if c["id"] in lost and c.get("critical")
                ),
            }
        )
    return rows


def weak_valves(town: Town) -> dict[str, tuple[int, int]]:
    """Answer `weak-spots --by valve`: loss if it fails, and how much of that is extra."""
    devices = [*town["valves"], *(c for c in town["control_valves"] if c.get("isolates"))]
    rows = {device["id"]: (0, 0) for device in devices}
    links = links_of(town)
    onward = {link.tail: link.head for link in links if link.kind == "check"}
    for link in links:
        if link.kind not in VALVES or link.is_closed:
            continue
        # Between pipe and check lies no part: what the valve parts there are pipe and node.
        sides = [
            onward.get(end, end) if end[0] == "stub" else end for end in (link.tail, link.head)
        ]
        floods = [segment_of(links, {side}) for side in sides]
        if sides[0] in floods[1] and sides[1] in floods[0]:
            continue
        together = total_lost(town, set(sides))
        rows[link.id] = (together, together - max(total_lost(town, {side}) for side in sides))
    return rows


def weak_pipes(town: Town) -> dict[str, float]:
    """Answer `weak-spots --by pipe`: properties lost, the mean over the parts by length."""
    rows = {}
    for pipe in town["pipes"]:
        parts = parts_of(town, pipe)
        weighed = [length_of(town, part) * total_lost(town, {part}) for part in parts]
        # A pipe without length has one part.
        rows[pipe["id"]] = (
            sum(weighed) / pipe["length_m"] if pipe["length_m"] else total_lost(town, {parts[0]})
        )
    return rows
