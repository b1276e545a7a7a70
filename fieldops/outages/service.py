"""Who loses supply if something breaks: the one answer behind map, command line, file and paper."""

from __future__ import annotations

import datetime as dt
import math
from collections import defaultdict
from dataclasses import dataclass, field
from threading import BoundedSemaphore
from typing import TYPE_CHECKING, Any

import numpy as np

from fieldops.errors import FieldopsError, NotFoundError
from fieldops.network.service import current_network
from fieldops.outages import queries
from gis.explain import SupplyPath, explain_block, explain_valve
from gis.intervals import block_intervals, premises_intervals
from gis.isolation import Break, isolate
from gis.lines import Lines, metres_per_degree
from gis.network import DeviceKind, Operability, Position
from gis.refeed import find_refeeds
from gis.tanks import find_tank_fed
from gis.timeline import ValveTask, plan_times

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray
    from sqlalchemy.orm import Session

    from fieldops.network.service import StoredNetwork
    from fieldops.outages.queries import Device
    from gis.isolation import Isolation
    from gis.network import Rows
    from gis.refeed import Refeed
    from gis.restoration import Quantiles
    from gis.tanks import TankFed
    from gis.timeline import Timeline
    from gis.world import World

PARTS_A_PIPE = 64
"""Feature ids of parts in the tiles: the pipe's key times this, plus the number of the part."""
END_TOLERANCE_M = 0.0005
"""Lengths are told to the millimetre: the end as told is still on the pipe."""

GATES = ("valve", "control_valve")
SEARCHES = BoundedSemaphore(2)
"""More searches at once than this would take the processors from everybody else's requests."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomersLost:
    """Who loses supply; `shut` and `cut_off` only if asked for, None also where not judged."""

    connections: int
    properties: int
    people: int | None
    critical: list[str]
    guessed: int
    already_dry: int | None
    shut: list[str] | None
    cut_off: list[str] | None


@dataclass(frozen=True, slots=True)
class RefeedBy:
    """A closed valve whose opening would bring water back."""

    valve: str
    properties_regained: int
    crosses_boundary: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What isolating the break does. None where it could not be judged."""

    isolated: bool
    valves_to_close: list[str]
    valves_optional: list[str]
    valves_verify_shut: list[str]
    pumps_to_stop: list[str]
    sources_shut: list[str]
    pipes_shut: list[str]
    pipes_cut_off: list[str] | None
    customers: CustomersLost
    hydrants_dry: list[str]
    refeed: list[RefeedBy] | None


@dataclass(frozen=True, slots=True)
class Remark:
    """Something to know about the answer; `id` names what it is about, None for the whole."""

    code: str
    id: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Moments:
    """A forecast moment: one in ten is before p10, half before p50, one in ten after p90."""

    p10: dt.datetime
    p50: dt.datetime
    p90: dt.datetime


@dataclass(frozen=True, slots=True)
class ValveStep:
    """A valve to close, in the order of work from 1."""

    number: int
    device: Device
    closed: Moments
    reopened: Moments


@dataclass(frozen=True, slots=True)
class Interval:
    """One customer's own outage; None where it could not be told."""

    customer: str
    mains_off: dt.datetime | None
    tap_dry: dt.datetime | None
    restored: dt.datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutageAnswer:
    """Ids, numbers and times; nothing drawn, nobody named."""

    question: Question
    at_m: float | None
    network_revision: int
    effect: Effect
    water_stopped: Moments
    restored: Moments
    if_unknown_closed: Effect | None
    customers_differ: list[str]
    remarks: list[Remark]
    steps: list[ValveStep]
    devices: Mapping[str, list[Device]]
    """Other devices by what they are in the plan: optional, verify_shut, pump, refeed, stuck."""
    intervals: list[Interval]
    keys: dict[str, Any]
    """Keys for the map: always as the map wants them, empty unless asked for."""


def preview_outage(session: Session, question: Question, now: dt.datetime) -> OutageAnswer:
    """
    Tell who loses supply if these things break, which valves to close, and until when.

    Nothing is stored: a dispatcher may look at as many pipes as she likes.

    Raises
    ------
    UnknownThingError
        If something named is not in the network.
    PlaceError
        If a place is not on its pipe.
    FieldopsError
        If nothing is said to break.
    """
    case = _Case.of(session, question)
    with SEARCHES:
        return case.answer(now)


