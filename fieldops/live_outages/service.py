"""Outages under way: opened, valves confirmed one by one, plans changed, water back, closed."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy.exc import IntegrityError

from fieldops import jobs
from fieldops.errors import ConflictError, FieldopsError, NotFoundError
from fieldops.events.service import SYSTEM, Actor, Operation, Outcome, append_event
from fieldops.incidents import service as incidents
from fieldops.live_plans import service as plans
from fieldops.live_plans.service import Promise, Wish, judge, promise
from fieldops.live_supply import queries
from fieldops.live_supply.queries import MinutesLost, Outage, Plan, Tag, WorkedValve
from fieldops.live_supply.service import Situation, is_shut, is_stuck
from fieldops.network.service import FactsWish, change_valve_facts
from fieldops.outage_questions.queries import fetch_keys
from fieldops.outage_questions.service import Case, Question
from fieldops.work_orders import service as work_orders

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy.orm import Session

    from fieldops.events.service import Event
    from fieldops.live_plans.service import Choice, Judged
    from fieldops.live_supply.queries import CustomerInterval, Regained
    from fieldops.live_supply.service import SupplyChange

__all__ = [
    "LiveOutage",
    "MinutesLost",
    "Outage",
    "OutageDraft",
    "Promise",
    "apply_operation",
    "find_live_outage_at",
    "find_outage",
    "list_open",
    "open_outage",
    "promise",
]

TURNS_SHORT = 0.9
"""Fewer turns than this share of those recorded: the valve may not be down."""
REDRAWN_AT_ONCE = 3000
"""More customers than this wait for the worker to redraw their forecasts after a crew's step."""
MAY_PLAN = frozenset({"dispatcher", "planner", "manager", "system"})
MAY_WORK = MAY_PLAN | {"crew"}


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
    deed = _Deed(session, situation, outage, actor, now, now, {}, None)
    deed.tell("opened", {"pipe": draft.pipe, "is_planned": draft.is_planned})
    _settle(deed, plan=plan)
    return find_outage(session, outage.id)


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


class _Body(BaseModel):
    """What every action may say: the number of customers that the person saw."""

    model_config = ConfigDict(extra="ignore")

    customers: int | None = Field(default=None, ge=0)


class _ValveBody(_Body):
    valve: str
    turns: float | None = Field(default=None, ge=0, le=10_000, allow_inf_nan=False)
    tag: str | None = Field(default=None, min_length=1, max_length=40)
    photo: str | None = Field(default=None, pattern="^[0-9a-f]{64}$")


class ConfirmBody(_ValveBody):
    """What a crew found at a valve that it was to close."""

    result: Literal["closed_tight", "passing", "will_not_close", "not_found"]
    accept_passing: bool = False
    gland_leaking: bool = False


class ReopenBody(_ValveBody):
    """What a crew found at a valve that it was to open again."""

    result: Literal["reopened", "will_not_reopen", "handed_over"] = "reopened"
    repaired: bool = False


class PartBody(_Body):
    """Valves to be opened again together: a part's id, or their names."""

    part: str | None = None
    valves: list[str] = Field(default_factory=list)
    tags: dict[str, str] = Field(default_factory=dict)
    repaired: bool = False


class PlanBody(_Body):
    """Which version of the plan."""

    plan: int | None = None
    version: int | None = None


class ChoiceBody(_Body):
    """Another plan: one of the kinds, or valves closed besides, left open, opened to feed."""

    kind: Literal["nearest", "fewest", "fastest", "own"] = "own"
    valves: list[str] = Field(default_factory=list)
    skipped: list[str] = Field(default_factory=list)
    opened: list[str] = Field(default_factory=list)


class StageBody(_Body):
    """A stage that has happened."""

    stage: Literal["dispatched", "on_site", "repaired", "flushed"]


class TagBody(_ValveBody):
    """A tag hung or taken off by itself."""

    is_taken_off: bool = False


@dataclass(slots=True, eq=False)
class _Deed:
    """An operation on its way: what is known, and what has to be told at the end."""

    session: Session
    situation: Situation
    outage: Outage
    actor: Actor
    now: dt.datetime
    at: dt.datetime
    body: Any
    op_id: str | None
    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    facts: list[tuple[str, FactsWish]] = field(default_factory=list)
    stages: dict[str, dt.datetime] = field(default_factory=dict)
    changed: list[str] = field(default_factory=list)

    @property
    def who(self) -> str:
        """Whoever did it, also where somebody else records it from a call."""
        return self.actor.by_phone_for or self.actor.name

    def tell(self, verb: str, body: Mapping[str, Any]) -> None:
        """Keep what happened, to be told when all is written."""
        self.events.append((verb, dict(body)))

    def valve(self, name: str, roles: Sequence[str] | None = None) -> WorkedValve:
        """Find a valve of the outage by its id."""
        for valve in self.situation.valves[self.outage.key].values():
            if valve.valve == name and (roles is None or valve.role in roles):
                return valve
        raise ConflictError(
            "%(valve)s is not in the plan of %(outage)s. Extend the plan first.",
            valve=name,
            outage=self.outage.id,
        )

    def stage(self, name: str, at: dt.datetime) -> None:
        """Record that a stage has happened, if it has not before."""
        if getattr(self.outage, f"{name}_at") is None:
            self.stages.setdefault(f"{name}_at", at)


