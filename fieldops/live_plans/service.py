"""Plans of outages under way: made, compared, put in force, and told as times and promises."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast
from zoneinfo import ZoneInfo

import numpy as np

from fieldops.durations.service import current_model
from fieldops.errors import ConflictError
from fieldops.language import TIMEZONE
from fieldops.live_supply import queries
from fieldops.live_supply.queries import NewRows
from fieldops.live_supply.service import is_shut, is_stuck
from fieldops.network.queries import POSITIONS
from fieldops.outage_questions.service import (
    PlaceError,
    UnknownThingError,
    find_gate,
    keys_of,
)
from fieldops.outage_times.service import NEVER, moments
from fieldops.outages.service import Course, JudgedOutage, Question, judge_outage
from gis.intervals import intervals_of_job
from gis.live_supply import as_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sqlalchemy.orm import Session

    from fieldops.live_supply.queries import Outage, Place, Plan, Times, WorkedValve
    from fieldops.live_supply.service import Situation
    from fieldops.outages.service import Effect, Moments
    from gis.network import Rows
    from gis.timeline import Timeline

STAGES = ("on_site", "water_stopped", "repaired", "flushed", "restored")
"""Stages that are forecast until they have happened."""
MOST_REFEEDS = 5
"""Closed valves offered to feed somebody from elsewhere; more would bury the plan."""
FASTER_MIN = 5.0
"""A larger cut is offered only where it stops the water so much earlier."""
MOST_TIMES_LARGER = 8
"""and takes at most so many times the properties."""
MOST_STEPS = 3
HALF_HOUR = dt.timedelta(minutes=30)
WIDEST = dt.timedelta(hours=6)
"""Where the 80 % interval is wider, customers are told when the next news comes."""
NEWS_AFTER = dt.timedelta(hours=2)
CALLS_FROM, CALLS_UNTIL = dt.time(8), dt.time(21)
"""Nobody is called outside these hours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """
    What somebody chose besides the nearest ring.

    `skipped` valves are left open though they could be closed, `closed` ones are closed besides,
    `opened` ones feed customers from elsewhere.
    """

    kind: str = "nearest"
    skipped: Sequence[str] = ()
    closed: Sequence[str] = ()
    opened: Sequence[str] = ()

    @classmethod
    def read(cls, kind: str, stored: Mapping[str, Any]) -> Wish:
        """Read a wish as a plan keeps it."""
        return cls(kind=kind, **{name: tuple(stored.get(name, ())) for name in _LISTS})

    def as_json(self) -> dict[str, list[str]]:
        """Write it as a plan keeps it."""
        return {name: sorted(getattr(self, name)) for name in _LISTS if getattr(self, name)}


