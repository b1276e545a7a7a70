"""What people do to outages under way, each all of it or nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from fieldops.crews.service import crews_of_person
from fieldops.errors import ConflictError, NotFoundError
from fieldops.events.service import Actor, Operation, Outcome, append_event
from fieldops.live_plans import service as plans
from fieldops.live_plans.service import Wish, judge
from fieldops.live_settling.service import Deed, plausible, settle, shut_by
from fieldops.live_supply import queries
from fieldops.live_supply.service import Situation, is_shut, is_stuck
from fieldops.network.service import FactsWish
from fieldops.work_orders.service import Filter, list_orders

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from sqlalchemy.orm import Session

    from fieldops.live_plans.service import Judged
    from fieldops.live_supply.queries import Outage, Plan, Tag, WorkedValve

TURNS_SHORT = 0.9
"""Fewer turns than this share of those recorded: the valve may not be down."""
MAY_PLAN = frozenset({"dispatcher", "planner", "manager", "system"})
MAY_WORK = MAY_PLAN | {"crew"}


class _Body(BaseModel):
    """What every action may say: the number of customers that the person saw."""

    model_config = ConfigDict(extra="ignore")

    customers: int | None = Field(default=None, ge=0)


class _ValveBody(_Body):
    valve: str
    table: Literal["valve", "control_valve", "pump", "source"] | None = None
    turns: float | None = Field(default=None, ge=0, le=10_000, allow_inf_nan=False)
    torque_nm: float | None = Field(default=None, ge=0, le=100_000, allow_inf_nan=False)
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
    release_code: str | None = Field(default=None, max_length=20)


class PartBody(_Body):
    """Valves to be opened again together: a part's id, or their names."""

    part: str | None = None
    valves: list[str] = Field(default_factory=list)
    tags: dict[str, str] = Field(default_factory=dict)
    release_codes: dict[str, str] = Field(default_factory=dict)
    repaired: bool = False


class _RingValve(BaseModel):
    """A valve of a tablet's ring; what else the tablet keeps of it is its own business."""

    model_config = ConfigDict(extra="ignore")

    valve: str
    table: Literal["valve", "control_valve", "pump", "source"] = "valve"
    role: str = "close"


class RingBody(_Body):
    """The next ring of valves, worked out on a tablet without a signal."""

    stuck: str
    result: Literal["will_not_close", "not_found", "passing"] | None = None
    valves: list[str | _RingValve] = Field(max_length=500)
    pumps: list[str] = Field(default_factory=list, max_length=200)
    properties: int | None = Field(default=None, ge=0)
    critical: int | None = Field(default=None, ge=0)
    geometry_revision: int | None = None
    revision: int | None = None
    facts_at: AwareDatetime | None = None
    others_unknown_since: AwareDatetime | None = None
    reasons: list[str] = Field(default_factory=list, max_length=20)
    """Why dispatch had to be called."""
    authorised_by: str | None = Field(default=None, min_length=1, max_length=200)


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
    """A tag hung or taken off by itself, or a valve opened to feed from elsewhere."""

    release_code: str | None = Field(default=None, max_length=20)
    is_taken_off: bool = False


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
    if refusal is None and not may_see(session, outage, actor.person_id, actor.roles):
        message = "%(outage)s is no job of your crew."
        refusal = _answer(outage, "forbidden", message, {"outage": outage.id})
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
        with queries.all_or_nothing(session):
            situation = Situation.read(session, is_drill=outage.is_drill)
            at = plausible(operation.occurred_at, outage, now)
            read = operation.body["read"]
            deed = Deed(session, situation, outage, actor, now, at, read, operation.op_id)
            plan = ACTIONS[operation.action][1](deed)
            settle(deed, plan=plan)
    except queries.RefusedByDatabaseError as error:
        return _answer(outage, "illegal", *_say_refusal(error))
    except ConflictError as error:
        return _answer(outage, "illegal", error.msgid, error.params)
    done = _answer(deed.outage, "applied", *_say_verdict(deed))
    return replace(done, conflicts=_corrected(deed))


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


