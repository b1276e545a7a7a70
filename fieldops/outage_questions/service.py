"""A question put to the network as it stands: ids become rows, what-ifs a world of their own."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fieldops.errors import FieldopsError, NotFoundError
from fieldops.network.service import current_network
from fieldops.outage_questions import queries
from gis.isolation import Break
from gis.lines import Lines
from gis.network import DeviceKind, Operability, Position

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray
    from sqlalchemy.orm import Session

    from fieldops.network.service import StoredNetwork
    from fieldops.outage_questions.queries import Device, Line
    from gis.network import Rows
    from gis.world import World

PARTS_A_PIPE = 64
"""Feature ids of parts in the tiles: the pipe's key times this, plus the number of the part."""
END_TOLERANCE_M = 0.0005
"""Lengths are told to the millimetre: the end as told is still on the pipe."""
GATES = ("valve", "control_valve")
"""Tables of what can be closed for good; a pump is only stopped."""


class UnknownThingError(NotFoundError):
    """Something named in the question is not in the network."""

    code = "unknown-id"


class PlaceError(FieldopsError):
    """A place that is not on its pipe."""

    code = "not-on-pipe"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """
    What breaks, and what is different from the records.

    `place` is a point (lon, lat) beside the first pipe, in place of its metres.
    """

    pipes: Sequence[tuple[str, float | None]] = ()
    valves: Sequence[str] = ()
    nodes: Sequence[str] = ()
    hydrants: Sequence[str] = ()
    inoperable: Sequence[str] = ()
    unreachable: Sequence[str] = ()
    closed: Sequence[str] = ()
    opened: Sequence[str] = ()
    place: tuple[float, float] | None = None
    with_customers: bool = False
    with_intervals: bool = False
    with_keys: bool = False


class NamedRows:
    """Ids and keys of the network's rows, looked up together and only where needed."""

    def __init__(self, session: Session, stored: StoredNetwork) -> None:
        self.session = session
        self.stored = stored
        self._wanted: dict[str, set[int]] = defaultdict(set)
        self._ids: dict[str, dict[int, str]] = {}

    def want(self, kind: str, rows: Iterable[int]) -> None:
        """Note that the ids of these rows will be asked for."""
        if kind == "device":
            for row in rows:
                self._wanted[self.stored.keys.device_table(row)].add(self.key("device", row))
        else:
            keys = keys_of(self.stored, kind)
            self._wanted[kind].update(keys[np.asarray(rows, dtype=np.int64)].tolist())

    def fetch(self) -> None:
        """Look up all ids noted, in one statement."""
        self._ids = queries.fetch_ids(self.session, self._wanted)

    def key(self, kind: str, row: int) -> int:
        """Give the key of a row."""
        return int(keys_of(self.stored, kind)[row])

    def id(self, kind: str, row: int) -> str:
        """Give the id of a row noted before."""
        table = self.stored.keys.device_table(row) if kind == "device" else kind
        return self._ids[table][self.key(kind, row)]

    def sorted_ids(self, kind: str, rows: Rows) -> list[str]:
        """Give ids in text order."""
        return sorted(self.id(kind, row) for row in rows.tolist())

    def devices(self, rows: Iterable[int]) -> dict[int, Device]:
        """Read what is recorded of some devices, by row."""
        places = {
            (self.stored.keys.device_table(row), self.key("device", row)): row for row in rows
        }
        wanted: dict[str, list[int]] = defaultdict(list)
        for table, key in places:
            wanted[table].append(key)
        found = queries.fetch_devices(self.session, wanted)
        return {places[place]: device for place, device in found.items()}


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """
    One question put to the network as it stands.

    `world` is the network with what the question supposes, `overrides` the devices it does so of.
    """

    session: Session
    stored: StoredNetwork
    question: Question
    rows: NamedRows
    world: World
    broken: Break
    overrides: Mapping[str, Rows]

    @classmethod
    def of(cls, session: Session, question: Question, stored: StoredNetwork | None = None) -> Case:
        """
        Find all that a question names, in the network as it stands or in another state of it.

        Raises
        ------
        UnknownThingError
            If something named is not in the network.
        PlaceError
            If a place is not on its pipe.
        FieldopsError
            If nothing is said to break.
        """
        stored = stored or current_network(session)
        rows = NamedRows(session, stored)
        named, line = _look_up(session, stored, question)
        broken = Break(
            pipes=_places(stored, question, named["pipe"], line),
            nodes=[named["node"][one][0] for one in question.nodes],
            devices=[row for one in question.valves for row in named["valve"][one]],
            hydrants=[named["hydrant"][one][0] for one in question.hydrants],
            closing=sorted({row for one in question.closed for row in named["valve"][one]}),
        )
        overrides = {
            name: np.array(
                sorted({row for one in getattr(question, name) for row in named["valve"][one]}),
                dtype=np.int32,
            )
            for name in ("inoperable", "unreachable", "opened")
        }
        world = _override(stored.world, overrides)
        return cls(session, stored, question, rows, world, broken, overrides)

    def world_if_unknown_closed(self) -> World | None:
        """Give the world with all valves of unknown position closed; None where there are none."""
        closed = self.stored.world.with_unknown_closed()
        return None if closed is self.stored.world else _override(closed, self.overrides)

    def tile_ids(self, parts: Rows) -> list[int]:
        """Give the ids that parts of pipes have in the map's tiles."""
        blocks = self.world.blocks
        pipe = blocks.part_pipe[parts]
        number = parts - blocks.first_part[pipe]
        ids = keys_of(self.stored, "pipe")[pipe] * PARTS_A_PIPE + number
        return [int(one) for one in np.sort(ids)]