_LISTS = ("skipped", "closed", "opened")


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """What customers are told: by when, or when the next news comes. One of both is None."""

    by: dt.datetime | None
    next_news_at: dt.datetime | None
    may_call_from: dt.datetime
    """The next moment at which somebody may be called: not between 21 and 8."""
    changed_at: dt.datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One way to stop the water, with what it costs."""

    wish: Wish
    valves: list[str]
    properties: int
    connections: int
    critical: list[str]
    water_stopped: Moments | None
    is_isolated: bool


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """A plan as the network judges it now."""

    wish: Wish
    judged: JudgedOutage
    course: Course
    refeeds: Sequence[str] = field(default=())

    @property
    def effect(self) -> Effect:
        """Who loses supply."""
        return self.judged.answer.effect


def judge(
    situation: Situation, outage: Outage, wish: Wish, now: dt.datetime, *, with_keys: bool = False
) -> Judged:
    """Ask the network what a plan does, with what is known of the valves by now."""
    valves = situation.valves[outage.key]
    course = _course(situation, outage, now)
    judged = judge_outage(
        situation.session,
        replace(_question(outage, wish, list(valves.values())), with_keys=with_keys),
        now,
        stored=situation.stored_before,
        course=course,
    )
    return Judged(wish, judged, course)


def try_judge(
    situation: Situation, outage: Outage, wish: Wish, now: dt.datetime, *, with_keys: bool = False
) -> Judged | None:
    """Ask the same; None where an import has taken away what broke, or a valve of the plan."""
    try:
        return judge(situation, outage, wish, now, with_keys=with_keys)
    except (UnknownThingError, PlaceError):
        return None


def _question(outage: Outage, wish: Wish, valves: Sequence[WorkedValve]) -> Question:
    asked = outage.question
    gates = [valve for valve in valves if valve.device_table in {"valve", "control_valve"}]
    stuck = [valve for valve in gates if is_stuck(valve)]
    leaking = [one.valve for one in stuck if one.position_before == "closed"]
    opened = [one.valve for one in gates if one.state == "opened"]
    return Question(
        pipes=[(pipe, at_m) for pipe, at_m in asked["pipes"]],
        valves=asked["valves"],
        nodes=asked["nodes"],
        hydrants=asked["hydrants"],
        closed=sorted({*asked["closed"], *wish.closed}),
        inoperable=sorted(
            {
                *asked["inoperable"],
                *wish.skipped,
                *(one.valve for one in stuck if one.state != "not_found"),
            }
        ),
        unreachable=sorted(
            {*asked["unreachable"], *(one.valve for one in stuck if one.state == "not_found")}
        ),
        opened=sorted({*asked["opened"], *wish.opened, *opened, *leaking}),
    )


def _course(situation: Situation, outage: Outage, now: dt.datetime) -> Course:
    closed_at, reopened_at = {}, {}
    for valve in situation.valves[outage.key].values():
        row = situation.device_row(valve.place)
        if row < 0 or valve.device_table == "source" or valve.closed_at is None:
            continue
        if is_shut(valve) or valve.state in {"reopened", "handed_over"}:
            closed_at[row] = valve.closed_at
        if valve.state in {"reopened", "handed_over"}:
            reopened_at[row] = valve.reopened_at
        elif valve.state == "will_not_reopen":
            reopened_at[row] = None
    return Course(
        aware_at=min(outage.aware_at, now),
        dispatched_at=outage.dispatched_at,
        on_site_at=outage.on_site_at,
        water_stopped_at=outage.water_stopped_at,
        repaired_at=outage.repaired_at,
        flushed_at=outage.flushed_at,
        restored_at=outage.restored_at,
        begins_at=outage.planned_from,
        ends_at=outage.planned_until,
        closed_at=closed_at,
        reopened_at=reopened_at,
        model=current_model(situation.session),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What a plan changes in the one before."""

    valves_added: list[str]
    valves_removed: list[str]
    customers_added: int
    customers_removed: int
    properties_added: int
    """Less than nothing where a plan spares more than it adds."""
    critical_added: list[str]
    critical_removed: list[str]

    def as_json(self) -> dict[str, Any]:
        """Write it as events and plans keep it."""
        return {name: getattr(self, name) for name in self.__slots__}


def compare(situation: Situation, outage: Outage, before: Plan | None, plan: Judged) -> Difference:
    """Tell what a plan changes in the one before it."""
    known, live, old_critical = queries.fetch_expected_keys(situation.session, outage.key)
    isolation = plan.judged.ruling.isolation
    rows = isolation.premises_lost
    keys = keys_of(situation.stored, "customer")[rows]
    properties = situation.before.network.premises_properties
    added = rows[~np.isin(keys, np.array(known, dtype=np.int64))]
    gone = np.setdiff1d(np.array(live, dtype=np.int64), keys)
    gone_rows = np.searchsorted(keys_of(situation.stored, "customer"), gone)
    gone_rows = gone_rows[gone_rows < len(properties)]
    critical = set(plan.effect.customers.critical)
    mine = set(valves_of(plan))
    theirs = set(before.answer["valves_to_close"]) if before else set()
    return Difference(
        valves_added=sorted(mine - theirs),
        valves_removed=sorted(theirs - mine),
        customers_added=int(added.size),
        customers_removed=int(gone.size),
        properties_added=int(properties[added].sum()) - int(properties[gone_rows].sum()),
        critical_added=sorted(critical - set(old_critical)),
        critical_removed=sorted(set(old_critical) - critical),
    )


