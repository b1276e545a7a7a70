"""Outages under way: opened, valves confirmed one by one, plans changed, water back, closed."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from fieldops import jobs
from fieldops.errors import ConflictError, FieldopsError, ForbiddenError, NotFoundError
from fieldops.events.queries import fetch_events_of
from fieldops.events.service import SYSTEM, Actor, append_event
from fieldops.incidents import service as incidents
from fieldops.live_deeds.service import apply_operation, is_turns_short, may_see, verdict_of
from fieldops.live_plans import service as plans
from fieldops.live_plans.service import Promise, promise
from fieldops.live_settling.service import Deed, face, plausible, settle, shut_by
from fieldops.live_supply import queries
from fieldops.live_supply.queries import MinutesLost, Outage, Plan, Tag, WorkedValve
from fieldops.live_supply.service import Situation
from fieldops.outage_questions.queries import fetch_keys
from fieldops.outage_questions.service import Case, Question
from fieldops.work_orders import service as work_orders

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from fieldops.access import Person
    from fieldops.events.service import Event
    from fieldops.live_plans.service import Choice, Wish
    from fieldops.live_supply.queries import CustomerInterval

__all__ = [
    "LiveOutage",
    "MinutesLost",
    "Outage",
    "OutageDraft",
    "Promise",
    "apply_operation",
    "face",
    "find_live_outage_at",
    "find_outage",
    "is_turns_short",
    "list_open",
    "open_outage",
    "promise",
    "verdict_of",
]

REDRAWN_AT_ONCE = 3000
"""More customers than this wait for the worker to redraw their forecasts after a crew's step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutageDraft:
    """
    What is to be shut, and why.

    `pipe` and `at_m` name one broken pipe, `question` anything else. `customers` is the number of
    connections that the person saw before opening it; `kind` the plan that was chosen: nearest,
    fewest or fastest.
    """

    pipe: str | None = None
    at_m: float | None = None
    question: Question | None = None
    incident_id: str | None = None
    is_planned: bool = False
    is_drill: bool = False
    reason: str | None = None
    planned_from: dt.datetime | None = None
    planned_until: dt.datetime | None = None
    aware_at: dt.datetime | None = None
    kind: str = "nearest"
    customers: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveOutage:
    """An outage with its plan in force, the plan proposed besides, and its valves."""

    outage: Outage
    plan: Plan
    proposed: Plan | None
    valves: list[WorkedValve]
    tags: list[Tag] = field(default_factory=list)

    @property
    def id(self) -> str:
        """The outage's id."""
        return self.outage.id

    @property
    def key(self) -> int:
        """The outage's key."""
        return self.outage.key

    @property
    def incident_id(self) -> str | None:
        """The incident's id."""
        return self.outage.incident_id

    @property
    def status(self) -> str:
        """Open, restored or closed."""
        return self.outage.status

    @property
    def opened_at(self) -> dt.datetime:
        """When somebody opened it."""
        return self.outage.opened_at

    @property
    def question(self) -> Question:
        """What it isolates, with the valves that are closed besides."""
        asked = self.outage.question
        return Question(
            pipes=[(pipe, at_m) for pipe, at_m in asked["pipes"]],
            valves=asked["valves"],
            nodes=asked["nodes"],
            hydrants=asked["hydrants"],
            closed=sorted({*asked["closed"], *self.plan.wish.get("closed", ())}),
        )

    @property
    def expected_until(self) -> dt.datetime | None:
        """When nine in ten such jobs are over; None where there is no forecast."""
        found = self.restored
        return dt.datetime.fromisoformat(found["p90"]) if found else None

    @property
    def restored(self) -> dict[str, str] | None:
        """The forecast of the moment when all have water, as P10, P50 and P90 in ISO 8601."""
        found: dict[str, str] | None = self.outage.forecast.get("restored")
        return found