def apply_operation(
    session: Session, operation: Operation, actor: Actor, now: dt.datetime
) -> Outcome:
    """
    Do one thing to an outage, all of it or nothing.

    Raises
    ------
    NotFoundError
        If there is no such outage.
    """
    queries.lock_valve_work(session)
    outage = queries.fetch_outage(session, operation.subject_id, is_locking=True)
    if outage is None:
        raise NotFoundError("There is no outage %(outage)s.", outage=operation.subject_id)
    known = ACTIONS.get(operation.action)
    refusal = _refuse(outage, operation, actor, known)
    if refusal is not None or known is None:
        return refusal or _answer(outage, "illegal")
    try:
        body = known[0].model_validate(dict(operation.body))
    except ValidationError as error:
        return _unreadable(outage, error)
    if outage.status == "closed":
        return _keep_late(session, outage, operation, actor, now)
    conflict = _find_conflict(session, outage, operation, body)
    return conflict or _carry_out(
        session, outage, replace(operation, body={"read": body}), actor, now
    )


def _carry_out(
    session: Session, outage: Outage, operation: Operation, actor: Actor, now: dt.datetime
) -> Outcome:
    """Do it and all that follows, or nothing where a rule or the database refuses."""
    try:
        with session.begin_nested():
            situation = Situation.read(session, is_drill=outage.is_drill)
            at = _plausible(operation.occurred_at, outage, now)
            read = operation.body["read"]
            deed = _Deed(session, situation, outage, actor, now, at, read, operation.op_id)
            plan = ACTIONS[operation.action][1](deed)
            _settle(deed, plan=plan)
    except IntegrityError as error:
        return _answer(outage, "illegal", *_say_refusal(error))
    except ConflictError as error:
        return _answer(outage, "illegal", error.msgid, error.params)
    return _answer(deed.outage, "applied")


def _answer(
    outage: Outage, status: str, message: str = "", params: Mapping[str, Any] | None = None
) -> Outcome:
    return Outcome(
        status=status,
        version=outage.version,
        state=outage.status,
        message=message,
        params=params or {},
    )


def _refuse(
    outage: Outage, operation: Operation, actor: Actor, known: object | None
) -> Outcome | None:
    if known is None:
        message = "An outage has no action %(action)s."
        return _answer(outage, "illegal", message, {"action": operation.action})
    if not actor.roles & ACTIONS[operation.action][2]:
        message = "%(name)s may not do this to an outage."
        return _answer(outage, "forbidden", message, {"name": actor.name})
    return None


def _unreadable(outage: Outage, error: ValidationError) -> Outcome:
    names = tuple(".".join(str(part) for part in one["loc"]) for one in error.errors())
    message = "This cannot be read: %(fields)s."
    return replace(_answer(outage, "missing", message, {"fields": ", ".join(names)}), missing=names)


def _keep_late(
    session: Session, outage: Outage, operation: Operation, actor: Actor, now: dt.datetime
) -> Outcome:
    """Keep what came when the outage was over: it happened all the same."""
    append_event(
        session,
        "outage.late_fact",
        ("outage", outage.key),
        by=actor,
        now=now,
        occurred_at=operation.occurred_at,
        op_id=operation.op_id,
        body={"id": outage.id, "action": operation.action, "body": dict(operation.body)},
    )
    kept = _answer(outage, "illegal", "%(outage)s is closed already.", {"outage": outage.id})
    return replace(kept, is_kept_as_fact=True)


def _find_conflict(
    session: Session, outage: Outage, operation: Operation, body: _Body
) -> Outcome | None:
    """Refuse what was decided on numbers, or on a valve's state, that are no longer true."""
    seen = body.customers
    true_ones = {outage.connections}
    if operation.action == "approve_plan":
        proposed = [
            plan for plan in queries.fetch_plans(session, [outage.key]) if plan.status == "proposed"
        ]
        true_ones |= {plan.answer["customers"]["connections"] for plan in proposed}
    if seen is not None and seen not in true_ones:
        return _answer(
            outage,
            "conflict",
            "%(seen)s customers were shown to you; now it is %(now)s. Look again before you go on.",
            {"seen": seen, "now": outage.connections},
        )
    name = f"valve:{getattr(body, 'valve', '')}"
    base = operation.base_version
    if base is None or outage.changed_in.get(name, 0) <= base:
        return None
    valves = queries.fetch_valves(session, [outage.key])
    there = next((one.state for one in valves if f"valve:{one.valve}" == name), None)
    mine = getattr(body, "result", None)
    if there == mine:
        return None
    found = _answer(
        outage,
        "conflict",
        "Somebody else has recorded %(valve)s meanwhile.",
        {"valve": getattr(body, "valve", "")},
    )
    return replace(found, conflicts={name: {"mine": mine, "theirs": there}})