def valves_of(plan: Judged) -> list[str]:
    """List the valves that a plan closes, those chosen besides included."""
    question = plan.judged.answer.question
    return sorted({*plan.effect.valves_to_close, *question.closed})


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceRing:
    """What a tablet without a signal has worked out after a valve that does not bound."""

    stuck: str
    valves: frozenset[str]
    pumps: frozenset[str]
    properties: int | None
    critical: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RingVerdict:
    """What the server says of a tablet's ring: what it lacks, what it has too much."""

    is_judged: bool
    valves_added: list[str] = field(default_factory=list)
    valves_removed: list[str] = field(default_factory=list)
    pumps_added: list[str] = field(default_factory=list)
    pumps_removed: list[str] = field(default_factory=list)
    properties: int | None = None
    properties_added: int | None = None
    critical: int | None = None
    critical_added: int | None = None

    @property
    def code(self) -> str:
        """Say it in one word: confirmed, corrected, or not judged."""
        if not self.is_judged:
            return "not_judged"
        lists = (self.valves_added, self.valves_removed, self.pumps_added, self.pumps_removed)
        is_other = any(lists) or bool(self.properties_added) or bool(self.critical_added)
        return "corrected" if is_other else "confirmed"

    def as_json(self) -> dict[str, Any]:
        """Write it as the event keeps it."""
        return {"verdict": self.code} | {name: getattr(self, name) for name in self.__slots__}


def judge_ring(
    situation: Situation, outage: Outage, ring: DeviceRing, now: dt.datetime
) -> RingVerdict:
    """Hold a tablet's ring to the one that the network gives with what is known by now."""
    wish = wish_in_force(situation, outage)
    valves = situation.valves[outage.key].values()
    if not any(one.valve == ring.stuck and is_stuck(one) for one in valves):
        # That it does not close is not told, or was taken back: the question is the tablet's.
        wish = replace(wish, skipped=sorted({*wish.skipped, ring.stuck}))
    plan = try_judge(situation, outage, wish, now)
    if plan is None:
        return RingVerdict(is_judged=False)
    lost, mine = plan.effect.customers, set(valves_of(plan))
    pumps = set(plan.effect.pumps_to_stop)
    return RingVerdict(
        is_judged=True,
        valves_added=sorted(mine - ring.valves),
        valves_removed=sorted(ring.valves - mine),
        pumps_added=sorted(pumps - ring.pumps),
        pumps_removed=sorted(ring.pumps - pumps),
        properties=lost.properties,
        properties_added=_less(lost.properties, ring.properties),
        critical=len(lost.critical),
        critical_added=_less(len(lost.critical), ring.critical),
    )


def _less(number: int, other: int | None) -> int | None:
    return None if other is None else number - other


def add_plan(
    situation: Situation,
    outage: Outage,
    plan: Judged,
    *,
    status: str,
    because: Mapping[str, Any],
    by: str,
    now: dt.datetime,
) -> Plan:
    """Write a new version of the plan, with what it changes in the one in force."""
    plans = queries.fetch_plans(situation.session, [outage.key])
    before = next((one for one in plans if one.number == outage.plan_number), None)
    difference = compare(situation, outage, before, plan) if before else None
    queries.supersede_plans(situation.session, outage.key, ["proposed"])
    if status == "approved":
        queries.supersede_plans(situation.session, outage.key, ["approved"])
    return queries.insert_plan(
        situation.session,
        {
            "outage_key": outage.key,
            "number": plans[-1].number + 1 if plans else 1,
            "kind": plan.wish.kind,
            "status": status,
            "because": dict(because),
            "wish": plan.wish.as_json(),
            "answer": _answer(plan),
            "difference": difference.as_json() if difference else None,
            "made_at": now,
            "made_by": by,
            "approved_at": now if status == "approved" else None,
            "approved_by": by if status == "approved" else None,
        },
    )


def _answer(plan: Judged) -> dict[str, Any]:
    """Keep of an answer what a plan's page tells; customers stand in their intervals."""
    effect = plan.effect
    lost = effect.customers
    return {
        "isolated": effect.isolated,
        "valves_to_close": valves_of(plan),
        "valves_optional": effect.valves_optional,
        "valves_verify_shut": effect.valves_verify_shut,
        "pumps_to_stop": effect.pumps_to_stop,
        "sources_shut": effect.sources_shut,
        "pipes_shut": effect.pipes_shut[:200],
        "hydrants_dry": effect.hydrants_dry,
        "customers": {
            "connections": lost.connections,
            "properties": lost.properties,
            "people": lost.people,
            "critical": lost.critical,
        },
        "network_revision": plan.judged.answer.network_revision,
        "remarks": [
            {"code": one.code, "id": one.id, "params": dict(one.params)}
            for one in plan.judged.answer.remarks
        ],
    }