def open_outage(session: Session, draft: OutageDraft, actor: Actor, now: dt.datetime) -> LiveOutage:
    """
    Open an outage. Whoever opens it has seen who loses supply, so its first plan is approved.

    Raises
    ------
    FieldopsError
        If nothing is said to break, or something named is not there.
    ConflictError
        If the number of customers is not the one that the person saw.
    """
    queries.lock_valve_work(session)
    question, keys = _read_draft(session, draft)
    incident = incidents.find_incident(session, draft.incident_id) if draft.incident_id else None
    is_drill = draft.is_drill or bool(incident and incident.is_drill)
    situation = Situation.read(session, is_drill=is_drill)
    first = keys["pipe"][0] if keys["pipe"] else (None, None)
    known = queries.fetch_of_incident(session, incident.key) if incident else []
    _refuse_second(known, *first)
    at = queries.fetch_place_of_pipe(session, *first) if first[0] is not None else None
    lon, lat = at or ((incident.lon, incident.lat) if incident else (None, None))
    outage = queries.insert_outage(
        session,
        {
            "incident_key": incident.key if incident else None,
            "is_planned": draft.is_planned,
            "is_drill": is_drill,
            "reason": draft.reason,
            "question": question | {"keys": keys},
            "pipe_key": first[0],
            "at_m": first[1],
            "lon": lon,
            "lat": lat,
            "planned_from": draft.planned_from,
            "planned_until": draft.planned_until,
            "aware_at": draft.aware_at or _aware_at(draft, incident, now),
            "opened_at": now,
            "opened_by": actor.name,
        },
    )
    situation.add(outage)
    plan = plans.find_choice(situation, outage, draft.kind, now)
    _check_seen(draft.customers, plan.effect.customers.connections)
    made = plans.add_plan(
        situation,
        outage,
        plan,
        status="approved",
        because={"code": "opened"},
        by=actor.name,
        now=now,
    )
    outage = plans.put_in_force(situation, outage, plan, made.number, now)
    deed = Deed(session, situation, outage, actor, now, now, {}, None)
    if incident:
        pipe_key = outage.pipe_key if known else None
        if pipe_key is not None or not known:
            work_orders.join_outage(session, incident.key, outage.key, now, pipe_key=pipe_key)
    deed.tell("opened", {"pipe": draft.pipe, "is_planned": draft.is_planned})
    settle(deed, plan=plan)
    return find_outage(session, outage.id)


def _refuse_second(known: Sequence[Outage], pipe_key: int | None, at_m: float | None) -> None:
    """Refuse to open an outage twice: its customers would count twice."""
    for one in known:
        is_same = (one.pipe_key, one.at_m) == (pipe_key, at_m) and pipe_key is not None
        if is_same and one.status == "open":
            raise ConflictError("%(outage)s is open already at this place.", outage=one.id)


def _aware_at(
    draft: OutageDraft, incident: incidents.Incident | None, now: dt.datetime
) -> dt.datetime:
    """Clocks run from the first report of what happened; of planned work from its beginning."""
    if draft.is_planned:
        return draft.planned_from or now
    return min(incident.opened_at, now) if incident else now


def _read_draft(session: Session, draft: OutageDraft) -> tuple[dict[str, Any], dict[str, Any]]:
    """Write the question as it is kept, and find the keys of all that it breaks."""
    wanted = draft.question or Question()
    pipes = [*([(draft.pipe, draft.at_m)] if draft.pipe else []), *wanted.pipes]
    if wanted.place is not None and pipes and pipes[0][1] is None:
        found_at = Case.of(session, Question(pipes=pipes[:1], place=wanted.place)).broken.pipes
        pipes[0] = (pipes[0][0], found_at[0][1])
    asked = {
        "pipe": [name for name, _ in pipes],
        "node": list(wanted.nodes),
        "hydrant": list(wanted.hydrants),
        "valve": list(wanted.valves),
    }
    if not any(asked.values()) and not wanted.closed:
        raise FieldopsError("Name at least one pipe, valve, node or hydrant that is broken.")
    found, _ = fetch_keys(session, {**asked, "control_valve": asked["valve"]})
    for kind, names in asked.items():
        for name in names:
            there = name in found[kind] or (kind == "valve" and name in found["control_valve"])
            if not there:
                raise _not_there(kind, name)
    lists = ("valves", "nodes", "hydrants", "closed", "opened", "inoperable", "unreachable")
    question: dict[str, Any] = {name: list(getattr(wanted, name)) for name in lists}
    question["pipes"] = [list(one) for one in pipes]
    return question, {
        "pipe": [[found["pipe"][name], at_m] for name, at_m in pipes],
        "node": [found["node"][name] for name in wanted.nodes],
        "hydrant": [found["hydrant"][name] for name in wanted.hydrants],
        "device": [
            [table, found[table][name]]
            for name in wanted.valves
            for table in ("valve", "control_valve")
            if name in found[table]
        ],
    }