def _say_refusal(error: IntegrityError) -> tuple[str, dict[str, Any]]:
    """Say in words what the database has refused."""
    diagnosis = getattr(error.orig, "diag", None)
    name = getattr(diagnosis, "constraint_name", None) or ""
    if name == "valve_held_by_another_job":
        job = getattr(diagnosis, "message_detail", "") or "?"
        return "The valve must stay shut: %(job)s needs it.", {"job": job}
    if name == "ix_valve_tag_one_place":
        return "A tag of this number hangs elsewhere.", {}
    if name == "ix_valve_tag_one_a_job":
        return "A tag of this job hangs on the valve already.", {}
    if name == "outage_not_over":
        return "The outage is not over: somebody is dry, a tag hangs or a valve is shut.", {}
    raise error


def _plausible(claimed: dt.datetime | None, outage: Outage, now: dt.datetime) -> dt.datetime:
    """Take a device's time only where it lies between the report and now."""
    return claimed if claimed is not None and outage.aware_at <= claimed <= now else now


def _check_seen(seen: int | None, now: int) -> None:
    if seen is not None and seen != now:
        raise ConflictError(
            "%(seen)s customers were shown to you; now it is %(now)s. Look again before you go on.",
            seen=seen,
            now=now,
        )


def _confirm_valve(deed: _Deed) -> Judged | None:
    """Record what a crew found at a valve; one that bounds nothing makes a new plan at once."""
    body: ConfirmBody = deed.body
    valve = deed.valve(body.valve)
    if valve.role == "refeed":
        _close_refeed(deed, valve)
        return None
    was_stuck, shuts = is_stuck(valve), body.result in {"closed_tight", "passing"}
    accepted = deed.who if body.result == "passing" and body.accept_passing else None
    after = deed.situation.change_valve(
        valve,
        state=body.result,
        turns_counted=body.turns,
        accepted_by=accepted,
        is_gland_leaking=body.gland_leaking,
        closed_at=deed.at if shuts else None,
        closed_by=deed.who if shuts else None,
        reopened_at=None,
        reopened_by=None,
    )
    if shuts and body.tag:
        _hang_tag(deed, after)
    deed.changed.append(f"valve:{valve.valve}")
    deed.stage("on_site", deed.at)
    _note_facts(deed, after)
    deed.tell("valve_confirmed", _told_of_valve(deed, after))
    if is_stuck(after) == was_stuck:
        return None
    return _replan(deed, after)


def _told_of_valve(deed: _Deed, valve: WorkedValve) -> dict[str, Any]:
    counted, recorded = valve.turns_counted, valve.turns_recorded
    return {
        "valve": valve.valve,
        "result": valve.state,
        "accepted_by": valve.accepted_by,
        "turns": counted,
        "turns_recorded": recorded,
        "is_turns_short": is_turns_short(valve),
        "is_gland_leaking": valve.is_gland_leaking,
        "tag": deed.body.tag,
        "photo": deed.body.photo,
    }


def is_turns_short(valve: WorkedValve) -> bool:
    """Tell whether fewer turns were counted than recorded: the valve may not be down."""
    counted, recorded = valve.turns_counted, valve.turns_recorded
    return counted is not None and bool(recorded) and counted < TURNS_SHORT * (recorded or 0)


def _note_facts(deed: _Deed, valve: WorkedValve) -> None:
    """Keep what a crew learnt of a valve, for the network; a drill teaches it nothing."""
    if deed.outage.is_drill or valve.device_table not in {"valve", "control_valve"}:
        return
    wish = {
        "closed_tight": FactsWish(position="closed", operability="operable", reachable=True),
        "will_not_close": FactsWish(operability="inoperable", position=valve.position_before),
        "not_found": FactsWish(reachable=False),
        "reopened": FactsWish(position="open", operability="operable", reachable=True),
        "opened": FactsWish(position="open", operability="operable", reachable=True),
        "to_open": FactsWish(position="closed"),
        "will_not_reopen": FactsWish(position="closed", operability="inoperable"),
    }.get(valve.state)
    if valve.state == "passing":
        closed = "closed" if valve.accepted_by else valve.position_before
        wish = FactsWish(position=closed)
    if wish is not None:
        deed.facts.append((valve.valve, wish))