def put_in_force(
    situation: Situation, outage: Outage, plan: Judged, number: int, now: dt.datetime
) -> Outage:
    """Make a plan the one by which valves are worked and customers expected to be dry."""
    _write_valves(situation, outage, plan)
    after = queries.update_outage(
        situation.session,
        outage.key,
        {"plan_number": number, "zone_pipe_keys": _zone(situation, plan)},
    )
    situation.add(after)
    return redraw(situation, after, plan, now)


def _zone(situation: Situation, plan: Judged) -> list[int]:
    isolation = plan.judged.ruling.isolation
    pipes = np.union1d(isolation.pipes_shut, isolation.pipes_cut_off)
    keys: list[int] = keys_of(situation.stored, "pipe")[pipes].tolist()
    return keys


def _parts_in_plan(
    situation: Situation, plan: Judged
) -> Iterator[tuple[Place, str, str, int | None, float | None]]:
    """Name each device of a plan: place, id, role, number in the order of work, turns recorded."""
    answer = plan.judged.answer
    number = 0
    seen: set[Place] = set()
    for step in answer.steps:
        number = step.number
        place = (step.device.table, step.device.key)
        seen.add(place)
        yield place, step.device.id, "close", number, step.device.turns
    case = plan.judged.case
    closing = plan.judged.ruling.isolation.closing
    for row, device in case.rows.devices(closing.tolist()).items():
        place = situation.place_of(row)
        if place not in seen:
            number += 1
            seen.add(place)
            yield place, device.id, "close", number, device.turns
    roles = {"optional": "optional", "verify_shut": "verify_shut", "pump": "pump"}
    for kind, role in roles.items():
        for device in answer.devices[kind]:
            place = (device.table, device.key)
            if place not in seen:
                seen.add(place)
                yield place, device.id, role, None, device.turns
    for row in plan.judged.ruling.isolation.sources_shut.tolist():
        key = int(keys_of(situation.stored, "source")[row])
        yield ("source", key), case.rows.id("source", row), "source", None, None
    refeeds = [one for one in plan.effect.refeed or () if one.properties_regained > 0]
    wanted = {one.valve for one in refeeds[:MOST_REFEEDS]}
    # What the plan opens stands open in the network that it was judged by.
    opened = case.rows.devices(case.overrides["opened"].tolist()).values()
    chosen = [device for device in opened if device.id in plan.wish.opened]
    for device in (*(one for one in answer.devices["refeed"] if one.id in wanted), *chosen):
        place = (device.table, device.key)
        if place not in seen:
            seen.add(place)
            yield place, device.id, "refeed", None, device.turns


def _write_valves(situation: Situation, outage: Outage, plan: Judged) -> None:
    """Give every device its part in the new plan; what was worked and is not in it is surplus."""
    session, known = situation.session, dict(situation.valves[outage.key])
    added, changed = [], []
    for place, name, role, number, turns in _parts_in_plan(situation, plan):
        valve = known.pop(place, None)
        if valve is None:
            added.append(
                {
                    "outage_key": outage.key,
                    "device_table": place[0],
                    "device_key": place[1],
                    "valve": name,
                    "role": role,
                    "number": number,
                    "state": "to_open" if role == "refeed" else "to_close",
                    "position_before": _position_before(situation, place),
                    "turns_recorded": turns,
                }
            )
        else:
            state = valve.state
            if state == "to_open" or (state in {"reopened", "handed_over"} and number is not None):
                # It is needed again: a plan closes only what is open.
                state = "to_open" if role == "refeed" else "to_close"
            changed.append({"key": valve.key, "role": role, "number": number, "state": state})
    for valve in known.values():
        if valve.state in {"to_close", "to_open"}:
            continue
        role = "stuck" if is_stuck(valve) else "surplus"
        role = valve.role if valve.state in {"reopened", "handed_over", "opened"} else role
        changed.append({"key": valve.key, "role": role, "number": None, "state": valve.state})
    untouched = [one.key for one in known.values() if one.state in {"to_close", "to_open"}]
    queries.delete_valves(session, untouched)
    queries.update_valves(session, changed)
    queries.insert_valves(session, added)
    situation.read_valves(outage.key)