def warm_up(session: Session, now: dt.datetime) -> None:
    """Read the network and let a first answer compile the searches, before anybody waits for it."""
    stored = current_network(session)
    if stored.network.pipe_count == 0:
        return
    key = int(stored.keys.pipes[0])
    pipe = queries.fetch_ids(session, {"pipe": [key]})["pipe"][key]
    preview_outage(session, Question(pipes=[(pipe, None)], with_intervals=True), now)


def explain_supply(
    session: Session, question: Question, *, customer: str | None = None, valve: str | None = None
) -> dict[str, Any]:
    """
    Tell by which way a customer still has water or what parts it, or why a valve must be closed.

    Raises
    ------
    UnknownThingError
        If something named is not in the network.
    """
    return _Case.of(session, question).explain(customer, valve)


@dataclass(frozen=True, slots=True)
class Failure:
    """What it costs if one valve of a plan does not close."""

    valve: str
    more_valves: list[str]
    more_connections: int
    more_properties: int
    more_critical: list[str]
    isolated: bool


def preview_failures(session: Session, question: Question) -> list[Failure]:
    """Redo a plan once for each of its valves, as if that one could not be closed."""
    return _Case.of(session, question).fail_each()


class _Rows:
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
class _Ruling:
    """What the science says, as rows."""

    world: World
    isolation: Isolation
    refeeds: list[Refeed]

    @classmethod
    def of(cls, world: World, broken: Break) -> _Ruling:
        isolation = isolate(world, broken)
        return cls(world, isolation, find_refeeds(world, isolation))

    def says_the_same_as(self, other: _Ruling) -> bool:
        """Compare all that an answer tells."""
        mine, theirs = self.isolation, other.isolation
        lists = (
            *("valves_to_close", "valves_optional", "valves_verify_shut", "pumps_to_stop"),
            *("sources_shut", "pipes_shut", "pipes_cut_off", "premises_shut"),
            *("premises_cut_off", "premises_already_dry", "hydrants_dry"),
        )
        same = all(np.array_equal(getattr(mine, one), getattr(theirs, one)) for one in lists)
        return same and self.refeeds == other.refeeds

    @property
    def border(self) -> Rows:
        """Every device that the crew has to do with."""
        found = self.isolation
        return np.concatenate(
            [
                found.valves_to_close,
                found.valves_optional,
                found.valves_verify_shut,
                found.pumps_to_stop,
            ]
        )