def _replan(deed: _Deed, valve: WorkedValve) -> Judged:
    """Make a new version of the plan because of what a valve turned out to be, and use it."""
    situation, outage = deed.situation, deed.outage
    wish = plans.wish_in_force(situation, outage)
    plan = judge(situation, outage, wish, deed.now)
    code = {"will_not_close": "will-not-close", "not_found": "not-found", "passing": "passing"}
    made = plans.add_plan(
        situation,
        outage,
        plan,
        status="proposed",
        because={"code": code.get(valve.state, "closed-after-all"), "valve": valve.valve},
        by=deed.actor.name,
        now=deed.now,
    )
    deed.outage = plans.put_in_force(situation, outage, plan, made.number, deed.now)
    deed.tell("replanned", _told_of_plan(made))
    return plan


def _told_of_plan(plan: Plan) -> dict[str, Any]:
    return {
        "plan": plan.number,
        "plan_status": plan.status,
        "kind": plan.kind,
        "because": plan.because,
        "difference": plan.difference,
    }


def _close_refeed(deed: _Deed, valve: WorkedValve) -> None:
    """Close a valve again that was opened to feed somebody from elsewhere."""
    if valve.state != "opened":
        raise ConflictError("%(valve)s was not opened.", valve=valve.valve)
    after = deed.situation.change_valve(
        valve, state="to_open", closed_at=deed.at, closed_by=deed.who
    )
    _note_facts(deed, after)
    deed.changed.append(f"valve:{valve.valve}")
    deed.tell("valve_confirmed", _told_of_valve(deed, after))


def _reopen_valve(deed: _Deed) -> Judged | None:
    """Record that a valve is open again, will not open, or is left to another job."""
    body: ReopenBody = deed.body
    _open_again(deed, deed.valve(body.valve), body.result, body.tag)
    return None


def _open_again(deed: _Deed, valve: WorkedValve, result: str, tag: str | None) -> None:
    shut = is_shut(valve) or valve.state == "passing"
    if valve.role == "verify_shut" or valve.device_table == "" or not shut:
        raise ConflictError("This job has not closed %(valve)s.", valve=valve.valve)
    holders = queries.fetch_holders(deed.session, deed.outage.key, valve.place)
    if result == "reopened":
        _refuse_refilling(deed, valve, holders)
    if result == "handed_over" and not holders:
        raise ConflictError("No other job needs %(valve)s shut.", valve=valve.valve)
    is_over = result in {"reopened", "handed_over"}
    hanging = _find_tag(deed, valve)
    if hanging is not None and (is_over or tag):
        _take_off(deed, hanging, tag)
    after = deed.situation.change_valve(
        valve,
        state=result,
        reopened_at=deed.at if is_over else None,
        reopened_by=deed.who if is_over else None,
        **({"turns_counted": deed.body.turns} if getattr(deed.body, "turns", None) else {}),
    )
    if result != "handed_over":
        _note_facts(deed, after)
    deed.changed.append(f"valve:{valve.valve}")
    deed.tell("valve_reopened", {"valve": valve.valve, "result": result, "tag": tag})


def _refuse_refilling(deed: _Deed, valve: WorkedValve, holders: Sequence[queries.Holder]) -> None:
    """Refuse to let water into a trench, this job's or another's."""
    for holder in holders:
        words = {
            "tag": "%(valve)s must stay shut: tag %(tag)s of %(job)s hangs on it.",
            "plan": "%(valve)s must stay shut: %(job)s has closed it, too.",
            "trench": "%(valve)s must stay shut: opening it would fill the trench of %(job)s.",
        }
        raise ConflictError(words[holder.why], valve=valve.valve, job=holder.outage, tag=holder.tag)
    if deed.outage.repaired_at is not None:
        return
    if getattr(deed.body, "repaired", False):
        deed.stage("repaired", deed.at)
        return
    if valve.place in deed.situation.guards(deed.outage.key):
        raise ConflictError(
            "The repair is not recorded as done: opening %(valve)s would fill the trench.",
            valve=valve.valve,
        )


def _restore_part(deed: _Deed) -> Judged | None:
    """Open several valves again together, or one that feeds from elsewhere."""
    body: PartBody = deed.body
    kind, _, name = (body.part or "").partition(":")
    if kind == "refeed":
        _open_refeed(deed, deed.valve(name, ["refeed"]))
        return None
    names = list(body.valves)
    if kind == "valve":
        names.append(name)
    elif kind == "all":
        names = [one.valve for one in _shut_by(deed.situation, deed.outage)]
    if not names:
        raise ConflictError("Name the valves that are open again.")
    for one in names:
        _open_again(deed, deed.valve(one), "reopened", body.tags.get(one))
    return None