def take_in_valve(
    situation: Situation, outage: Outage, name: str, table: str | None
) -> WorkedValve | None:
    """
    Take a valve in that a crew has worked though no plan of the outage holds it.

    A tablet without a signal may have had it in its own ring, and what is shut out there has to be
    known here, whatever the plan says: else nobody could open it again. None where there is none.
    """
    device = find_gate(situation.session, situation.stored, name, table)
    if device is None:
        return None
    place = (device.table, device.key)
    row = {
        "outage_key": outage.key,
        "device_table": device.table,
        "device_key": device.key,
        "valve": device.id,
        "role": "surplus",
        "number": None,
        "state": "to_close",
        "position_before": _position_before(situation, place),
        "turns_recorded": device.turns,
    }
    queries.insert_valves(situation.session, [row])
    situation.read_valves(outage.key)
    return situation.valves[outage.key][place]


def _position_before(situation: Situation, place: Place) -> str:
    if place[0] == "source":
        return "open"
    row = situation.device_row(place)
    if place[0] == "pump":
        return "open" if situation.before.is_open[row] else "closed"
    return POSITIONS[int(situation.before.facts.position[row])]


def redraw(situation: Situation, outage: Outage, plan: Judged, now: dt.datetime) -> Outage:
    """Write the forecast anew: of the stages, of each valve, and of each customer."""
    forecast = plan.judged.forecast
    timeline, since = forecast.timeline, plan.course.aware_at
    stages: dict[str, Any] = {}
    if timeline is not None and outage.restored_at is None:
        for stage in STAGES:
            if getattr(outage, f"{stage}_at") is None:
                stages[stage] = as_json(moments(since, getattr(timeline, stage)))
        _redraw_valves(situation, outage, plan)
    is_open_end = bool(situation.find_stranded(outage.key).size)
    if is_open_end:
        # Nobody knows when a valve that will not open lets the water through.
        stages.pop("restored", None)
    _write_expected(situation, outage, plan)
    values: dict[str, Any] = {"forecast": stages, **_tallied(situation, outage)}
    values |= _promised(outage, stages.get("restored"), now, is_open_end=is_open_end)
    after = queries.update_outage(situation.session, outage.key, values)
    situation.add(after)
    return after


def recount(situation: Situation, outage: Outage, *, is_changed: bool = False) -> Outage:
    """Count anew whom an outage concerns."""
    values = _tallied(situation, outage)
    if is_changed:
        values["version"] = outage.version + 1
    after = queries.update_outage(situation.session, outage.key, values)
    situation.add(after)
    return after


def plan_round(situation: Situation, outage: Outage, now: dt.datetime) -> Judged | None:
    """
    Judge the network with nothing shut but the valves that will not open again.

    Closed valves that feed somebody behind them from elsewhere are offered. None where an import
    has taken away one of the valves.
    """
    known = situation.valves[outage.key]
    stuck = sorted(one.valve for one in known.values() if one.state == "will_not_reopen")
    opened = sorted(one.valve for one in known.values() if one.state == "opened")
    course, question = _course(situation, outage, now), Question(closed=stuck, opened=opened)
    try:
        judged = judge_outage(
            situation.session, question, now, stored=situation.stored_before, course=course
        )
    except (UnknownThingError, PlaceError):
        return None
    plan = Judged(wish_in_force(situation, outage), judged, course)
    feeds = [part for part in _parts_in_plan(situation, plan) if part[2] == "refeed"]
    queries.insert_valves(
        situation.session,
        [
            {
                "outage_key": outage.key,
                "device_table": place[0],
                "device_key": place[1],
                "valve": name,
                "role": role,
                "state": "to_open",
                "position_before": _position_before(situation, place),
                "turns_recorded": turns,
            }
            for place, name, role, _, turns in feeds
            if place not in known
        ],
    )
    situation.read_valves(outage.key)
    return plan


def as_part_rows(parts: Sequence[int]) -> Rows:
    """Write parts of pipes as an array."""
    return as_rows(parts)


def _tallied(situation: Situation, outage: Outage) -> dict[str, Any]:
    found = queries.tally(situation.session, outage.key)
    names = ("connections", "customers_out", "properties_out", "people_out", "critical_out")
    return {name: getattr(found, name) for name in names}