def may_see(session: Session, outage: Outage, person_id: int | None, roles: Iterable[str]) -> bool:
    """Tell whether an outage is somebody's business: a contractor's crew has its own jobs only."""
    if set(roles) != {"crew"} or person_id is None:
        return True
    crews = crews_of_person(session, person_id)
    if any(crew.contractor is None for crew in crews):
        return True
    keys = [crew.key for crew in crews]
    if outage.incident_id is None:
        return False
    wanted = Filter(is_open=None, incident_id=outage.incident_id, crew_keys=keys, limit=1)
    return bool(list_orders(session, wanted))


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
    there = outage.connections
    if operation.action == "approve_plan":
        known = queries.fetch_plans(session, [outage.key])
        proposed = next((plan for plan in known if plan.status == "proposed"), None)
        there = proposed.answer["customers"]["connections"] if proposed else there
    if seen is not None and seen != there:
        return _answer(
            outage,
            "conflict",
            "%(seen)s customers were shown to you; now it is %(now)s. Look again before you go on.",
            {"seen": seen, "now": there},
        )
    name = f"valve:{getattr(body, 'valve', '')}"
    base, last = operation.base_version, outage.changed_in.get(name, 0)
    if base is None or last <= base or last in operation.own_versions:
        return None
    valves = queries.fetch_valves(session, [outage.key])
    theirs = next((one.state for one in valves if f"valve:{one.valve}" == name), None)
    mine = getattr(body, "result", None)
    if theirs == mine:
        return None
    found = _answer(
        outage,
        "conflict",
        "Somebody else has recorded %(valve)s meanwhile.",
        {"valve": getattr(body, "valve", "")},
    )
    return replace(found, conflicts={name: {"mine": mine, "theirs": theirs}})


def _say_refusal(error: queries.RefusedByDatabaseError) -> tuple[str, dict[str, Any]]:
    """Say in words what the database has refused."""
    words = {
        "valve_held_by_another_job": "The valve must stay shut: %(job)s needs it.",
        "ix_valve_tag_one_place": "A tag of this number hangs elsewhere.",
        "ix_valve_tag_one_a_job": "A tag of this job hangs on the valve already.",
        "outage_not_over": "The outage is not over: somebody is dry, a tag hangs or a valve is"
        " shut.",
    }
    return words[error.constraint], {"job": error.detail or "?"}


def _confirm_valve(deed: Deed) -> Judged | None:
    """Record what a crew found at a valve; one that bounds nothing makes a new plan at once."""
    body: ConfirmBody = deed.body
    valve = deed.worked_valve(body.valve, body.table)
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


def _told_of_valve(deed: Deed, valve: WorkedValve) -> dict[str, Any]:
    counted, recorded = valve.turns_counted, valve.turns_recorded
    return {
        "valve": valve.valve,
        "result": valve.state,
        "accepted_by": valve.accepted_by,
        "turns": counted,
        "turns_recorded": recorded,
        "torque_nm": deed.body.torque_nm,
        "is_turns_short": is_turns_short(valve),
        "is_gland_leaking": valve.is_gland_leaking,
        "tag": deed.body.tag,
        "photo": deed.body.photo,
    }


def is_turns_short(valve: WorkedValve) -> bool:
    """Tell whether fewer turns were counted than recorded: the valve may not be down."""
    counted, recorded = valve.turns_counted, valve.turns_recorded
    return counted is not None and bool(recorded) and counted < TURNS_SHORT * (recorded or 0)


def _note_facts(deed: Deed, valve: WorkedValve) -> None:
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


def _replan(deed: Deed, valve: WorkedValve) -> Judged:
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


def _device_ring(deed: Deed) -> Judged | None:
    """Keep the ring that a tablet has worked out, and say whether it is the network's."""
    body: RingBody = deed.body
    parts = [
        ("valve", one) if isinstance(one, str) else (one.table, one.valve)
        for one in body.valves
        # What is shut already is only looked at; it bounds, and nobody closes it.
        if isinstance(one, str) or one.role != "verify_shut"
    ]
    valves = {one for table, one in parts if table in {"valve", "control_valve"}}
    pumps = {*body.pumps, *(one for table, one in parts if table == "pump")}
    ring = plans.DeviceRing(
        stuck=body.stuck,
        valves=frozenset(valves),
        pumps=frozenset(pumps),
        properties=body.properties,
        critical=body.critical,
    )
    verdict = plans.judge_ring(deed.situation, deed.outage, ring, deed.now)
    kept = body.model_dump(mode="json", exclude={"customers", "valves", "pumps"})
    found = {"valves": sorted(valves), "pumps": sorted(pumps)}
    told = {"ring": kept | found, **verdict.as_json()}
    deed.tell("device_ring", told)
    return None


def _say_verdict(deed: Deed) -> tuple[str, dict[str, Any]]:
    """Tell the tablet what became of its ring; all else that is done needs no words."""
    told = next((body for verb, body, _ in deed.events if verb == "device_ring"), None)
    return verdict_of(told) if told else ("", {})


def _corrected(deed: Deed) -> dict[str, Any]:
    """Give both rings where the network's is another: nothing is refused, but it must be seen."""
    told = next((body for verb, body, _ in deed.events if verb == "device_ring"), None)
    if told is None or told["verdict"] != "corrected":
        return {}
    mine = {*told["ring"]["valves"], *told["ring"]["pumps"]}
    added = {*told["valves_added"], *told["pumps_added"]}
    removed = {*told["valves_removed"], *told["pumps_removed"]}
    return {"ring": {"mine": sorted(mine), "theirs": sorted((mine | added) - removed)}}