def _shut_by(situation: Situation, outage: Outage) -> list[WorkedValve]:
    """List what a job keeps shut and has to open again."""
    return [
        valve
        for valve in situation.valves[outage.key].values()
        if (is_shut(valve) or valve.state == "passing")
        and valve.role != "verify_shut"
        and valve.state != "will_not_reopen"
    ]


def _refeed(deed: _Deed) -> Judged | None:
    """Open a closed valve to feed somebody from elsewhere."""
    _open_refeed(deed, deed.valve(deed.body.valve, ["refeed"]))
    return None


def _open_refeed(deed: _Deed, valve: WorkedValve) -> None:
    if valve.state != "to_open":
        raise ConflictError("%(valve)s is open already.", valve=valve.valve)
    holders = queries.fetch_holders(deed.session, deed.outage.key, valve.place)
    if holders or valve.place in deed.situation.guards(deed.outage.key):
        job = holders[0].outage if holders else deed.outage.id
        raise ConflictError(
            "%(valve)s must stay shut: opening it would fill the trench of %(job)s.",
            valve=valve.valve,
            job=job,
        )
    after = deed.situation.change_valve(
        valve, state="opened", reopened_at=deed.at, reopened_by=deed.who
    )
    _note_facts(deed, after)
    deed.changed.append(f"valve:{valve.valve}")
    deed.tell("valve_reopened", {"valve": valve.valve, "result": "opened", "tag": None})


def _hang_tag(deed: _Deed, valve: WorkedValve) -> None:
    hanging = queries.fetch_hanging_tag(deed.session, deed.body.tag)
    own = _find_tag(deed, valve)
    if own is not None and own.number == deed.body.tag:
        return
    if hanging is not None:
        tag, job = hanging
        raise ConflictError(
            "Tag %(tag)s hangs on %(valve)s for %(job)s.",
            tag=tag.number,
            valve=tag.valve,
            job=job,
        )
    queries.insert_tag(
        deed.session,
        {
            "outage_key": deed.outage.key,
            "device_table": valve.device_table,
            "device_key": valve.device_key,
            "valve": valve.valve,
            "number": deed.body.tag,
            "hung_at": deed.at,
            "hung_by": deed.who,
            "hung_photo": deed.body.photo,
        },
    )


def _find_tag(deed: _Deed, valve: WorkedValve) -> Tag | None:
    for tag in queries.fetch_tags(deed.session, [deed.outage.key]):
        if tag.taken_off_at is None and (tag.device_table, tag.device_key) == valve.place:
            return tag
    return None


def _take_off(deed: _Deed, tag: Tag, number: str | None) -> None:
    """Take a tag off whose number was read on the valve."""
    if number is None:
        raise ConflictError(
            "Tag %(tag)s hangs on %(valve)s: read its number there, and say it.",
            tag=tag.number,
            valve=tag.valve,
        )
    if number != tag.number:
        raise ConflictError(
            "Tag %(tag)s hangs on %(valve)s, not %(read)s. Is it the right valve?",
            tag=tag.number,
            valve=tag.valve,
            read=number,
        )
    queries.take_off_tag(
        deed.session,
        tag.key,
        {
            "taken_off_at": deed.at,
            "taken_off_by": deed.who,
            "taken_off_photo": getattr(deed.body, "photo", None),
        },
    )


def _tag_valve(deed: _Deed) -> Judged | None:
    """Hang a tag on a valve that is shut, or take one off by itself."""
    body: TagBody = deed.body
    valve = deed.valve(body.valve)
    if body.tag is None:
        raise ConflictError("Say the number of the tag.")
    if body.is_taken_off:
        hanging = _find_tag(deed, valve)
        if hanging is None:
            raise ConflictError("No tag of this job hangs on %(valve)s.", valve=valve.valve)
        _take_off(deed, hanging, body.tag)
    else:
        if not is_shut(valve):
            raise ConflictError("This job has not closed %(valve)s.", valve=valve.valve)
        _hang_tag(deed, valve)
    deed.changed.append(f"valve:{valve.valve}")
    verb = "tag_taken_off" if body.is_taken_off else "tag_hung"
    deed.tell(verb, {"valve": valve.valve, "tag": body.tag, "photo": body.photo})
    return None