def _not_there(kind: str, name: str) -> NotFoundError:
    if kind == "pipe":
        return NotFoundError("There is no pipe %(id)s.", id=name)
    if kind == "node":
        return NotFoundError("There is no node %(id)s.", id=name)
    if kind == "hydrant":
        return NotFoundError("There is no hydrant %(id)s.", id=name)
    return NotFoundError("There is no valve %(id)s.", id=name)


def find_outage(session: Session, outage_id: str) -> LiveOutage:
    """
    Give an outage.

    Raises
    ------
    NotFoundError
        If there is none of that id.
    """
    outage = queries.fetch_outage(session, outage_id)
    if outage is None:
        raise NotFoundError("There is no outage %(outage)s.", outage=outage_id)
    return _with_plans(session, [outage])[0]


def check_visible(session: Session, outage_id: str, person: Person) -> None:
    """
    Refuse a contractor's crew what is none of its jobs.

    Raises
    ------
    NotFoundError
        If there is no such outage.
    ForbiddenError
        If it is none of the crew's.
    """
    roles = {str(role) for role in person.roles}
    if roles != {"crew"}:
        return
    outage = queries.fetch_outage(session, outage_id)
    if outage is None:
        raise NotFoundError("There is no outage %(outage)s.", outage=outage_id)
    if not may_see(session, outage, person.id, roles):
        raise ForbiddenError("%(outage)s is no job of your crew.", outage=outage_id)


def list_open(session: Session) -> list[LiveOutage]:
    """Give every outage that is not closed, drills included, in the order of opening."""
    return _with_plans(session, queries.fetch_live(session))


def list_latest(session: Session, limit: int = 200) -> list[LiveOutage]:
    """Give the newest outages, those under way first."""
    return _with_plans(session, queries.fetch_latest(session, limit))


def find_live_outage_at(
    session: Session,
    *,
    customer_keys: Sequence[int] = (),
    pipe_key: int | None = None,
) -> LiveOutage | None:
    """Give the outage under way that concerns a customer, or else the place of a pipe."""
    found = queries.fetch_live_of_customers(session, customer_keys) if customer_keys else []
    if not found and pipe_key is not None:
        found = queries.fetch_live_of_pipe(session, pipe_key)
    real = [one for one in found if not one.is_drill]
    return _with_plans(session, real[:1])[0] if real else None


def _with_plans(session: Session, outages: Sequence[Outage]) -> list[LiveOutage]:
    keys = [one.key for one in outages]
    if not keys:
        return []
    every: dict[int, list[Plan]] = {key: [] for key in keys}
    valves: dict[int, list[WorkedValve]] = {key: [] for key in keys}
    tags: dict[int, list[Tag]] = {key: [] for key in keys}
    for plan in queries.fetch_plans(session, keys):
        every[plan.outage_key].append(plan)
    for valve in queries.fetch_valves(session, keys):
        valves[valve.outage_key].append(valve)
    for tag in queries.fetch_tags(session, keys):
        tags[tag.outage_key].append(tag)
    return [
        LiveOutage(
            outage=one,
            plan=next(plan for plan in every[one.key] if plan.number == one.plan_number),
            proposed=next((plan for plan in every[one.key] if plan.status == "proposed"), None),
            valves=valves[one.key],
            tags=tags[one.key],
        )
        for one in outages
    ]


def _check_seen(seen: int | None, now: int) -> None:
    if seen is not None and seen != now:
        raise ConflictError(
            "%(seen)s customers were shown to you; now it is %(now)s. Look again before you go on.",
            seen=seen,
            now=now,
        )


def redraw_outage(session: Session, outage_id: str, now: dt.datetime) -> None:
    """Draw the forecasts of an outage anew, as time or a crew's step has moved them."""
    queries.lock_valve_work(session)
    outage = queries.fetch_outage(session, outage_id, is_locking=True)
    if outage is None or outage.status == "closed":
        return
    situation = Situation.read(session, is_drill=outage.is_drill)
    wish = plans.wish_in_force(situation, outage)
    plan = plans.try_judge(situation, outage, wish, now)
    if plan is None:
        return
    after = plans.redraw(situation, outage, plan, now)
    after = queries.update_outage(session, after.key, {"version": after.version + 1})
    append_event(
        session, "outage.redrawn", ("outage", after.key), by=SYSTEM, now=now, body=face(after)
    )