def _redraw_valves(situation: Situation, outage: Outage, plan: Judged) -> None:
    valves = situation.valves[outage.key]
    rows = []
    for step in plan.judged.answer.steps:
        valve = valves.get((step.device.table, step.device.key))
        reopened = None if step.reopened.p50 == NEVER else step.reopened.p50
        times = {"expected_closed_at": step.closed.p50, "expected_reopened_at": reopened}
        if valve is not None:
            rows.append({"key": valve.key, **times})
            valves[valve.place] = replace(valve, **times)  # type: ignore[arg-type]
    queries.update_valves(situation.session, rows)


def _write_expected(situation: Situation, outage: Outage, plan: Judged) -> None:
    """
    Write whom the plan leaves dry, from when until when, and forget whom it spares.

    Who had water back from this outage is not expected to lose it again until it is lost.
    """
    session, timeline = situation.session, plan.judged.forecast.timeline
    rows = queries.fetch_open_rows(session, [outage.key])
    there = {row.customer_key: row for row in rows}
    own = {key: row for key, row in there.items() if row.cause != "joint"}
    if timeline is None:
        queries.delete_intervals(session, [row.key for row in own.values() if not row.is_lost])
        return
    wanted, times = _expected(situation, plan, timeline)
    queries.replace_forecasts(session, outage.key, times)
    keys = set(wanted.customer_keys)
    if _is_carried_out(situation, outage):
        # Whoever is not dry with all of it shut will not be by this plan.
        keys = set()
    spared = [row.key for key, row in own.items() if key not in keys and not row.is_lost]
    queries.delete_intervals(session, spared)
    over = queries.fetch_over(session, outage.key)
    columns = list(
        zip(
            wanted.customer_keys,
            wanted.causes,
            wanted.tank_lasts_h,
            wanted.numbers,
            strict=True,
        )
    )
    new = [one for one in columns if one[0] in keys and one[0] not in there and one[0] not in over]
    if new:
        customers, causes, tanks, numbers = (list(column) for column in zip(*new, strict=True))
        fresh = NewRows(customer_keys=customers, causes=causes, tank_lasts_h=tanks, numbers=numbers)
        queries.insert_intervals(session, outage.key, fresh)
    moved = [
        (row.key, cause, number)
        for key, cause, _, number in columns
        if (row := there.get(key)) and (row.cause, row.forecast_number) != (cause, number)
    ]
    queries.update_expected(
        session,
        [key for key, _, _ in moved],
        [cause for _, cause, _ in moved],
        [number for _, _, number in moved],
    )


def _is_carried_out(situation: Situation, outage: Outage) -> bool:
    """Tell whether everything that the plan closes has been worked."""
    held = [
        valve
        for valve in situation.valves[outage.key].values()
        if valve.role in {"close", "pump", "source"}
    ]
    return bool(held) and all(valve.state != "to_close" for valve in held)


def _expected(
    situation: Situation, plan: Judged, timeline: Timeline
) -> tuple[NewRows, dict[int, Times]]:
    """Give whom a plan leaves dry, and the times of all groups who share theirs."""
    ruling = plan.judged.ruling
    rows, off, dry, back = intervals_of_job(ruling.world, ruling.isolation, timeline)
    early = intervals_of_job(ruling.world, ruling.isolation, timeline, "p10")[3]
    late = intervals_of_job(ruling.world, ruling.isolation, timeline, "p90")[3]
    hours = np.column_stack([off, early, back, late])
    groups, number = np.unique(hours, axis=0, return_inverse=True)
    since = plan.course.aware_at
    times = {
        at + 1: tuple(_moment(since, value) for value in group)
        for at, group in enumerate(groups.tolist())
    }
    is_shut_off = np.isin(rows, ruling.isolation.premises_shut)
    lasts = np.subtract(dry, off, where=np.isfinite(off), out=dry.copy())
    wanted = NewRows(
        customer_keys=situation.customer_keys(rows),
        causes=np.where(is_shut_off, "shut", "cut_off").tolist(),
        tank_lasts_h=_finite(lasts),
        numbers=(number.ravel() + 1).tolist(),
    )
    return wanted, cast("dict[int, Times]", times)


def _moment(since: dt.datetime, hours: float) -> dt.datetime | None:
    return since + dt.timedelta(hours=hours) if math.isfinite(hours) else None


