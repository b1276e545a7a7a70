"""The network as it stands now, and the edits of its valves."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from fieldops.errors import ConflictError, NotFoundError
from fieldops.network import queries
from gis.lines import Lines, distances_m, metres_per_degree
from gis.placement import cuts_m
from gis.segments import SNAP_M
from gis.world import World

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from fieldops.network.queries import (
        DrawnPipe,
        DrawnValve,
        FactChange,
        NetworkKeys,
        NetworkState,
        ValveFacts,
    )
    from gis.network import Network

FARTHEST_M = 25.0
"""No valve belongs to a pipe that is drawn farther away from it."""
CORRECTABLE = {
    "valve": ("turns", "closes", "diameter_mm", "valve_type"),
    "pipe": ("diameter_mm", "material"),
}
"""What a person may correct of a feature besides the facts of the day."""


@dataclass(frozen=True, slots=True, eq=False)
class StoredNetwork:
    """The network of one revision, divided and with its water running, and the keys of its rows."""

    revision: int
    world: World
    keys: NetworkKeys

    @property
    def network(self) -> Network:
        """The arrays themselves."""
        return self.world.network


def current_network(session: Session) -> StoredNetwork:
    """
    Give the network as it stands, read from the database only when it has changed.

    Facts of valves arrive as a list of changes; anything else is read anew, by one thread at a
    time, in a transaction that sees one state. A transaction with edits of its own sees them.
    """
    kept = session.info["kept"]
    state = queries.read_state(session)
    if state.own_step:
        return _edited_network(session, state)
    stored: StoredNetwork | None = kept.get("network")
    if stored is not None and stored.revision >= state.revision:
        return stored
    with kept.setdefault("network_lock", Lock()):
        stored = kept.get("network")
        if stored is None or stored.revision < state.revision:
            with queries.open_snapshot(session) as clean:
                stored = kept["network"] = _bring_up_to_date(clean, stored)
    return stored


def _edited_network(session: Session, state: NetworkState) -> StoredNetwork:
    """Read the network with the uncommitted edits of this transaction; each step of it once."""
    kept = session.info["kept"].get("network_edited")
    if kept is None or kept[0] != state.own_step:
        stored = _read_network(session, state.revision)
        kept = session.info["kept"]["network_edited"] = (state.own_step, stored)
    found: StoredNetwork = kept[1]
    return found


def _bring_up_to_date(clean: Session, stored: StoredNetwork | None) -> StoredNetwork:
    now = queries.read_state(clean).revision
    if stored is None or queries.is_reload_needed(clean, stored.revision):
        return _read_network(clean, now)
    return replace(
        stored,
        revision=now,
        world=_change_world(stored, queries.read_changes(clean, stored.revision)),
    )


def _read_network(session: Session, revision: int) -> StoredNetwork:
    snap_m = queries.read_snap_m(session)
    network, keys = queries.load_network(session)
    return StoredNetwork(revision, World.of(network, SNAP_M if snap_m is None else snap_m), keys)


def _change_world(stored: StoredNetwork, changes: Sequence[FactChange]) -> World:
    last = {(change.kind, change.key): change for change in changes}
    at = {stored.keys.device_row(*place): change for place, change in last.items()}
    at.pop(-1, None)
    if not at:
        return stored.world
    return stored.world.with_facts(
        np.array(list(at), dtype=np.int32),
        position=np.array(
            [queries.POSITIONS.index(change.position) for change in at.values()], dtype=np.int8
        ),
        operability=np.array(
            [queries.OPERABILITIES.index(change.operability) for change in at.values()],
            dtype=np.int8,
        ),
        reachable=np.array([change.reachable for change in at.values()], dtype=bool),
    )


def describe_network(session: Session) -> dict[str, Any]:
    """Tell how much of everything is stored, and at which revisions."""
    state = queries.read_state(session)
    return {
        "counts": queries.count_features(session),
        "revision": state.revision,
        "geometry_revision": state.geometry_revision,
        "assumed_positions": queries.count_assumed(session),
        "bbox": queries.read_bounds(session),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class FactsWish:
    """What somebody wants to record of a valve; None leaves a fact as it is."""

    position: str | None = None
    operability: str | None = None
    reachable: bool | None = None
    base_revision: int | None = None
    """The revision that the person had before their eyes."""


def change_valve_facts(
    session: Session, valve: str, wish: FactsWish, *, by: str, now: dt.datetime
) -> ValveFacts:
    """
    Record facts of a valve and give them all. The number of the edit is given at commit.

    Raises
    ------
    NotFoundError
        If there is no such isolation valve.
    ConflictError
        If somebody else has changed the same fact since `base_revision`, to something else.
    """
    found = queries.lock_valve(session, valve)
    if found is None:
        raise NotFoundError("There is no valve %(valve)s.", valve=valve)
    table, key, facts = found
    wanted = {
        name: value
        for name in ("position", "operability", "reachable")
        if (value := getattr(wish, name)) is not None
    }
    if wish.base_revision is not None:
        _check_unchanged(session, valve, found, wanted, wish.base_revision)
    after = replace(facts, **wanted)
    is_told = wish.position is not None
    if after != facts or is_told:
        queries.set_person(session, by, now)
        queries.update_facts(session, table, key, replace(after, is_position_known=is_told))
    return after


def _check_unchanged(
    session: Session,
    valve: str,
    found: tuple[str, int, ValveFacts],
    wanted: dict[str, Any],
    revision: int,
) -> None:
    table, _, facts = found
    before = queries.read_facts_at(session, table, valve, revision)
    if before is None:
        return
    seen, by = before
    for name, value in wanted.items():
        now = getattr(facts, name)
        if now not in {getattr(seen, name), value}:
            raise ConflictError(
                'The "%(fact)s" of valve %(valve)s was changed meanwhile by %(by)s: it is now'
                " %(theirs)s, and you sent %(yours)s. Look at it again before you change it.",
                fact=name,
                valve=valve,
                by=by or "?",
                theirs=json.dumps(now),
                yours=json.dumps(value),
            )


def list_facts(session: Session, since: int) -> dict[str, Any]:
    """Give the facts of valves that a map at a revision has to learn; at 0 it knows none."""
    state = queries.read_state(session)
    changes: list[FactChange] = []
    if since <= 0 or since > state.revision or queries.is_reload_needed(session, since):
        changes = queries.read_unusual(session)
    if 0 < since <= state.revision:
        changes = [*queries.read_changes(session, since), *changes]
    last = {(change.kind, change.key): change for change in changes}
    return {
        "revision": state.revision,
        "geometry_revision": state.geometry_revision,
        "valves": [
            {
                "kind": change.kind,
                "key": change.key,
                "position": change.position,
                "operability": change.operability,
                "reachable": change.reachable,
            }
            for change in last.values()
        ],
    }


def describe_pipe(session: Session, pipe: str) -> dict[str, Any]:
    """
    Give all that is recorded of a pipe, and its history.

    Raises
    ------
    NotFoundError
        If there is no such pipe.
    """
    record = queries.read_record(session, "pipe", pipe)
    if record is None:
        raise NotFoundError("There is no pipe %(pipe)s.", pipe=pipe)
    return record | {"history": queries.read_history(session, "pipe", pipe)}


def describe_valve(session: Session, valve: str) -> dict[str, Any]:
    """
    Give all that is recorded of a valve, and its history.

    Raises
    ------
    NotFoundError
        If there is no such valve.
    """
    for kind in ("valve", "control_valve"):
        record = queries.read_record(session, kind, valve)
        if record is not None:
            history = queries.read_history(session, kind, valve)
            return record | {"kind": kind, "history": history}
    raise NotFoundError("There is no valve %(valve)s.", valve=valve)


def current_revision(session: Session) -> int:
    """Give the number of the last edit."""
    return queries.read_state(session).revision


@dataclass(frozen=True, slots=True)
class PipePlace:
    """The place on a pipe that is nearest to a point."""

    pipe_key: int
    pipe: str
    at_m: float
    distance_m: float
    lon: float
    lat: float


def box_around(lon: float, lat: float, margin_m: float) -> tuple[float, float, float, float]:
    """Give the box of degrees (west, south, east, north) that reaches so far around a point."""
    east, north = (float(scale[0]) for scale in metres_per_degree(np.array([lat])))
    wide, high = margin_m / max(east, 1.0), margin_m / north
    return lon - wide, lat - high, lon + wide, lat + high


def list_pipe_places(
    session: Session, lon: float, lat: float, within_m: float = FARTHEST_M
) -> list[PipePlace]:
    """Give the nearest place on each pipe around a point, the nearest pipe first."""
    pipes = queries.read_pipes_in(session, box_around(lon, lat, within_m))
    places = [_place_on(pipe, lon, lat) for pipe in pipes]
    return sorted(
        (place for place in places if place.distance_m <= within_m),
        key=lambda place: place.distance_m,
    )


def _place_on(pipe: DrawnPipe, lon: float, lat: float) -> PipePlace:
    lines = Lines.of([pipe.line])
    (fraction,), (distance_m,) = lines.project(np.array([0]), np.array([lon]), np.array([lat]))
    at = float(fraction) * float(lines.length_m[0])
    return PipePlace(
        pipe_key=pipe.key,
        pipe=pipe.id,
        at_m=min(round(float(fraction) * pipe.length_m, 6), pipe.length_m),
        distance_m=float(distance_m),
        lon=float(np.interp(at, lines.along_m, lines.lon)),
        lat=float(np.interp(at, lines.along_m, lines.lat)),
    )


def distance_m(lon: float, lat: float, to_lon: float, to_lat: float) -> float:
    """Give how far two points are apart."""
    return float(distances_m(*(np.array([x]) for x in (lon, lat, to_lon, to_lat)))[0])


def find_drawn_valve(session: Session, valve: str) -> DrawnValve | None:
    """Tell where a valve is drawn; None where there is none of this id."""
    return queries.read_drawn_valve(session, valve)


def list_drawn(
    session: Session, box: tuple[float, float, float, float]
) -> tuple[list[DrawnPipe], list[DrawnValve]]:
    """Give the pipes and valves that are drawn in a box of degrees."""
    return queries.read_pipes_in(session, box), queries.read_valves_in(session, box)


def move_valve(
    session: Session,
    valve: str,
    lon: float,
    lat: float,
    *,
    pipe: str | None = None,
    by: str,
    now: dt.datetime,
) -> PipePlace:
    """
    Put a valve where it really is: on the pipe, at the place nearest to a point.

    The pipe is its own, if that runs by the point, else the nearest; or the one that is named.

    Raises
    ------
    NotFoundError
        If there is no such valve.
    ConflictError
        If it stands between two nodes, or no such pipe runs by the point.
    """
    drawn = _lock_drawn(session, valve)
    place = _choose_place(list_pipe_places(session, lon, lat), pipe, drawn.pipe)
    pipes = sorted({place.pipe_key, *([drawn.pipe_key] if drawn.pipe_key else [])})
    queries.lock_pipes(session, pipes)
    queries.set_person(session, by, now)
    queries.update_place(session, drawn.key, place.pipe_key, place.at_m, (place.lon, place.lat))
    _cut_again(session, pipes)
    return place


def add_valve(
    session: Session,
    valve: str,
    lon: float,
    lat: float,
    *,
    pipe: str | None = None,
    by: str,
    now: dt.datetime,
) -> PipePlace:
    """
    Draw a valve that nobody had drawn, on the pipe at the place nearest to a point.

    Raises
    ------
    ConflictError
        If there is a valve of this id, or no such pipe runs by the point.
    """
    is_taken = queries.read_drawn_valve(session, valve) or queries.lock_valve(session, valve)
    if is_taken:
        raise ConflictError("There is a valve %(valve)s already.", valve=valve)
    place = _choose_place(list_pipe_places(session, lon, lat), pipe, None)
    queries.lock_pipes(session, [place.pipe_key])
    queries.set_person(session, by, now)
    queries.insert_valve(session, valve, place.pipe_key, place.at_m, (place.lon, place.lat))
    _cut_again(session, [place.pipe_key])
    return place


def mark_valve_absent(session: Session, valve: str, *, by: str, now: dt.datetime) -> None:
    """
    Record that no valve is where one is drawn: no plan counts on it, and it holds no water back.

    The drawing stays, marked, so that whoever finds the valve after all can say so.

    Raises
    ------
    NotFoundError
        If there is no such valve.
    ConflictError
        If it stands between two nodes.
    """
    drawn = _lock_drawn(session, valve)
    queries.set_person(session, by, now)
    queries.update_absent(session, drawn.key)


def correct_feature(
    session: Session, kind: str, feature: str, facts: dict[str, Any], *, by: str, now: dt.datetime
) -> None:
    """
    Record what a valve or pipe really is; see `CORRECTABLE`.

    Raises
    ------
    NotFoundError
        If there is none of this id.
    """
    known = {name: value for name, value in facts.items() if name in CORRECTABLE[kind]}
    if not known:
        return
    queries.set_person(session, by, now)
    if queries.update_facts_of(session, kind, feature, known) is None:
        raise _NO_FEATURE[kind](feature)


_NO_FEATURE = {
    "valve": lambda feature: NotFoundError("There is no valve %(valve)s.", valve=feature),
    "pipe": lambda feature: NotFoundError("There is no pipe %(pipe)s.", pipe=feature),
}


def _lock_drawn(session: Session, valve: str) -> DrawnValve:
    drawn = queries.read_drawn_valve(session, valve, is_locking=True)
    if drawn is None:
        raise NotFoundError("There is no valve %(valve)s.", valve=valve)
    if not drawn.is_point:
        raise ConflictError(
            "Valve %(valve)s stands between two nodes: correct it in the network file.",
            valve=valve,
        )
    return drawn


def _choose_place(places: Sequence[PipePlace], wanted: str | None, own: str | None) -> PipePlace:
    for pipe in (wanted, own) if wanted is None else (wanted,):
        for place in places:
            if place.pipe == pipe:
                return place
    if wanted is not None or not places:
        raise ConflictError(
            "No such pipe is drawn within %(distance)s m of the place.", distance=round(FARTHEST_M)
        )
    return places[0]


def _cut_again(session: Session, pipe_keys: Sequence[int]) -> None:
    """Say where the valves of some pipes divide them, by the rule of the import."""
    snap_m = queries.read_snap_m(session)
    for key in pipe_keys:
        length_m, at_m = queries.read_places_on(session, key)
        on_pipe = np.zeros(len(at_m), dtype=np.int32)
        _, cuts = cuts_m(
            np.array([length_m]), on_pipe, np.array(at_m), SNAP_M if snap_m is None else snap_m
        )
        queries.update_cuts(session, key, cuts.tolist() or None)


def read_own_edit(session: Session) -> int | None:
    """Give the key of what this transaction has changed so far; None where it changed nothing."""
    return queries.read_own_edit(session)