def list_overtaken(session: Session, now: dt.datetime) -> list[str]:
    """Name the outages whose forecasts time has overtaken."""
    return queries.fetch_overtaken(session, now)


STAGE_OF_EVENT = {
    "work_order.assigned": ("dispatched", {"make_safe", "repair"}),
    "work_order.departed": ("dispatched", {"make_safe", "repair"}),
    "work_order.arrived": ("on_site", {"make_safe", "repair"}),
    "work_order.finished": ("repaired", {"repair"}),
    "work_order.restored": ("flushed", {"repair", "flush"}),
}
"""Which stage of its incident's outages a step of an order is."""


def _follow_order(session: Session, event: Event) -> None:
    """Record a stage that a crew has reached, and draw the forecasts anew."""
    incident = event.body.get("incident")
    if not incident:
        return
    stage, kinds = STAGE_OF_EVENT[event.kind]
    outages = queries.fetch_of_incident(session, int(str(incident).removeprefix("I-")))
    if not outages:
        return
    order = work_orders.find_order(session, str(event.body["id"]))
    if order.kind not in kinds:
        return
    if order.outage_key is not None:
        outages = [one for one in outages if one.key == order.outage_key]
    elif stage in {"repaired", "flushed"} and len(outages) > 1:
        # Nobody knows which trench it is: none may be refilled by it.
        return
    for outage in outages:
        if getattr(outage, f"{stage}_at") is not None:
            continue
        at = plausible(event.occurred_at, outage, event.received_at)
        later = {"outage_id": outage.id, "stage": stage, "at": at.isoformat()}
        # Whoever works a valve now holds all outages, and waits perhaps for the order that this
        # transaction holds: so never wait here.
        if outage.connections > REDRAWN_AT_ONCE or not queries.try_lock_valve_work(session):
            now = event.received_at.isoformat()
            jobs.enqueue(session, "live_outages.note_stage", now=now, **later)
        else:
            note_stage(session, outage.id, stage, at, event.received_at)


def note_stage(
    session: Session, outage_id: str, stage: str, at: dt.datetime, now: dt.datetime
) -> None:
    """Record that a stage of an outage has happened, if it has not before."""
    outage = queries.fetch_outage(session, outage_id, is_locking=True)
    if outage is None or getattr(outage, f"{stage}_at") is not None:
        return
    queries.update_outage(session, outage.key, {f"{stage}_at": at})
    redraw_outage(session, outage_id, now)


def _keep_incident_open(session: Session, event: Event) -> None:
    """Refuse to close an incident while an outage of it is open."""
    still = queries.fetch_of_incident(session, event.subject_key)
    if still:
        raise ConflictError(
            "These outages are still open: %(outages)s.",
            outages=", ".join(one.id for one in still),
        )


HANDLERS = {
    **dict.fromkeys(STAGE_OF_EVENT, _follow_order),
    "incident.closing": _keep_incident_open,
}


def list_choices(session: Session, outage_id: str, now: dt.datetime) -> list[Choice]:
    """Give the ways to stop the water that differ."""
    found = find_outage(session, outage_id).outage
    situation = Situation.read(session, is_drill=found.is_drill)
    situation.add(found)
    return plans.list_choices(situation, found, now)


def sum_own_minutes(
    session: Session, keys: Sequence[int], now: dt.datetime
) -> dict[int, queries.Minutes]:
    """Give what each of some outages has cost so far, by key."""
    return queries.sum_minutes(session, keys, now)


def list_plans(session: Session, outage_id: str) -> list[Plan]:
    """Give all versions of an outage's plan, the newest first."""
    outage = find_outage(session, outage_id).outage
    return queries.fetch_plans(session, [outage.key])[::-1]


def list_intervals(
    session: Session, outage_id: str, *, limit: int | None = None, offset: int = 0
) -> list[CustomerInterval]:
    """Give each customer's own interval, critical ones first, then by id."""
    outage = find_outage(session, outage_id).outage
    return queries.fetch_intervals(session, outage.key, limit=limit, offset=offset)