@dataclass(slots=True, eq=False)
class _Case:
    """One question put to the network as it stands."""

    session: Session
    stored: StoredNetwork
    question: Question
    rows: _Rows
    world: World
    broken: Break
    overrides: dict[str, NDArray[np.int32]]

    @classmethod
    def of(cls, session: Session, question: Question) -> _Case:
        stored = current_network(session)
        rows = _Rows(session, stored)
        named = _look_up(session, stored, question)
        broken = Break(
            pipes=_places(session, stored, question, named["pipe"]),
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

    def answer(self, now: dt.datetime) -> OutageAnswer:
        ruling = _Ruling.of(self.world, self.broken)
        other = self._if_unknown_closed(ruling)
        tank_fed = find_tank_fed(self.world, ruling.isolation)
        differ = self._differ(ruling, other)
        stuck = _stuck_inside(self.world, ruling.isolation)
        doubtful = _doubtful(self.world, ruling, other)
        self._want(ruling, other, tank_fed, differ, np.concatenate([stuck, doubtful]))
        self.rows.fetch()
        border = [ruling.border] + ([other.border] if other else [])
        refeeding = [one.device for one in ruling.refeeds]
        devices = self.rows.devices({*np.concatenate(border).tolist(), *stuck.tolist(), *refeeding})
        timeline = _forecast(ruling.isolation, devices)
        steps = [
            ValveStep(number, devices[row], _moments(now, closed), _moments(now, reopened))
            for number, (row, closed, reopened) in enumerate(
                zip(timeline.order, timeline.closed, timeline.reopened, strict=True), start=1
            )
        ]
        effect = self._effect(ruling)
        return OutageAnswer(
            question=self.question,
            at_m=self.broken.pipes[0][1] if self.broken.pipes else None,
            network_revision=self.stored.revision,
            effect=effect,
            water_stopped=_moments(now, timeline.water_stopped),
            restored=_moments(now, timeline.restored),
            if_unknown_closed=self._effect(other) if other else None,
            customers_differ=sorted(self.rows.id("customer", row) for row in differ.tolist()),
            remarks=self._remarks(ruling, effect, devices, _Doubts(stuck, doubtful, tank_fed)),
            steps=steps,
            devices={
                name: sorted((devices[row] for row in rows), key=lambda one: one.id)
                for name, rows in {
                    "optional": ruling.isolation.valves_optional.tolist(),
                    "verify_shut": ruling.isolation.valves_verify_shut.tolist(),
                    "pump": ruling.isolation.pumps_to_stop.tolist(),
                    "refeed": refeeding,
                    "stuck": stuck.tolist(),
                }.items()
            },
            intervals=self._intervals(ruling, timeline, now)
            if self.question.with_intervals
            else [],
            keys=self._keys(ruling, steps) if self.question.with_keys else {},
        )

    def fail_each(self) -> list[Failure]:
        plan = _Ruling.of(self.world, self.broken).isolation
        found = {}
        for row in plan.valves_to_close.tolist():
            world = self.world.with_facts(
                np.array([row], dtype=np.int32), operability=Operability.INOPERABLE
            )
            found[row] = isolate(world, self.broken)
        network = self.world.network
        more_lost = {
            row: np.setdiff1d(wider.premises_lost, plan.premises_lost)
            for row, wider in found.items()
        }
        for row, wider in found.items():
            self.rows.want("device", [row, *wider.valves_to_close.tolist()])
            more = more_lost[row]
            self.rows.want("customer", more[network.premises_is_critical[more]])
        self.rows.fetch()
        return [
            Failure(
                valve=self.rows.id("device", row),
                more_valves=self.rows.sorted_ids(
                    "device", np.setdiff1d(wider.valves_to_close, plan.valves_to_close)
                ),
                more_connections=more_lost[row].size,
                more_properties=int(network.premises_properties[more_lost[row]].sum()),
                more_critical=self.rows.sorted_ids(
                    "customer", more_lost[row][network.premises_is_critical[more_lost[row]]]
                ),
                isolated=wider.is_isolated,
            )
            for row, wider in found.items()
        ]

    def explain(self, customer: str | None, valve: str | None) -> dict[str, Any]:
        wanted = {"customer": [customer] if customer else [], **dict.fromkeys(GATES, ())}
        if valve:
            wanted |= {table: [valve] for table in GATES}
        keys = queries.fetch_keys(self.session, wanted)
        isolation = isolate(self.world, self.broken)
        if valve:
            rows = _device_rows(self.stored, keys, valve)
            if not rows:
                raise UnknownThingError("There is no valve %(id)s.", id=valve)
            path = explain_valve(self.world, isolation, rows[0])
            return {"valve": valve, "why": self._tell_path(path)}
        if not customer:
            raise FieldopsError("Name a customer or a valve to explain.")
        row = _row_of(self.stored, "customer", keys["customer"].get(customer, -1))
        if row < 0:
            raise UnknownThingError("There is no customer %(id)s.", id=customer)
        members = self.world.members
        feeds = members.feeds_of_premises.of_blocks(np.array([row]))
        blocks = [int(block) for block in members.feed_block[feeds] if block >= 0]
        return {
            "customer": customer,
            "feeds": [
                self._tell_path(explain_block(self.world, isolation, block)) for block in blocks
            ],
        }

    def _tell_path(self, found: object) -> dict[str, Any] | None:
        if found is None:
            return None
        devices, pipes = getattr(found, "devices", ()), getattr(found, "pipes", ())
        self.rows.want("device", devices)
        self.rows.want("pipe", pipes)
        if isinstance(found, SupplyPath):
            self.rows.want("source", [found.source])
        self.rows.fetch()
        named = [self.rows.id("device", row) for row in devices]
        if isinstance(found, SupplyPath):
            return {
                "has_supply": True,
                "source": self.rows.id("source", found.source),
                "devices": named,
                "pipes": [self.rows.id("pipe", row) for row in pipes],
            }
        return {
            "has_supply": False,
            "parted_by": sorted(named),
            "segment_is_between": getattr(found, "segment_is_between", False),
        }

    def _if_unknown_closed(self, ruling: _Ruling) -> _Ruling | None:
        """Answer again with all valves of unknown position closed; None where that is the same."""
        closed = self.stored.world.with_unknown_closed()
        if closed is self.stored.world:
            return None
        other = _Ruling.of(_override(closed, self.overrides), self.broken)
        return None if other.says_the_same_as(ruling) else other

    def _differ(self, ruling: _Ruling, other: _Ruling | None) -> NDArray[np.int32]:
        if other is None:
            return np.zeros(0, dtype=np.int32)
        return np.setxor1d(ruling.isolation.premises_lost, other.isolation.premises_lost)

    def _want(
        self,
        ruling: _Ruling,
        other: _Ruling | None,
        tank_fed: list[TankFed],
        differ: NDArray[np.int32],
        doubts: NDArray[np.int32],
    ) -> None:
        """Note every row whose id the answer names."""
        is_critical = self.world.network.premises_is_critical
        want = self.rows.want
        for one in (ruling, other) if other else (ruling,):
            found, lost = one.isolation, one.isolation.premises_lost
            want("device", one.border.tolist())
            want("device", [each.device for each in one.refeeds])
            want("source", found.sources_shut)
            want("pipe", found.pipes_shut)
            want("pipe", found.pipes_cut_off)
            want("hydrant", found.hydrants_dry)
            asks_all = self.question.with_customers or self.question.with_intervals
            want("customer", lost if asks_all else lost[is_critical[lost]])
        want("customer", differ)
        want("device", doubts.tolist())
        for tank in tank_fed:
            want("source", tank.sources)

    def _effect(self, ruling: _Ruling) -> Effect:
        found, ids = ruling.isolation, self.rows.sorted_ids
        judged = found.has_sources
        return Effect(
            isolated=found.is_isolated,
            valves_to_close=ids("device", found.valves_to_close),
            valves_optional=ids("device", found.valves_optional),
            valves_verify_shut=ids("device", found.valves_verify_shut),
            pumps_to_stop=ids("device", found.pumps_to_stop),
            sources_shut=ids("source", found.sources_shut),
            pipes_shut=ids("pipe", found.pipes_shut),
            pipes_cut_off=ids("pipe", found.pipes_cut_off) if judged else None,
            customers=self._customers(found),
            hydrants_dry=ids("hydrant", found.hydrants_dry),
            refeed=[
                RefeedBy(
                    self.rows.id("device", one.device),
                    one.properties_regained,
                    one.crosses_boundary,
                )
                for one in ruling.refeeds
            ]
            if judged
            else None,
        )

    def _customers(self, found: Isolation) -> CustomersLost:
        network, lost = self.world.network, found.premises_lost
        people = network.premises_people[lost]
        ids = self.rows.sorted_ids
        names = self.question.with_customers
        return CustomersLost(
            connections=lost.size,
            properties=int(network.premises_properties[lost].sum()),
            people=None if (people < 0).any() else int(people.sum()),
            critical=ids("customer", lost[network.premises_is_critical[lost]]),
            guessed=int(network.premises_is_guessed[lost].sum()),
            already_dry=found.premises_already_dry.size if found.has_sources else None,
            shut=ids("customer", found.premises_shut) if names else None,
            cut_off=ids("customer", found.premises_cut_off)
            if names and found.has_sources
            else None,
        )

    def _remarks(
        self, ruling: _Ruling, effect: Effect, devices: dict[int, Device], doubts: _Doubts
    ) -> list[Remark]:
        network, found = self.world.network, ruling.isolation
        remarks = list(self._remarks_of_break())
        remarks += [Remark("source-on-segment", one) for one in effect.sources_shut]
        if not found.has_sources:
            remarks.append(Remark("no-source"))
        facts = self.world.facts
        for row in doubts.stuck.tolist():
            code = (
                "valve-inoperable"
                if facts.operability[row] == Operability.INOPERABLE
                else "valve-unreachable"
            )
            remarks.append(Remark(code, self.rows.id("device", row)))
        remarks += [
            Remark("position-unknown", self.rows.id("device", row))
            for row in doubts.doubtful.tolist()
        ]
        to_close = set(found.valves_to_close.tolist())
        said = {*ruling.border.tolist(), *doubts.stuck.tolist()}
        for row in sorted(said, key=lambda row: devices[row].id):
            is_to_close = row in to_close
            is_unknown = facts.operability[row] == Operability.UNKNOWN
            remarks += _remarks_of_valve(
                devices[row], is_to_close=is_to_close, is_unknown=bool(is_unknown)
            )
        remarks += _remarks_of_tanks(doubts.tank_fed, self.rows)
        remarks += [
            Remark("refeed-crosses-boundary", one.valve)
            for one in effect.refeed or ()
            if one.crosses_boundary
        ]
        lost = found.premises_lost
        unknown = int((network.premises_people[lost] < 0).sum())
        if unknown:
            remarks.append(Remark("people-unknown", None, {"count": unknown}))
        if effect.customers.guessed:
            remarks.append(Remark("customer-guessed", None, {"count": effect.customers.guessed}))
        if to_close:
            remarks.append(Remark("travel-estimated"))
        remarks.append(Remark("low-pressure-not-judged"))
        return list({(one.code, one.id): one for one in remarks}.values())

    def _remarks_of_break(self) -> Iterable[Remark]:
        first_part = self.world.blocks.first_part
        names = [text_id for text_id, _ in self.question.pipes]
        for text_id, (row, at_m) in zip(names, self.broken.pipes, strict=True):
            parts = int(first_part[row + 1] - first_part[row])
            if not self.world.network.pipe_is_open[row]:
                yield Remark("pipe-recorded-closed", text_id)
            if at_m is None and parts > 1:
                yield Remark("whole-pipe", text_id, {"count": parts})

    def _intervals(self, ruling: _Ruling, timeline: Timeline, now: dt.datetime) -> list[Interval]:
        """Give every customer who loses supply an interval, by the middle forecast."""
        found = ruling.isolation
        pumps = found.pumps_to_stop
        first = timeline.closed[0].p50 if timeline.closed else timeline.water_stopped.p50
        devices = np.concatenate([np.array(timeline.order, dtype=np.int32), pumps])
        closed = np.array([one.p50 for one in timeline.closed] + [first] * pumps.size)
        last = timeline.restored.p50
        reopened = np.array([one.p50 for one in timeline.reopened] + [last] * pumps.size)
        lost, regained = block_intervals(self.world, found, devices, closed, reopened)
        rows, off, dry, back = premises_intervals(self.world, found, lost, regained)
        intervals = [
            Interval(
                self.rows.id("customer", row), _moment(now, a), _moment(now, b), _moment(now, c)
            )
            for row, a, b, c in zip(
                rows.tolist(), off.tolist(), dry.tolist(), back.tolist(), strict=True
            )
        ]
        return sorted(intervals, key=lambda one: one.customer)

    def _keys(self, ruling: _Ruling, steps: list[ValveStep]) -> dict[str, Any]:
        """Give what the map recolours, as the feature ids of its tiles."""
        found, stored = ruling.isolation, self.stored

        def keys(kind: str, rows: Rows) -> list[int]:
            return sorted(keys_of(stored, kind)[rows].tolist())

        return {
            "parts_shut": self._tile_ids(found.parts_shut),
            "parts_cut_off": self._tile_ids(found.parts_cut_off),
            "valves_to_close": [
                {
                    "key": step.device.key,
                    "number": step.number,
                    "id": step.device.id,
                    "table": step.device.table,
                }
                for step in steps
            ],
            "valves_optional": keys("device", found.valves_optional),
            "valves_verify_shut": keys("device", found.valves_verify_shut),
            "pumps_to_stop": keys("device", found.pumps_to_stop),
            "customers_shut": keys("customer", found.premises_shut),
            "customers_cut_off": keys("customer", found.premises_cut_off),
            "hydrants_dry": keys("hydrant", found.hydrants_dry),
            "sources_shut": keys("source", found.sources_shut),
            "refeed": [self.rows.key("device", one.device) for one in ruling.refeeds],
        }

    def _tile_ids(self, parts: Rows) -> list[int]:
        blocks = self.world.blocks
        pipe = blocks.part_pipe[parts]
        number = parts - blocks.first_part[pipe]
        ids = keys_of(self.stored, "pipe")[pipe] * PARTS_A_PIPE + number
        return [int(one) for one in np.sort(ids)]


@dataclass(frozen=True, slots=True, eq=False)
class _Doubts:
    """Devices and tanks that the answer owes a word about."""

    stuck: Rows
    doubtful: Rows
    tank_fed: list[TankFed]


def _look_up(
    session: Session, stored: StoredNetwork, question: Question
) -> dict[str, dict[str, list[int]]]:
    """Find the rows of everything the question names."""
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
    keys = queries.fetch_keys(session, {**asked, "control_valve": valves})
    rows: dict[str, dict[str, list[int]]] = {}
    for kind, ids in asked.items():
        rows[kind] = {}
        for text_id in ids:
            found = (
                _device_rows(stored, keys, text_id)
                if kind == "valve"
                else [_row_of(stored, kind, keys[kind].get(text_id, -1))]
            )
            if not found or found[0] < 0:
                raise _unknown(kind, text_id)
            rows[kind][text_id] = found
    return rows


def _unknown(kind: str, text_id: str) -> UnknownThingError:
    if kind == "pipe":
        return UnknownThingError("There is no pipe %(id)s.", id=text_id)
    if kind == "node":
        return UnknownThingError("There is no node %(id)s.", id=text_id)
    if kind == "hydrant":
        return UnknownThingError("There is no hydrant %(id)s.", id=text_id)
    return UnknownThingError("There is no valve %(id)s.", id=text_id)


def _device_rows(
    stored: StoredNetwork, keys: Mapping[str, Mapping[str, int]], text_id: str
) -> list[int]:
    """Find a valve's row by its id; an isolating control valve is a valve, too."""
    found = []
    for table in GATES:
        row = stored.keys.device_row(table, keys[table].get(text_id, -1))
        if row >= 0 and stored.world.network.device_kind[row] != DeviceKind.CONTROL_VALVE:
            found.append(row)
    return found


def keys_of(stored: StoredNetwork, kind: str) -> NDArray[np.int64]:
    """Give the keys of all rows of a kind; devices are valves, pumps and control valves."""
    keys: NDArray[np.int64] = getattr(stored.keys, f"{kind}s")
    return keys


def _row_of(stored: StoredNetwork, kind: str, key: int) -> int:
    """Give the row of a key, -1 if it is not there."""
    keys = keys_of(stored, kind)
    row = int(np.searchsorted(keys, key))
    return row if row < keys.size and keys[row] == key else -1


def _places(
    session: Session, stored: StoredNetwork, question: Question, rows: dict[str, list[int]]
) -> list[tuple[int, float | None]]:
    """Pair each broken pipe with the place of its break."""
    places: list[tuple[int, float | None]] = []
    for text_id, at_m in question.pipes:
        row = rows[text_id][0]
        length_m = float(stored.world.network.pipe_length_m[row])
        place = at_m
        if place is None and question.place and not places:
            place = _project(session, stored, row, question.place)
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


def _project(
    session: Session, stored: StoredNetwork, row: int, place: tuple[float, float]
) -> float:
    """Find the metre of a pipe nearest to a point on the map."""
    key = int(keys_of(stored, "pipe")[row])
    line = queries.fetch_line(session, key)
    fraction, _ = Lines.of([line]).project(
        np.array([0]), np.array([place[0]]), np.array([place[1]])
    )
    return float(fraction[0] * stored.world.network.pipe_length_m[row])


def _override(world: World, overrides: Mapping[str, NDArray[np.int32]]) -> World:
    """Give the world in which some valves are as the question says."""
    if overrides["opened"].size:
        world = world.with_facts(overrides["opened"], position=Position.OPEN)
    if overrides["inoperable"].size:
        world = world.with_facts(overrides["inoperable"], operability=Operability.INOPERABLE)
    if overrides["unreachable"].size:
        world = world.with_facts(overrides["unreachable"], reachable=False)
    return world


def _gates_touching(world: World, blocks: Rows) -> Rows:
    """List the live isolation valves at some blocks."""
    edges = np.unique(world.edges.of_blocks(blocks))
    devices = edges[edges < world.network.device_count]
    kind = world.network.device_kind[devices]
    has_gate = (kind == DeviceKind.VALVE) | (kind == DeviceKind.ISOLATING_CONTROL_VALVE)
    found: Rows = devices[has_gate & ~world.blocks.edge_is_dead[devices]]
    return found


def _stuck_inside(world: World, isolation: Isolation) -> Rows:
    """List the open valves that cannot be closed and so let the segment grow past them."""
    gates = _gates_touching(world, isolation.blocks_shut)
    facts = world.facts
    cannot = (facts.operability[gates] == Operability.INOPERABLE) | ~facts.reachable[gates]
    gates = gates[cannot & (world.state[gates] > 0)]
    inside = np.isin(world.blocks.edge_blocks[gates], isolation.blocks_shut).all(axis=1)
    found: Rows = gates[inside]
    return found


def _doubtful(world: World, ruling: _Ruling, other: _Ruling | None) -> Rows:
    """List the valves of unknown position at what either answer takes away."""
    if not (world.facts.position == Position.UNKNOWN).any():
        return ruling.isolation.valves_to_close[:0]
    blocks = [ruling.isolation.blocks_shut]
    for one in (ruling, other) if other else ():
        blocks += [one.isolation.blocks_shut, one.isolation.blocks_cut_off]
    gates = _gates_touching(world, np.unique(np.concatenate(blocks)))
    found: Rows = gates[world.facts.position[gates] == Position.UNKNOWN]
    return found


def _remarks_of_valve(device: Device, *, is_to_close: bool, is_unknown: bool) -> list[Remark]:
    """Tell what is not sure of one valve."""
    remarks = []
    if device.table in GATES and device.is_position_assumed:
        remarks.append(Remark("position-assumed", device.id))
    if device.extra.get("assumed_layer") is True:
        remarks.append(Remark("assumed-valve-layer", device.id))
    elif is_to_close and device.last_exercised_on is None:
        remarks.append(Remark("valve-never-exercised", device.id))
    elif is_to_close and is_unknown:
        remarks.append(
            Remark("operability-unknown", device.id, {"date": str(device.last_exercised_on)})
        )
    return remarks


def _remarks_of_tanks(tank_fed: list[TankFed], rows: _Rows) -> Iterable[Remark]:
    """Tell who lives on tanks, and for how long."""
    for part in tank_fed:
        names = rows.sorted_ids("source", part.sources)
        params = {"tanks": ", ".join(names), "count": int(part.premises.size)}
        if part.hours is None:
            code = "tank-fed-unknown" if part.premises.size else "tank-fed"
            yield Remark("tank-fed", names[0], {**params, "hours": None, "form": code})
        else:
            yield Remark("tank-fed", names[0], {**params, "hours": round(part.hours, 1)})


def _forecast(isolation: Isolation, devices: Mapping[int, Device]) -> Timeline:
    """Plan the crew's round of the valves and the job's stages, in hours from now."""
    rows = sorted(isolation.valves_to_close.tolist(), key=lambda row: devices[row].id)
    if not rows:
        return plan_times([])
    lon = np.array([devices[row].lon for row in rows])
    lat = np.array([devices[row].lat for row in rows])
    east, north = metres_per_degree(lat[:1])
    x_m, y_m = (lon - lon[0]) * east, (lat - lat[0]) * north
    return plan_times(
        [
            ValveTask(row, float(x), float(y), devices[row].turns)
            for row, x, y in zip(rows, x_m, y_m, strict=True)
        ]
    )


def _moments(now: dt.datetime, hours: Quantiles) -> Moments:
    return Moments(
        *(now + dt.timedelta(hours=value) for value in (hours.p10, hours.p50, hours.p90))
    )


def _moment(now: dt.datetime, hours: float) -> dt.datetime | None:
    return now + dt.timedelta(hours=hours) if math.isfinite(hours) else None