def _choose_plan(deed: _Deed) -> Judged | None:
    """Propose another plan; it takes force when it is approved."""
    body: ChoiceBody = deed.body
    situation, outage = deed.situation, deed.outage
    if body.kind == "own":
        now = plans.wish_in_force(situation, outage)
        wish = Wish(
            kind="own",
            skipped=sorted({*now.skipped, *body.skipped} - set(body.valves)),
            closed=sorted({*now.closed, *body.valves}),
            opened=sorted({*now.opened, *body.opened}),
        )
        plan = judge(situation, outage, wish, deed.now)
    else:
        plan = plans.find_choice(situation, outage, body.kind, deed.now)
    made = plans.add_plan(
        situation,
        outage,
        plan,
        status="proposed",
        because={"code": "chosen", "kind": body.kind},
        by=deed.actor.name,
        now=deed.now,
    )
    deed.tell("plan_proposed", _told_of_plan(made))
    return None


def _shrink_plan(deed: _Deed) -> Judged | None:
    """Propose the nearest ring of valves, after a larger cut that was quicker."""
    deed.body = ChoiceBody(kind="nearest", customers=deed.body.customers)
    return _choose_plan(deed)


def _approve_plan(deed: _Deed) -> Judged | None:
    """Approve the proposed plan; one that was only wished takes force by it."""
    body: PlanBody = deed.body
    number = body.plan or body.version
    known = queries.fetch_plans(deed.session, [deed.outage.key])
    proposed = next((plan for plan in known if plan.status == "proposed"), None)
    if proposed is None or (number is not None and number != proposed.number):
        raise ConflictError("No such plan waits for approval.")
    queries.supersede_plans(deed.session, deed.outage.key, ["approved"])
    queries.update_plan(
        deed.session,
        deed.outage.key,
        proposed.number,
        {"status": "approved", "approved_at": deed.now, "approved_by": deed.who},
    )
    deed.tell("plan_approved", _told_of_plan(replace(proposed, status="approved")))
    if proposed.number == deed.outage.plan_number:
        return None
    wish = Wish.read(proposed.kind, proposed.wish)
    plan = judge(deed.situation, deed.outage, wish, deed.now)
    deed.outage = plans.put_in_force(deed.situation, deed.outage, plan, proposed.number, deed.now)
    return plan


def _record_stage(deed: _Deed) -> Judged | None:
    """Record that a stage has happened."""
    body: StageBody = deed.body
    deed.stage(body.stage, deed.at)
    deed.tell("stage_reached", {"stage": body.stage, "at": deed.at.isoformat()})
    return None


def _close(deed: _Deed) -> Judged | None:
    """End an outage by which nobody is dry any more."""
    found = queries.tally(deed.session, deed.outage.key)
    if found.customers_out:
        raise ConflictError("%(count)s customers are still dry by it.", count=found.customers_out)
    hanging = [
        f"{tag.number} ({tag.valve})"
        for tag in queries.fetch_tags(deed.session, [deed.outage.key])
        if tag.taken_off_at is None
    ]
    if hanging:
        raise ConflictError("These tags still hang: %(tags)s.", tags=", ".join(hanging))
    valves = deed.situation.valves[deed.outage.key].values()
    shut = [one.valve for one in _shut_by(deed.situation, deed.outage)]
    shut += [one.valve for one in valves if one.state == "opened"]
    if shut:
        raise ConflictError(
            "These valves do not stand yet as they did before: %(valves)s.",
            valves=", ".join(sorted(shut)),
        )
    queries.delete_never_lost(deed.session, deed.outage.key)
    deed.stages["closed_at"] = deed.now
    return None


ACTIONS: dict[str, tuple[type[_Body], Callable[[_Deed], Judged | None], frozenset[str]]] = {
    "confirm_valve": (ConfirmBody, _confirm_valve, MAY_WORK),
    "reopen_valve": (ReopenBody, _reopen_valve, MAY_WORK),
    "restore_part": (PartBody, _restore_part, MAY_WORK),
    "refeed": (TagBody, _refeed, MAY_WORK),
    "tag": (TagBody, _tag_valve, MAY_WORK),
    "approve_plan": (PlanBody, _approve_plan, MAY_PLAN),
    "choose_plan": (ChoiceBody, _choose_plan, MAY_PLAN),
    "extend": (ChoiceBody, _choose_plan, MAY_PLAN),
    "shrink": (ChoiceBody, _shrink_plan, MAY_PLAN),
    "stage": (StageBody, _record_stage, MAY_WORK),
    "close": (_Body, _close, MAY_PLAN),
}
"""What may be done to an outage: the shape of its body, how, and by whom."""