def count_minutes(session: Session, since: dt.datetime, until: dt.datetime) -> MinutesLost:
    """Sum what every customer lost between two moments; drills are left out."""
    if until <= since:
        raise FieldopsError("The end of the period must be after its beginning.")
    return queries.sum_minutes_lost(session, since, until)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Customers who have water again when these valves are opened."""

    id: str
    valves: list[str]
    connections: int
    properties: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """An outage as its screen shows it."""

    live: LiveOutage
    tally: queries.Tally
    minutes: queries.Minutes
    promise: Promise
    parts: list[Part]
    keys: dict[str, Any] | None
    device_rings: list[Event] = field(default_factory=list)
    """What tablets without a signal have worked out, and what the network says of it."""


def show_outage(
    session: Session, outage_id: str, now: dt.datetime, *, with_keys: bool = False
) -> Picture:
    """Give an outage with all that its screen shows, and for the map what to recolour."""
    live = find_outage(session, outage_id)
    outage = live.outage
    minutes = queries.sum_minutes(session, [outage.key], now).get(outage.key)
    situation = None
    if outage.status != "closed":
        situation = Situation.read(session, is_drill=outage.is_drill)
    return Picture(
        live=live,
        tally=queries.tally(session, outage.key),
        minutes=minutes or queries.Minutes(0.0, 0),
        promise=promise(session, outage, now),
        parts=_find_parts(situation, outage) if situation else [],
        keys=_find_keys(situation, outage, now) if situation and with_keys else None,
        device_rings=fetch_events_of(session, "outage", [outage.key], kind="outage.device_ring"),
    )


def _find_parts(situation: Situation, outage: Outage) -> list[Part]:
    """List what may be opened now, and who has water by it, the most first."""
    held = set() if outage.repaired_at else set(situation.guards(outage.key))
    shut = [one for one in shut_by(situation, outage) if one.place not in held]
    feeds = [
        one
        for one in situation.valves[outage.key].values()
        if one.role == "refeed" and one.state == "to_open" and one.place not in held
    ]
    found = []
    for valve in (*shut, *feeds):
        kind = "refeed" if valve.role == "refeed" else "valve"
        found.append(_part(situation, f"{kind}:{valve.valve}", [valve]))
    if len(shut) > 1 and not held:
        found.append(_part(situation, "all", shut))
    return sorted(
        (one for one in found if one.connections or one.id.startswith("valve")),
        key=lambda one: (-one.properties, one.id),
    )


def _part(situation: Situation, name: str, valves: Sequence[WorkedValve]) -> Part:
    """Suppose some valves opened, and count who has water by it."""
    dry = situation.supply().premises_dry()
    supposed = situation.suppose_open(valves)
    back = set(dry.tolist()) - set(supposed.supply().premises_dry().tolist())
    properties = situation.before.network.premises_properties
    return Part(
        id=name,
        valves=[one.valve for one in valves],
        connections=len(back),
        properties=int(sum(properties[row] for row in back)),
    )


def _find_keys(situation: Situation, outage: Outage, now: dt.datetime) -> dict[str, Any] | None:
    """Give what the map recolours: the plan's effect, and what of it has water again."""
    wish = plans.wish_in_force(situation, outage)
    plan = plans.try_judge(situation, outage, wish, now, with_keys=True)
    if plan is None:
        return None
    keys = dict(plan.judged.answer.keys)
    isolation, case = plan.judged.ruling.isolation, plan.judged.case
    back = queries.fetch_restored_keys(situation.session, outage.key)
    world = situation.before
    is_wet = situation.supply([outage.key]).is_wet
    has_begun = outage.water_stopped_at is not None
    parts = {*isolation.parts_shut.tolist(), *isolation.parts_cut_off.tolist()}
    parts |= _find_refed(situation, outage, wish, now)
    block = world.blocks.of_vertex
    wet = [part for part in sorted(parts) if has_begun and is_wet[block[world.blocks.nodes + part]]]
    keys["parts_restored"] = case.tile_ids(plans.as_part_rows(wet))
    keys["customers_restored"] = sorted(back)
    return keys


def _find_refed(situation: Situation, outage: Outage, wish: Wish, now: dt.datetime) -> set[int]:
    """Find the parts that would be cut off if nobody were fed from elsewhere."""
    valves = situation.valves[outage.key]
    shut_again = {
        place: replace(valve, state="to_open")
        for place, valve in valves.items()
        if valve.role == "refeed" and valve.state == "opened"
    }
    if not shut_again:
        return set()
    supposed = replace(
        situation, valves={**situation.valves, outage.key: valves | shut_again}, _supplies={}
    )
    plan = plans.try_judge(supposed, outage, replace(wish, opened=()), now)
    return set() if plan is None else set(plan.judged.ruling.isolation.parts_cut_off.tolist())