def _look_up(
    session: Session, stored: StoredNetwork, question: Question
) -> tuple[dict[str, dict[str, list[int]]], Line | None]:
    """Find the rows of everything the question names, and the line that its place is beside."""
    valves = {
        *question.valves,
        *question.inoperable,
        *question.unreachable,
        *question.closed,
        *question.opened,
    }
    asked = {
        "pipe": {text_id for text_id, _ in question.pipes},
        "node": set(question.nodes),
        "hydrant": set(question.hydrants),
        "valve": valves,
    }
    broken = (question.pipes, question.valves, question.nodes, question.hydrants)
    if not any(broken) and not question.closed:
        raise FieldopsError("Name at least one pipe, valve, node or hydrant that is broken.")
    first, at_m = question.pipes[0] if question.pipes else (None, None)
    keys, line = queries.fetch_keys(
        session,
        {**asked, "control_valve": valves},
        line_of=first if question.place and at_m is None else None,
    )
    rows: dict[str, dict[str, list[int]]] = {}
    for kind, ids in asked.items():
        rows[kind] = {}
        for text_id in ids:
            found = (
                device_rows(stored, keys, text_id)
                if kind == "valve"
                else [row_of(stored, kind, keys[kind].get(text_id, -1))]
            )
            if not found or found[0] < 0:
                raise _unknown(kind, text_id)
            rows[kind][text_id] = found
    return rows, line


def _unknown(kind: str, text_id: str) -> UnknownThingError:
    if kind == "pipe":
        return UnknownThingError("There is no pipe %(id)s.", id=text_id)
    if kind == "node":
        return UnknownThingError("There is no node %(id)s.", id=text_id)
    if kind == "hydrant":
        return UnknownThingError("There is no hydrant %(id)s.", id=text_id)
    return UnknownThingError("There is no valve %(id)s.", id=text_id)


def device_rows(
    stored: StoredNetwork, keys: Mapping[str, Mapping[str, int]], text_id: str
) -> list[int]:
    """Find a valve's row by its id; an isolating control valve is a valve, too."""
    found = []
    for table in GATES:
        row = stored.keys.device_row(table, keys[table].get(text_id, -1))
        if row >= 0 and stored.world.network.device_kind[row] != DeviceKind.CONTROL_VALVE:
            found.append(row)
    return found


def find_gate(
    session: Session, stored: StoredNetwork, text_id: str, table: str | None = None
) -> Device | None:
    """Find a valve that can shut a pipe by its id, None where there is none in the network."""
    wanted = {each: {text_id} for each in GATES if table in {None, each}}
    found, _ = queries.fetch_keys(session, wanted)
    keys = {each: found.get(each, {}) for each in GATES}
    rows = device_rows(stored, keys, text_id)
    return NamedRows(session, stored).devices(rows[:1])[rows[0]] if rows else None


def keys_of(stored: StoredNetwork, kind: str) -> NDArray[np.int64]:
    """Give the keys of all rows of a kind; devices are valves, pumps and control valves."""
    keys: NDArray[np.int64] = getattr(stored.keys, f"{kind}s")
    return keys


def row_of(stored: StoredNetwork, kind: str, key: int) -> int:
    """Give the row of a key, -1 if it is not there."""
    keys = keys_of(stored, kind)
    row = int(np.searchsorted(keys, key))
    return row if row < keys.size and keys[row] == key else -1


def _places(
    stored: StoredNetwork, question: Question, rows: dict[str, list[int]], line: Line | None
) -> list[tuple[int, float | None]]:
    """Pair each broken pipe with the place of its break."""
    places: list[tuple[int, float | None]] = []
    for text_id, at_m in question.pipes:
        row = rows[text_id][0]
        length_m = float(stored.world.network.pipe_length_m[row])
        place = at_m
        if place is None and question.place and line and not places:
            place = _project(length_m, line, question.place)
        if place is not None:
            if not -END_TOLERANCE_M <= place <= length_m + END_TOLERANCE_M:
                raise PlaceError(
                    "%(at_m)s m is not on the pipe %(id)s, which is %(length_m)s m long:"
                    " give a place from 0 to %(length_m)s.",
                    at_m=at_m,
                    id=text_id,
                    length_m=f"{length_m:.3f}".rstrip("0").rstrip("."),
                )
            place = min(max(place, 0.0), length_m)
        places.append((row, place))
    return places


def _project(length_m: float, line: Line, place: tuple[float, float]) -> float:
    """Find the metre of a pipe nearest to a point on the map."""
    fraction, _ = Lines.of([line]).project(
        np.array([0]), np.array([place[0]]), np.array([place[1]])
    )
    return float(fraction[0] * length_m)


def _override(world: World, overrides: Mapping[str, Rows]) -> World:
    """Give the world in which some valves are as the question says."""
    if overrides["opened"].size:
        world = world.with_facts(overrides["opened"], position=Position.OPEN, is_open=True)
    if overrides["inoperable"].size:
        world = world.with_facts(overrides["inoperable"], operability=Operability.INOPERABLE)
    if overrides["unreachable"].size:
        world = world.with_facts(overrides["unreachable"], reachable=False)
    return world