def _settle(deed: _Deed, *, plan: Judged | None) -> None:
    """Work out all that follows: who is dry, what stages that makes, forecasts, guards; tell it."""
    change = deed.situation.write_supply(deed.outage.key, deed.at)
    _find_stages(deed)
    version = deed.outage.version + 1
    is_closing = "closed_at" in deed.stages
    values: dict[str, Any] = {
        "version": version,
        "changed_in": deed.outage.changed_in | dict.fromkeys(deed.changed, version),
        **deed.stages,
    }
    if is_closing:
        values |= {"status": "closed", "closed_by": deed.who}
    deed.outage = queries.update_outage(deed.session, deed.outage.key, values)
    deed.situation.add(deed.outage)
    if not is_closing:
        wish = plan.wish if plan else plans.wish_in_force(deed.situation, deed.outage)
        fresh = judge(deed.situation, deed.outage, wish, deed.now)
        deed.outage = plans.redraw(deed.situation, deed.outage, fresh, deed.now)
        _find_end(deed, change)
    else:
        del deed.situation.outages[deed.outage.key]
        deed.situation.valves.pop(deed.outage.key)
    _settle_others(deed)
    if not is_closing:
        deed.outage = plans.recount(deed.situation, deed.outage)
    _tell_all(deed, change)
    _record_effects(deed)
    _record_facts(deed)


def _find_stages(deed: _Deed) -> None:
    """Note that the water is stopped, and the plan carried out, once the trench is dry."""
    situation, outage = deed.situation, deed.outage
    valves = [
        one
        for one in situation.valves[outage.key].values()
        if one.role in {"close", "pump", "source"}
    ]
    if not valves or not all(is_shut(one) for one in valves):
        return
    number = outage.plan_number
    known = queries.fetch_plans(deed.session, [outage.key])
    current = next(plan for plan in known if plan.number == number)
    if current.status != "executed":
        queries.supersede_plans(deed.session, outage.key, ["executed"])
        queries.update_plan(
            deed.session,
            outage.key,
            number,
            {"status": "executed", "executed_at": deed.at},
        )
        deed.tell("plan_executed", {"plan": number})
    if situation.is_trench_dry(outage.key):
        deed.stage("water_stopped", deed.at)


def _find_end(deed: _Deed, change: SupplyChange) -> None:
    """Note that all have their water back, or that somebody has lost it again."""
    found = queries.tally(deed.session, deed.outage.key)
    waiting = [
        one
        for one in deed.situation.valves[deed.outage.key].values()
        if one.role in {"close", "pump", "source"} and one.state == "to_close"
    ]
    has_begun = deed.outage.water_stopped_at is not None or found.is_anybody_lost
    is_over = (
        has_begun
        and not found.customers_out
        and not _shut_by(deed.situation, deed.outage)
        and not waiting
    )
    if is_over and deed.outage.status == "open":
        queries.delete_never_lost(deed.session, deed.outage.key)
        values = {"status": "restored", "restored_at": deed.at, "forecast": {}}
        deed.tell("restored", {"regained": len(change.regained)})
    elif deed.outage.status == "restored" and (found.customers_out or waiting):
        values = {"status": "open", "restored_at": None}
    else:
        return
    deed.outage = queries.update_outage(deed.session, deed.outage.key, values)
    deed.situation.add(deed.outage)


def _settle_others(deed: _Deed) -> None:
    """Look at what the jobs under way do together, and which valves keep whose trench dry."""
    situation = deed.situation
    before = queries.fetch_joint_keys(deed.session, list(situation.outages))
    joint = plans.write_joint(situation, deed.now)
    for key in sorted(situation.outages):
        after = set(joint.get(key, ()))
        added = after - before.get(key, set())
        if after == before.get(key, set()):
            continue
        if key != deed.outage.key:
            plans.recount(situation, situation.outages[key], is_changed=True)
        deed.tell(
            "joint_effect",
            {
                "id": situation.outages[key].id,
                "customers": len(after),
                "customers_added": len(added),
                "with": [one.id for other, one in situation.outages.items() if other < key],
            },
        )
    situation.write_guards()


def _tell_all(deed: _Deed, change: SupplyChange) -> None:
    outage = deed.outage
    if change.regained:
        deed.tell("part_restored", _told_of_regained(change.regained))
    if outage.status == "closed":
        deed.tell("closed", {})
    for verb, body in deed.events:
        key = outage.key
        if body.get("id", outage.id) != outage.id:
            key = int(str(body["id"]).removeprefix("O-"))
        append_event(
            deed.session,
            f"outage.{verb}",
            ("outage", key),
            by=deed.actor,
            now=deed.now,
            occurred_at=deed.at,
            op_id=deed.op_id,
            body={**face(outage), **body},
        )


def _told_of_regained(regained: Sequence[Regained]) -> dict[str, Any]:
    return {
        "customers_regained": len({one.customer_key for one in regained}),
        "properties_regained": sum({one.customer_key: one.properties for one in regained}.values()),
        "critical_regained": sorted({one.customer for one in regained if one.is_critical}),
    }