def _finite(hours: np.typing.NDArray[np.float64]) -> list[float | None]:
    return [value if math.isfinite(value) else None for value in hours.tolist()]


def write_joint(
    situation: Situation, known: Mapping[int, set[int]], now: dt.datetime
) -> dict[int, list[int]]:
    """
    Write whom several jobs leave dry only together, by the latest of them; give them by job.

    `known` are those of whom that is written already.
    """
    live = sorted(situation.outages)
    overlapping = {
        key: [one for one in live if one < key and _meet(situation, one, key, now)] for key in live
    }
    joint = situation.find_joint(overlapping) if len(live) > 1 else {}
    keys = {key: situation.customer_keys(rows) for key, rows in joint.items() if rows.size}
    if not keys and not known:
        return {}
    for key in live:
        _write_joint_of(situation, key, keys.get(key, []), overlapping[key])
    return keys


def _write_joint_of(
    situation: Situation, key: int, customers: Sequence[int], with_jobs: Sequence[int]
) -> None:
    """Write whom a job leaves dry together with earlier ones."""
    session, wanted = situation.session, set(customers)
    there = {row.customer_key: row for row in queries.fetch_open_rows(session, [key])}
    gone = [
        row.key
        for customer, row in there.items()
        if row.cause == "joint" and not row.is_lost and customer not in wanted
    ]
    queries.delete_intervals(session, gone)
    if not wanted:
        return
    queries.write_joint_forecast(session, key, [key, *with_jobs])
    new = sorted(wanted - there.keys() - queries.fetch_over(session, key))
    queries.insert_intervals(session, key, NewRows.of(new, "joint", number=0))


def _meet(situation: Situation, one: int, other: int, now: dt.datetime) -> bool:
    """Tell whether two jobs keep valves shut at the same time, by their forecasts."""
    spans = [_span(situation.outages[key], now) for key in (one, other)]
    return max(begin for begin, _ in spans) <= min(end for _, end in spans)


def _span(outage: Outage, now: dt.datetime) -> tuple[dt.datetime, dt.datetime]:
    begin = outage.planned_from or outage.aware_at
    restored = outage.forecast.get("restored")
    end = dt.datetime.fromisoformat(restored["p90"]) if restored else now
    return begin, max(end, begin) if begin > now else max(end, now)


def as_json(found: Moments) -> dict[str, str]:
    """Write a forecast as it is kept."""
    return {name: getattr(found, name).isoformat() for name in ("p10", "p50", "p90")}


def _promised(
    outage: Outage, restored: Mapping[str, str] | None, now: dt.datetime, *, is_open_end: bool
) -> dict[str, Any]:
    """Give what customers are to be told from now on; a promise is moved for good reason only."""
    if is_open_end:
        return _promised_news(outage, now)
    if restored is None:
        return {"promised_by": None, "next_news_at": None}
    p10, p90 = (dt.datetime.fromisoformat(restored[name]) for name in ("p10", "p90"))
    by: dt.datetime | None = round_up(p90)
    news: dt.datetime | None = None
    if p90 - p10 > WIDEST:
        by, news = None, round_up(now + NEWS_AFTER)
    old_by, old_news = outage.promised_by, outage.next_news_at
    is_kept = False
    if by is not None and old_by is not None:
        is_kept = abs(by - old_by) <= HALF_HOUR and old_by > now
    elif by is None and old_news is not None:
        is_kept = old_news > now
    if is_kept:
        return {}
    return {"promised_by": by, "next_news_at": news, "promised_at": now}


def _promised_news(outage: Outage, now: dt.datetime) -> dict[str, Any]:
    """Promise the next news only, and keep to it until it is due."""
    if outage.promised_by is None and outage.next_news_at and outage.next_news_at > now:
        return {}
    return {"promised_by": None, "next_news_at": round_up(now + NEWS_AFTER), "promised_at": now}


def round_up(moment: dt.datetime) -> dt.datetime:
    """Round up to the half hour."""
    past = dt.timedelta(
        minutes=moment.minute % 30, seconds=moment.second, microseconds=moment.microsecond
    )
    return moment if not past else moment - past + HALF_HOUR