def verdict_of(told: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Give the words for what the network says of a tablet's ring, as its event tells it."""
    added = told["valves_added"] + told["pumps_added"]
    removed = told["valves_removed"] + told["pumps_removed"]
    code = told["verdict"]
    if code == "corrected":
        code = {(True, True): "other", (True, False): "larger", (False, True): "smaller"}.get(
            (bool(added), bool(removed)), "numbers"
        )
    return VERDICTS[code], {
        "added": ", ".join(added),
        "removed": ", ".join(removed),
        "properties": told["properties"],
    }


def _told_of_plan(plan: Plan) -> dict[str, Any]:
    return {
        "plan": plan.number,
        "plan_status": plan.status,
        "kind": plan.kind,
        "because": plan.because,
        "difference": plan.difference,
    }


def _close_refeed(deed: Deed, valve: WorkedValve) -> None:
    """Close a valve again that was opened to feed somebody from elsewhere."""
    if valve.state != "opened":
        raise ConflictError("%(valve)s was not opened.", valve=valve.valve)
    after = deed.situation.change_valve(
        valve, state="to_open", closed_at=deed.at, closed_by=deed.who
    )
    _note_facts(deed, after)
    deed.changed.append(f"valve:{valve.valve}")
    deed.tell("valve_confirmed", _told_of_valve(deed, after))


def _reopen_valve(deed: Deed) -> Judged | None:
    """Record that a valve is open again, will not open, or is left to another job."""
    body: ReopenBody = deed.body
    _open_again(deed, deed.valve(body.valve, table=body.table), body.result, body.tag)
    return None


def _open_again(deed: Deed, valve: WorkedValve, result: str, tag: str | None) -> None:
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
    told = {"valve": valve.valve, "result": result, "tag": tag}
    deed.tell("valve_reopened", told | _told_of_release(deed, valve))
    if result == "will_not_reopen":
        _plan_round(deed, valve)


def _told_of_release(deed: Deed, valve: WorkedValve) -> dict[str, str]:
    """Keep the code by which a dispatcher released a valve to a tablet without a signal."""
    codes = getattr(deed.body, "release_codes", {})
    code = codes.get(valve.valve) or getattr(deed.body, "release_code", None)
    return {"release_code": code} if code else {}


def _plan_round(deed: Deed, valve: WorkedValve) -> None:
    """Plan with a link that stays shut: offer to feed from elsewhere whoever is behind it."""
    is_repaired = deed.outage.repaired_at is not None or "repaired_at" in deed.stages
    if not is_repaired or not deed.situation.find_stranded(deed.outage.key).size:
        return
    plan = plans.plan_round(deed.situation, deed.outage, deed.now)
    if plan is None:
        return
    made = plans.add_plan(
        deed.situation,
        deed.outage,
        plan,
        status="proposed",
        because={"code": "will-not-reopen", "valve": valve.valve},
        by=deed.actor.name,
        now=deed.now,
    )
    deed.outage = queries.update_outage(deed.session, deed.outage.key, {"plan_number": made.number})
    deed.situation.add(deed.outage)
    deed.tell("replanned", _told_of_plan(made))


def _refuse_refilling(deed: Deed, valve: WorkedValve, holders: Sequence[queries.Holder]) -> None:
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


def _restore_part(deed: Deed) -> Judged | None:
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
        names = [one.valve for one in shut_by(deed.situation, deed.outage)]
    if not names:
        raise ConflictError("Name the valves that are open again.")
    for one in names:
        _open_again(deed, deed.valve(one), "reopened", body.tags.get(one))
        # Of two valves in a row the second keeps another's trench dry once the first is open.
        deed.situation.write_guards()
    return None


def _refeed(deed: Deed) -> Judged | None:
    """Open a closed valve to feed somebody from elsewhere."""
    _open_refeed(deed, deed.valve(deed.body.valve, ["refeed"]))
    return None


def _open_refeed(deed: Deed, valve: WorkedValve) -> None:
    if valve.state != "to_open":
        raise ConflictError("%(valve)s is open already.", valve=valve.valve)
    holders = queries.fetch_holders(deed.session, deed.outage.key, valve.place)
    if holders:
        raise ConflictError(
            "%(valve)s must stay shut: opening it would fill the trench of %(job)s.",
            valve=valve.valve,
            job=holders[0].outage,
        )
    if deed.outage.repaired_at is None and valve.place in deed.situation.guards(deed.outage.key):
        open_ones = [
            one.valve
            for one in deed.situation.valves[deed.outage.key].values()
            if one.role in {"close", "optional"} and one.state == "to_close"
        ]
        raise ConflictError(
            "Opening %(valve)s would fill the trench: close these first: %(valves)s.",
            valve=valve.valve,
            valves=", ".join(sorted(open_ones)) or "?",
        )
    after = deed.situation.change_valve(
        valve, state="opened", reopened_at=deed.at, reopened_by=deed.who
    )
    _note_facts(deed, after)
    deed.changed.append(f"valve:{valve.valve}")
    told = {"valve": valve.valve, "result": "opened", "tag": None}
    deed.tell("valve_reopened", told | _told_of_release(deed, valve))


def _hang_tag(deed: Deed, valve: WorkedValve) -> None:
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


def _find_tag(deed: Deed, valve: WorkedValve) -> Tag | None:
    for tag in queries.fetch_tags(deed.session, [deed.outage.key]):
        if tag.taken_off_at is None and (tag.device_table, tag.device_key) == valve.place:
            return tag
    return None


def _take_off(deed: Deed, tag: Tag, number: str | None) -> None:
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


def _tag_valve(deed: Deed) -> Judged | None:
    """Hang a tag on a valve that is shut, or take one off by itself."""
    body: TagBody = deed.body
    valve = deed.valve(body.valve, table=body.table)
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


def _choose_plan(deed: Deed) -> Judged | None:
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


def _shrink_plan(deed: Deed) -> Judged | None:
    """Propose the nearest ring of valves, after a larger cut that was quicker."""
    deed.body = ChoiceBody(kind="nearest", customers=deed.body.customers)
    return _choose_plan(deed)


def _approve_plan(deed: Deed) -> Judged | None:
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
    seen, count = proposed.answer["customers"]["connections"], plan.effect.customers.connections
    if count != seen:
        raise ConflictError(
            "This plan was proposed for %(seen)s customers; by now it is %(now)s. Propose it anew.",
            seen=seen,
            now=count,
        )
    deed.outage = plans.put_in_force(deed.situation, deed.outage, plan, proposed.number, deed.now)
    return plan


def _record_stage(deed: Deed) -> Judged | None:
    """Record that a stage has happened."""
    body: StageBody = deed.body
    deed.stage(body.stage, deed.at)
    deed.tell("stage_reached", {"stage": body.stage, "at": deed.at.isoformat()})
    stuck = [
        one
        for one in deed.situation.valves[deed.outage.key].values()
        if one.state == "will_not_reopen"
    ]
    if body.stage == "repaired" and stuck:
        _plan_round(deed, stuck[0])
    return None


def _close(deed: Deed) -> Judged | None:
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
    shut = [one.valve for one in shut_by(deed.situation, deed.outage)]
    shut += [one.valve for one in valves if one.state == "opened"]
    if shut:
        raise ConflictError(
            "These valves do not stand yet as they did before: %(valves)s.",
            valves=", ".join(sorted(shut)),
        )
    queries.delete_never_lost(deed.session, deed.outage.key)
    deed.stages["closed_at"] = deed.now
    return None


VERDICTS = {
    "confirmed": "The server confirms the extended isolation:"
    " %(properties)s properties without water.",
    "larger": "The server corrects the extended isolation: add %(added)s;"
    " %(properties)s properties without water.",
    "smaller": "The server corrects the extended isolation: leave out %(removed)s;"
    " %(properties)s properties without water.",
    "other": "The server corrects the extended isolation: add %(added)s,"
    " leave out %(removed)s; %(properties)s properties without water.",
    "numbers": "The valves are right. The server corrects who loses supply:"
    " %(properties)s properties without water.",
    "not_judged": "What broke is not in the network any more: this cannot be judged.",
}
"""What a tablet is told of the extended isolation that it has worked out."""

ACTIONS: dict[str, tuple[type[_Body], Callable[[Deed], Judged | None], frozenset[str]]] = {
    "confirm_valve": (ConfirmBody, _confirm_valve, MAY_WORK),
    "reopen_valve": (ReopenBody, _reopen_valve, MAY_WORK),
    "restore_part": (PartBody, _restore_part, MAY_WORK),
    "refeed": (TagBody, _refeed, MAY_WORK),
    "tag": (TagBody, _tag_valve, MAY_WORK),
    "device_ring": (RingBody, _device_ring, MAY_WORK),
    "approve_plan": (PlanBody, _approve_plan, MAY_PLAN),
    "choose_plan": (ChoiceBody, _choose_plan, MAY_PLAN),
    "extend": (ChoiceBody, _choose_plan, MAY_PLAN),
    "shrink": (ChoiceBody, _shrink_plan, MAY_PLAN),
    "stage": (StageBody, _record_stage, MAY_WORK),
    "close": (_Body, _close, MAY_PLAN),
}
"""What may be done to an outage: the shape of its body, how, and by whom."""