def face(outage: Outage, plan_status: str | None = None) -> dict[str, Any]:
    """Give what a screen needs to patch its row of this outage."""
    stages = ("aware", "dispatched", "on_site", "water_stopped", "repaired", "flushed", "restored")
    times = {name: getattr(outage, f"{name}_at") for name in stages}
    return {
        "id": outage.id,
        "version": outage.version,
        "status": outage.status,
        "incident": outage.incident_id,
        "is_planned": outage.is_planned,
        "is_drill": outage.is_drill,
        "plan_version": outage.plan_number,
        **({"plan_status": plan_status} if plan_status else {}),
        "connections": outage.connections,
        "customers_out": outage.customers_out,
        "properties_out": outage.properties_out,
        "critical_out": outage.critical_out,
        "restored": outage.forecast.get("restored"),
        "stages": {name: at.isoformat() for name, at in times.items() if at is not None},
    }


def _record_effects(deed: _Deed) -> None:
    """Let the incident and its orders know who is concerned."""
    outage = deed.outage
    if outage.incident_key is None or outage.incident_id is None:
        return
    open_ones = queries.fetch_of_incident(deed.session, outage.incident_key)
    critical: set[str] = set()
    for one in open_ones:
        critical |= set(queries.tally(deed.session, one.key).critical)
    properties = sum(one.properties_out for one in open_ones)
    people = [one.people_out for one in open_ones]
    known = queries.fetch_plans(deed.session, [one.key for one in open_ones])
    numbers = {one.key: one.plan_number for one in open_ones}
    hydrants = {
        hydrant
        for plan in known
        if plan.number == numbers[plan.outage_key]
        for hydrant in plan.answer["hydrants_dry"]
    }
    is_back = all(one.status == "restored" for one in open_ones)
    incidents.record_effect(
        deed.session,
        outage.incident_id,
        incidents.IncidentEffect(
            properties_out=properties,
            people_out=None if None in people else sum(one for one in people if one is not None),
            critical_ids=sorted(critical),
            hydrants_dry=0 if is_back else len(hydrants),
        ),
        deed.now,
        deed.actor,
    )
    work_orders.set_effect(deed.session, outage.incident_key, properties, len(critical), deed.now)


def _record_facts(deed: _Deed) -> None:
    """Write facts of valves last: arrays in memory are of the network before this transaction."""
    for valve, wish in deed.facts:
        change_valve_facts(deed.session, valve, wish, by=deed.actor.name, now=deed.now)


def redraw_outage(session: Session, outage_id: str, now: dt.datetime) -> None:
    """Draw the forecasts of an outage anew, as time or a crew's step has moved them."""
    queries.lock_valve_work(session)
    outage = queries.fetch_outage(session, outage_id, is_locking=True)
    if outage is None or outage.status == "closed":
        return
    situation = Situation.read(session, is_drill=outage.is_drill)
    wish = plans.wish_in_force(situation, outage)
    after = plans.redraw(situation, outage, judge(situation, outage, wish, now), now)
    after = queries.update_outage(session, after.key, {"version": after.version + 1})
    append_event(
        session, "outage.redrawn", ("outage", after.key), by=SYSTEM, now=now, body=face(after)
    )


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
    if not outages or work_orders.find_order(session, str(event.body["id"])).kind not in kinds:
        return
    for outage in outages:
        if getattr(outage, f"{stage}_at") is not None:
            continue
        at = _plausible(event.occurred_at, outage, event.received_at)
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
    )


def _find_parts(situation: Situation, outage: Outage) -> list[Part]:
    """List what may be opened now, and who has water by it, the most first."""
    held = set() if outage.repaired_at else set(situation.guards(outage.key))
    shut = [one for one in _shut_by(situation, outage) if one.place not in held]
    feeds = [
        one
        for one in situation.valves[outage.key].values()
        if one.role == "refeed" and one.state == "to_open"
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


def _find_keys(situation: Situation, outage: Outage, now: dt.datetime) -> dict[str, Any]:
    """Give what the map recolours: the plan's effect, and what of it has water again."""
    wish = plans.wish_in_force(situation, outage)
    plan = plans.judge(situation, outage, wish, now, with_keys=True)
    keys = dict(plan.judged.answer.keys)
    isolation, case = plan.judged.ruling.isolation, plan.judged.case
    back = queries.fetch_restored_keys(situation.session, outage.key)
    world = situation.before
    is_wet = situation.supply([outage.key]).is_wet
    has_begun = outage.water_stopped_at is not None
    parts = [*isolation.parts_shut.tolist(), *isolation.parts_cut_off.tolist()]
    block = world.blocks.of_vertex
    wet = [part for part in parts if has_begun and is_wet[block[world.blocks.nodes + part]]]
    keys["parts_restored"] = case.tile_ids(plans.as_part_rows(wet))
    keys["customers_restored"] = sorted(back)
    return keys