def promise(session: Session, outage: Outage, now: dt.datetime) -> Promise:  # noqa: ARG001 - as all rules
    """Give what may be told of an outage now; a promise that has passed is one no more."""
    by, news = outage.promised_by, outage.next_news_at
    if by is not None and by <= now:
        by, news = None, round_up(now + NEWS_AFTER)
    if by is None and (news is None or news <= now):
        news = round_up(now + NEWS_AFTER)
    return Promise(
        by=by,
        next_news_at=None if by else news,
        may_call_from=next_call_hour(now),
        changed_at=outage.promised_at,
    )


def next_call_hour(now: dt.datetime) -> dt.datetime:
    """Give the next moment at which customers may be called."""
    here = now.astimezone(ZoneInfo(TIMEZONE))
    if CALLS_FROM <= here.time() < CALLS_UNTIL:
        return now
    day = here.date() + dt.timedelta(days=here.time() >= CALLS_UNTIL)
    return dt.datetime.combine(day, CALLS_FROM, here.tzinfo).astimezone(dt.UTC)


def list_choices(situation: Situation, outage: Outage, now: dt.datetime) -> list[Choice]:
    """Give the ways to stop the water that differ: nearest ring, fewest customers, fastest."""
    nearest = judge(situation, outage, Wish(), now)
    found = [nearest]
    if fewest := _fewest(situation, outage, nearest, now):
        found.append(fewest)
    if fastest := _fastest(situation, outage, nearest, now):
        found.append(fastest)
    return [_choice(one) for one in found]


def _choice(plan: Judged) -> Choice:
    lost = plan.effect.customers
    return Choice(
        wish=plan.wish,
        valves=valves_of(plan),
        properties=lost.properties,
        connections=lost.connections,
        critical=lost.critical,
        water_stopped=plan.judged.answer.water_stopped,
        is_isolated=plan.effect.isolated,
    )


def _fewest(
    situation: Situation, outage: Outage, nearest: Judged, now: dt.datetime
) -> Judged | None:
    """Try the re-feeding valves one after the other: closing alone can spare nobody more."""
    best = nearest
    for one in nearest.effect.refeed or ():
        if one.crosses_boundary or one.properties_regained == 0:
            continue
        wish = Wish(kind="fewest", opened=(*best.wish.opened, one.valve))
        plan = judge(situation, outage, wish, now)
        if plan.effect.customers.properties < best.effect.customers.properties:
            best = plan
    return None if best is nearest else best


def _fastest(
    situation: Situation, outage: Outage, nearest: Judged, now: dt.datetime
) -> Judged | None:
    """Leave single valves of the ring open while the larger ring behind is sooner closed."""
    best = nearest
    most = MOST_TIMES_LARGER * max(nearest.effect.customers.properties, 1)
    for _ in range(MOST_STEPS):
        better = best
        for valve in best.effect.valves_to_close:
            wish = Wish(kind="fastest", skipped=(*best.wish.skipped, valve))
            plan = judge(situation, outage, wish, now)
            if not plan.effect.isolated or plan.effect.customers.properties > most:
                continue
            if _stop_min(plan) < _stop_min(better):
                better = plan
        if better is best:
            break
        best = better
    if best is nearest or _stop_min(nearest) - _stop_min(best) < FASTER_MIN:
        return None
    return best


def _stop_min(plan: Judged) -> float:
    stopped = plan.judged.answer.water_stopped
    if stopped is None:
        return math.inf
    return (stopped.p50 - plan.course.aware_at) / dt.timedelta(minutes=1)


def wish_in_force(situation: Situation, outage: Outage) -> Wish:
    """Give what was chosen for the plan in force."""
    for plan in queries.fetch_plans(situation.session, [outage.key]):
        if plan.number == outage.plan_number:
            return Wish.read(plan.kind, plan.wish)
    return Wish()


def find_choice(situation: Situation, outage: Outage, kind: str, now: dt.datetime) -> Judged:
    """
    Give the plan of a kind.

    Raises
    ------
    ConflictError
        If there is none that differs from the nearest ring.
    """
    nearest = judge(situation, outage, Wish(), now)
    if kind == "nearest":
        return nearest
    finder = _fewest if kind == "fewest" else _fastest
    found = finder(situation, outage, nearest, now)
    if found is None:
        raise ConflictError("Nothing does better here than the nearest ring of valves.")
    return replace(found)
