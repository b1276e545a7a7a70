"""Work orders: opened, and led through their process by one door for pages, devices and rules."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from fieldops.clocks import service as clocks
from fieldops.clocks.service import ClockView, Criteria, Hold, Note, Subject, Turn
from fieldops.crews.service import crews_of_person, lock_crew
from fieldops.errors import ConflictError, NotFoundError
from fieldops.events.queries import fetch_events_of
from fieldops.events.service import (
    SYSTEM,
    Actor,
    Event,
    Operation,
    Outcome,
    append_event,
    merge_fields,
)
from fieldops.order_process.service import (
    BEFORE_HOLD,
    SAME,
    Process,
    Transition,
    check_needs,
    find_process,
    find_transition,
    fits,
    newest_version,
    read_moment,
)
from fieldops.work_orders import queries
from fieldops.work_orders.queries import Filter, FirstTimeRight, WorkOrder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.orm import Session

    from fieldops.access import Person
    from fieldops.crews.service import CrewReference

__all__ = ["Filter", "FirstTimeRight", "OrderDraft", "WorkOrder", "apply_operation", "open_order"]

EVENT_OF = {
    "triage": "triaged",
    "assign": "assigned",
    "accept": "accepted",
    "decline": "declined",
    "withdraw": "withdrawn",
    "depart": "departed",
    "arrive": "arrived",
    "start": "started",
    "enter_chamber": "chamber_entered",
    "dig": "dug",
    "hold": "held",
    "resume": "resumed",
    "finish": "finished",
    "restore": "restored",
    "verify": "verified",
    "close": "closed",
    "send_back": "sent_back",
    "transfer": "transferred",
    "cancel": "cancelled",
    "reopen": "reopened",
    "set": "changed",
    "note": "noted",
}
"""What the log calls each action, done; a manager's own are called by their name."""

TIME_OF = {
    "triage": "triaged_at",
    "assign": "assigned_at",
    "transfer": "assigned_at",
    "accept": "accepted_at",
    "depart": "departed_at",
    "arrive": "arrived_at",
    "start": "started_at",
    "finish": "finished_at",
    "restore": "restored_at",
    "verify": "verified_at",
    "close": "closed_at",
    "cancel": "closed_at",
}
CREWS_TIMES = ("assigned_at", "accepted_at", "departed_at", "arrived_at", "started_at")
LATER_TIMES = ("finished_at", "restored_at", "verified_at", "closed_at")

CLOCKS_STARTED = {
    "triage": "located",
    "assign": "assigned",
    "transfer": "assigned",
    "arrive": "arrived",
}
CLOCKS_STOPPED: Mapping[str, tuple[str, ...] | None] = {
    "accept": ("accept",),
    "decline": ("accept",),
    "withdraw": ("accept",),
    "arrive": ("arrive",),
    "finish": ("stop_water", "repair"),
    "restore": ("restore",),
    "close": None,
    "cancel": None,
}
"""None: all of them."""

HANDS_OVER = frozenset({"triage", "finish", "restore", "verify"})
BY_PHONE = frozenset({"dispatcher", "manager"})
"""Who may record a crew's steps for it, from a call."""

SAID_ONCE = frozenset({"crew", "second_crew", "reason", "resume_by", "text", "pin_reason"})
"""What belongs to a step and not to the order's papers."""

WORK_MIN = {
    "make_safe": 45,
    "repair": 240,
    "reinstate": 180,
    "flush": 60,
    "check": 40,
    "routine": 60,
}
"""What a job of a kind is taken to last where nobody said it."""

MOST_TRANSFERS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderDraft:
    """A job to be done; what is None is not known."""

    kind: str
    severity: str
    lon: float
    lat: float
    incident_key: int | None = None
    outage_key: int | None = None
    task: str | None = None
    address: str | None = None
    area_class: str | None = None
    pipe_key: int | None = None
    at_m: float | None = None
    diameter_mm: float | None = None
    crews_needed: int = 1
    skills: Sequence[str] = ()
    needs_excavation: bool = False
    customers_out: int | None = None
    critical_out: int | None = None
    weight_floor: float = 0.0
    expected_work_min: float | None = None
    release_at: dt.datetime | None = None
    after_order_key: int | None = None
    reported_at: dt.datetime | None = None
    is_triaged: bool = False
    is_drill: bool = False


class OwnFields(BaseModel):
    """The fields of an order that "set" and other steps may change."""

    model_config = ConfigDict(extra="allow")

    task: str | None = Field(default=None, max_length=2000)
    severity: Literal["danger", "burst", "leak", "routine"] = "leak"
    address: str | None = Field(default=None, max_length=500)
    area_class: Literal["city", "suburb"] | None = None
    lon: float = Field(default=0, ge=-180, le=180, allow_inf_nan=False)
    lat: float = Field(default=0, ge=-90, le=90, allow_inf_nan=False)
    needs_excavation: bool = False
    crews_needed: int = Field(default=1, ge=1, le=2)
    skills: list[str] = Field(default_factory=list, max_length=20)
    expected_work_min: float = Field(default=60, gt=0, le=100_000, allow_inf_nan=False)
    weight_floor: float = Field(default=0, ge=0, allow_inf_nan=False)
    release_at: AwareDatetime | None = None
    is_pinned: bool = False


OWN_FIELDS = frozenset(OwnFields.model_fields)
CREW_MAY_SET = frozenset({"needs_excavation", "expected_work_min"})


def open_order(session: Session, draft: OrderDraft, actor: Actor, now: dt.datetime) -> WorkOrder:
    """Open an order, start the clocks that begin with the report, and tell of it."""
    values = asdict(draft)
    is_triaged = values.pop("is_triaged")
    process = find_process(session, newest_version(session))
    stage = process.stages["triaged" if is_triaged else "new"]
    values |= {
        "skills": list(draft.skills),
        "expected_work_min": draft.expected_work_min or WORK_MIN.get(draft.kind, 60),
        "release_at": draft.release_at or now,
        "reported_at": draft.reported_at or now,
    }
    order_id = queries.insert_order(
        session,
        **values,
        state=stage.state,
        state_since=now,
        is_open=stage.is_open,
        is_crew_busy=stage.is_crew_busy,
        opened_at=now,
        opened_by=actor.name,
        triaged_at=now if is_triaged else None,
        process_version=process.version,
    )
    order = find_order(session, order_id)
    _take_turn(session, order, process, now)
    for moment, at in (("reported", order.reported_at), ("aware", now), ("located", now)):
        if moment != "located" or is_triaged:
            _start_clocks(session, order, moment, at)
    _keep_dues(session, order)
    order = find_order(session, order_id)
    _tell(session, order, "opened", actor, now, {"kind": order.kind, "severity": order.severity})
    return order


def find_order(session: Session, order_id: str) -> WorkOrder:
    """
    Give one order.

    Raises
    ------
    NotFoundError
        If there is no such order.
    """
    order = queries.fetch_order(session, order_id)
    if order is None:
        raise NotFoundError("There is no work order %(order)s.", order=order_id)
    return order


def list_open(session: Session) -> list[WorkOrder]:
    """Give every open order, the oldest first."""
    return queries.fetch_orders(session, Filter(limit=5000))


def list_orders(session: Session, wanted: Filter, person: Person | None = None) -> list[WorkOrder]:
    """Give orders; to somebody of a crew alone, none but those of the own crew."""
    own = own_crews_only(session, person) if person is not None else None
    if own is not None:
        wanted = Filter(**{**_shallow(wanted), "crew_keys": own})
    return queries.fetch_orders(session, wanted)


def _shallow(wanted: Filter) -> dict[str, Any]:
    return {name: getattr(wanted, name) for name in Filter.__slots__}


def own_crews_only(session: Session, person: Person) -> list[int] | None:
    """Give the crews whose orders are all that a person may see; None: all may be seen."""
    if {str(role) for role in person.roles} - {"crew"}:
        return None
    return [crew.key for crew in crews_of_person(session, person.id)]


def find_visible_order(
    session: Session, order_id: str, person: Person, *, is_late_too: bool = False
) -> WorkOrder:
    """
    Give one order, if the person may see it: somebody of a crew sees its own alone.

    With `is_late_too` also one that the crew had once, so that what it did is heard.

    Raises
    ------
    NotFoundError
        If there is no such order, or it is another crew's.
    """
    order = find_order(session, order_id)
    own = own_crews_only(session, person)
    is_seen = own is None or bool({order.crew_key, order.second_crew_key} & set(own))
    if not is_seen and is_late_too:
        is_seen = bool(_crews_that_had(session, order, person.id))
    if not is_seen:
        raise NotFoundError("There is no work order %(order)s.", order=order_id)
    return order


@dataclass(frozen=True, slots=True)
class StepOffer:
    """A step that a person may take now; `needs` are those that stand for this order."""

    transition: Transition
    is_by_phone: bool
    needs: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class OrderSheet:
    """All that is told of an order."""

    order: WorkOrder
    process: Process
    offers: tuple[StepOffer, ...]
    clocks: list[ClockView]
    turns: list[Turn]
    holds: list[Hold]
    notes: list[Note]
    history: list[Event]


def describe_order(session: Session, order_id: str, person: Person, now: dt.datetime) -> OrderSheet:
    """
    Give all that is told of an order to somebody.

    Raises
    ------
    NotFoundError
        If there is no such order, or it is another crew's.
    """
    order = find_visible_order(session, order_id, person)
    process = find_process(session, order.process_version)
    subject = _subject(order)
    return OrderSheet(
        order=order,
        process=process,
        offers=tuple(list_steps(session, order, process, person)),
        clocks=clocks.list_clocks(session, subject, now),
        turns=clocks.list_turns(session, subject, now),
        holds=clocks.list_holds(session, subject),
        notes=clocks.list_notes(session, subject),
        history=fetch_events_of(session, "work_order", [order.key]),
    )


def list_steps(
    session: Session, order: WorkOrder, process: Process, person: Person
) -> list[StepOffer]:
    """Give the steps that a person may take now, each with what it needs."""
    facts = facts_of(order)
    offers = []
    roles = frozenset(str(role) for role in person.roles)
    own = order.crew_key is not None and bool(
        {crew.key for crew in crews_of_person(session, person.id)}
        & {order.crew_key, order.second_crew_key}
    )
    for action in process.actions:
        each = find_transition(process, order.state, action, facts)
        if each is None or (each.is_not_for_own_crew and own):
            continue
        is_direct = bool(roles & (each.may - {"crew"})) or (
            own and "crew" in roles and "crew" in each.may
        )
        is_by_phone = not is_direct and "crew" in each.may and bool(roles & BY_PHONE)
        if is_direct or is_by_phone:
            needs = tuple(
                need for need in each.needs if "field" in need and fits(need.get("when", {}), facts)
            )
            offers.append(StepOffer(each, is_by_phone, needs))
    return offers


def find_step(session: Session, order_id: str, action: str, person: Person) -> Transition | None:
    """
    Give what a step needs of an order, None if it is none now.

    Raises
    ------
    NotFoundError
        If there is no such order, or it is another crew's.
    """
    order = find_visible_order(session, order_id, person, is_late_too=True)
    process = find_process(session, order.process_version)
    return find_transition(process, order.state, action, facts_of(order))


def list_own_jobs(session: Session, person_id: int) -> list[WorkOrder]:
    """Give the open orders of somebody's own crews."""
    keys = [crew.key for crew in crews_of_person(session, person_id)]
    return queries.fetch_orders(session, Filter(crew_keys=keys))


def list_late(session: Session, now: dt.datetime) -> list[tuple[ClockView, WorkOrder]]:
    """Give the clocks past their limit with their orders, the worst first; held ones, too."""
    late = clocks.list_overdue(session, "work_order", now)
    orders = {
        order.key: order
        for order in queries.fetch_orders(
            session, Filter(is_open=None, keys={each.subject_key for each in late})
        )
    }
    return [(each, orders[each.subject_key]) for each in late if each.subject_key in orders]


def list_notes(session: Session) -> list[Note]:
    """Give what those who supervise should look at, the newest first."""
    return clocks.list_notes(session)


def sum_holders(session: Session, since: dt.datetime, until: dt.datetime) -> list[clocks.HolderSum]:
    """Give how long each holder had work orders, those that had them longest first."""
    return clocks.sum_holders(session, "work_order", since, until)


def set_effect(
    session: Session,
    incident_key: int,
    customers_out: int | None,
    critical_out: int | None,
    now: dt.datetime,
) -> None:
    """Give an incident's open orders the customers that are without water by it now."""
    for order_id in queries.lock_open_of_incident(session, incident_key):
        order = find_order(session, order_id)
        if (order.customers_out, order.critical_out) == (customers_out, critical_out):
            continue
        version = order.version + 1
        changed = {"customers_out": customers_out, "critical_out": critical_out}
        queries.update_order(
            session,
            order.key,
            **changed,
            version=version,
            changed_in={**order.changed_in, **dict.fromkeys(changed, version)},
        )
        after = find_order(session, order_id)
        _tell(session, after, "effect_changed", SYSTEM, now, changed)


@dataclass(slots=True)
class Step:
    """An operation on its way through: what is known, and what it changes."""

    session: Session
    order: WorkOrder
    operation: Operation
    actor: Actor
    now: dt.datetime
    at: dt.datetime
    process: Process
    facts: dict[str, Any]
    values: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    conflicts: dict[str, Any] = field(default_factory=dict)

    @property
    def action(self) -> str:
        """Name what is to be done."""
        return self.operation.action

    @property
    def reason(self) -> str:
        """Give the reason that was said."""
        return str(self.operation.body.get("reason") or "").strip()

    def refuse(self, status: str, message: str, **params: object) -> Outcome:
        """Answer that it cannot be, and why."""
        return Outcome(
            status=status,
            version=self.order.version,
            state=self.order.state,
            message=message,
            params={"order": self.order.id, **params},
            conflicts=self.conflicts,
        )


def apply_operation(
    session: Session, operation: Operation, actor: Actor, now: dt.datetime
) -> Outcome:
    """
    Take an order one step further, or say why not.

    Raises
    ------
    NotFoundError
        If there is no such order or crew.
    """
    order = queries.lock_order(session, operation.subject_id)
    if order is None:
        raise NotFoundError("There is no work order %(order)s.", order=operation.subject_id)
    process = find_process(session, order.process_version)
    step = Step(
        session=session,
        order=order,
        operation=operation,
        actor=actor,
        now=now,
        at=_plausible(operation.occurred_at, order.state_since, now),
        process=process,
        facts=facts_of(order),
    )
    transition = find_transition(process, order.state, operation.action, step.facts)
    return (
        _check_person(step, transition)
        or _check_legal(step, transition)
        or _merge(step)
        or _check_needs(step, transition)
        or _check_crews(step)
        or _carry_out(step, transition)
    )


def _plausible(claimed: dt.datetime | None, since: dt.datetime, now: dt.datetime) -> dt.datetime:
    """Take a device's time only where it lies between the order's last step and now."""
    return claimed if claimed is not None and since <= claimed <= now else now


def facts_of(order: WorkOrder) -> dict[str, Any]:
    """Give all that is known of an order by name, as needs and merges ask for it."""
    own = {name: getattr(order, name) for name in WorkOrder.__slots__ if name != "data"}
    return {
        **order.data,
        **own,
        "skills": list(order.skills),
        "crew": order.crew_id,
        "second_crew": order.second_crew_id,
    }


def _check_person(step: Step, transition: Transition | None) -> Outcome | None:
    """Refuse who may not do it; a crew that had the order is heard, as a fact."""
    roles = step.actor.roles
    if "system" in roles:
        return None
    own = _is_own(step)
    if roles == {"crew"} and not own:
        return _keep_late_fact(step) or step.refuse(
            "forbidden", "%(order)s is not an order of your crew."
        )
    return _check_role(step, transition, own=own)


def _check_role(step: Step, transition: Transition | None, *, own: bool) -> Outcome | None:
    roles = step.actor.roles
    may = transition.may if transition is not None else _may_at_all(step)
    if transition is not None and transition.is_not_for_own_crew and own:
        return step.refuse("forbidden", "Somebody who is not of the crew has to do this.")
    if ("crew" in may and "crew" in roles and own) or roles & (may - {"crew"}):
        return None
    if "crew" in may and roles & BY_PHONE:
        if step.actor.by_phone_for:
            return None
        return step.refuse(
            "forbidden",
            "Only the crew does this. Say who told it by phone, and it is recorded for them.",
        )
    return step.refuse("forbidden", "Your roles do not allow this step.")


def _may_at_all(step: Step) -> frozenset[str]:
    """Give who may do an action in any state, so that the wrong state is the answer, not a role."""
    return (
        frozenset().union(
            *(each.may for each in step.process.transitions if each.action == step.action)
        )
        or step.actor.roles
    )


def _is_own(step: Step) -> bool:
    if step.actor.person_id is None or step.order.crew_key is None:
        return False
    keys = {crew.key for crew in crews_of_person(step.session, step.actor.person_id)}
    return bool(keys & {step.order.crew_key, step.order.second_crew_key})


def _keep_late_fact(step: Step) -> Outcome | None:
    """Keep what a crew did on an order that it had once, and show it to the dispatcher."""
    person_id = step.actor.person_id
    if person_id is None:
        return None
    crews = _crews_that_had(step.session, step.order, person_id)
    if not crews:
        return None
    append_event(
        step.session,
        "work_order.late_fact",
        ("work_order", step.order.key),
        by=step.actor,
        now=step.now,
        occurred_at=step.operation.occurred_at,
        op_id=step.operation.op_id,
        body={
            **_face(step.order),
            "action": step.action,
            "of_crew": crews[0].id,
            "wanted": dict(step.operation.body),
        },
    )
    refused = step.refuse(
        "illegal",
        "%(order)s had gone to %(crew)s meanwhile. What you sent is kept as a fact.",
        crew=step.order.crew_name or "?",
    )
    return Outcome(**{**_slots(refused), "is_kept_as_fact": True})


def _crews_that_had(session: Session, order: WorkOrder, person_id: int) -> list[CrewReference]:
    """Give those of a person's crews that have or had an order."""
    had = {
        turn.holder_id
        for turn in clocks.list_turns(session, _subject(order), order.state_since)
        if turn.holder_kind == "crew"
    }
    return [crew for crew in crews_of_person(session, person_id) if crew.id in had]


def _slots(outcome: Outcome) -> dict[str, Any]:
    return {name: getattr(outcome, name) for name in Outcome.__slots__}


def _check_legal(step: Step, transition: Transition | None) -> Outcome | None:
    if transition is None:
        if step.action not in step.process.actions:
            return step.refuse("illegal", "There is no action %(action)s.", action=step.action)
        return step.refuse(
            "illegal",
            '%(order)s is "%(state)s" now: "%(action)s" is not possible.',
            state=step.order.state,
            action=step.action,
        )
    is_held_back = any(need["kind"] == "predecessor" for need in transition.needs)
    before = step.order.after_order_key
    if is_held_back and before is not None and not queries.is_done(step.session, before):
        return step.refuse(
            "illegal",
            "%(before)s has to be done first: %(order)s waits for it.",
            before=step.order.after_order_id,
        )
    if step.action == "assign" and step.order.crew_id and step.operation.base_version is None:
        return step.refuse(
            "conflict",
            "%(order)s was given to %(crew)s by %(by)s. Say which version you saw to change that.",
            crew=step.order.crew_name,
            by=step.order.data.get("assigned_by") or "?",
        )
    return None


def _merge(step: Step) -> Outcome | None:
    """Sort the fields into those that apply and those that somebody else changed meanwhile."""
    body = step.operation.body
    wanted = {name: value for name, value in body.items() if name not in SAID_ONCE}
    wanted |= {name: body[name] for name in ("crew", "second_crew") if name in body}
    refused = _check_fields(step, wanted)
    if refused is not None:
        return refused
    merged = merge_fields(step.facts, step.order.changed_in, step.operation.base_version, wanted)
    step.conflicts = merged.conflicts
    if "crew" in merged.conflicts:
        return step.refuse(
            "conflict",
            "%(order)s was given to %(crew)s by %(by)s meanwhile.",
            crew=step.order.crew_name or "?",
            by=step.order.data.get("assigned_by") or "?",
        )
    if step.action == "set" and merged.conflicts and not merged.applied:
        return step.refuse("conflict", "Somebody else changed the same meanwhile.")
    own = {name: value for name, value in merged.applied.items() if name in OWN_FIELDS}
    if own:
        read = OwnFields.model_validate(own)
        step.values |= {name: getattr(read, name) for name in own}
    step.data = {
        name: value
        for name, value in merged.applied.items()
        if name not in OWN_FIELDS and name not in SAID_ONCE
    }
    return None


def _check_fields(step: Step, wanted: Mapping[str, Any]) -> Outcome | None:
    """Refuse fields that are the order's own and not to be set, or cannot be read."""
    wrong = {
        name
        for name, value in wanted.items()
        if name not in OWN_FIELDS | SAID_ONCE
        and (name in WorkOrder.__slots__ or len(name) > 60 or len(repr(value)) > 4000)
    }
    own = {name: value for name, value in wanted.items() if name in OWN_FIELDS}
    try:
        OwnFields.model_validate(own)
    except ValidationError as error:
        wrong |= {str(fault["loc"][0]) for fault in error.errors()}
    roles = step.actor.roles
    if not roles - {"crew"} or (step.actor.by_phone_for and step.action != "set"):
        wrong |= own.keys() - CREW_MAY_SET
    if wrong or len(wanted) > 60:
        return step.refuse(
            "illegal", "These fields cannot be set: %(fields)s.", fields=", ".join(sorted(wrong))
        )
    return None


def _check_needs(step: Step, transition: Transition | None) -> Outcome | None:
    assert transition is not None  # noqa: S101 - _check_legal has refused it
    checked = check_needs(transition, step.facts, step.operation.body, step.now)
    if checked.lacking:
        refused = step.refuse("missing", "Something is missing for this step.")
        return Outcome(**{**_slots(refused), "missing": checked.lacking})
    for name, value in checked.values.items():
        if name not in SAID_ONCE and name not in OWN_FIELDS and name not in step.conflicts:
            step.data[name] = value
    return None


def _check_crews(step: Step) -> Outcome | None:
    """Hold the crews that are to come, and refuse those that are at work elsewhere."""
    body, order = step.operation.body, step.order
    keys: dict[str, int | None] = {
        "crew_key": order.crew_key,
        "second_crew_key": order.second_crew_key,
    }
    named = {
        name: str(body[name]) for name in ("crew", "second_crew") if body.get(name) is not None
    }
    if step.action in {"assign", "transfer"}:
        keys = {"crew_key": None, "second_crew_key": None}
    elif step.action == "set":
        named.pop("crew", None)
    else:
        named = {}
    if not named and step.action != "resume":
        return None
    found: dict[str, CrewReference] = {}
    # Always in the same order, so that two dispatchers never wait for each other.
    for name, crew_id in sorted(named.items(), key=lambda item: item[1]):
        found[f"{name}_key"] = lock_crew(step.session, crew_id)
    keys |= {name: crew.key for name, crew in found.items()}
    step.values |= keys
    wanted = [key for key in keys.values() if key is not None]
    if len(wanted) != len(set(wanted)):
        return step.refuse("illegal", "The two crews have to be different.")
    busy = queries.fetch_busy(step.session, wanted, order.key) if wanted else None
    if busy is None:
        return None
    return step.refuse(
        "conflict",
        "%(crew)s is on %(other)s already, sent by %(by)s.",
        crew=busy.crew_name,
        other=busy.id,
        by=busy.data.get("assigned_by") or "?",
    )


def _carry_out(step: Step, transition: Transition | None) -> Outcome:
    assert transition is not None  # noqa: S101 - _check_legal has refused it
    order, session = step.order, step.session
    to_state = _next_state(order, transition)
    stage = step.process.stages[to_state]
    step.values |= _effects(step, to_state)
    version = order.version + 1
    changed = {**dict.fromkeys(step.values, True), **step.data}
    if step.values.keys() & {"crew_key", "second_crew_key"}:
        changed |= {"crew": True, "second_crew": True}
    queries.update_order(
        session,
        order.key,
        **step.values,
        state=to_state,
        state_since=step.at if to_state != order.state else order.state_since,
        is_open=stage.is_open,
        is_crew_busy=stage.is_crew_busy,
        data={**order.data, **step.data},
        version=version,
        changed_in={**order.changed_in, **dict.fromkeys(changed, version)},
    )
    after = find_order(session, order.id)
    _run_clocks(step, after)
    if to_state != order.state or order.crew_key != after.crew_key:
        _take_turn(session, after, step.process, step.at)
    _note_hand_over(step, after)
    _keep_dues(session, after)
    _tell_step(step, after)
    return Outcome(
        status="applied_with_conflict" if step.conflicts else "applied",
        version=version,
        state=to_state,
        conflicts=step.conflicts,
    )


def _next_state(order: WorkOrder, transition: Transition) -> str:
    if transition.to_state == SAME:
        return order.state
    if transition.to_state == BEFORE_HOLD:
        return order.held_from or "triaged"
    return transition.to_state


def _effects(step: Step, to_state: str) -> dict[str, Any]:
    """Give what a step changes of the order besides its state."""
    body, order = step.operation.body, step.order
    values: dict[str, Any] = {}
    if step.action in TIME_OF:
        values[TIME_OF[step.action]] = step.at
    if order.state == "on_hold" and to_state != "on_hold":
        values |= {"is_on_hold": False, "hold_reason": None, "resume_by": None, "held_from": None}
    match step.action:
        case "assign" | "transfer":
            values = dict.fromkeys(CREWS_TIMES + LATER_TIMES) | values
            values["triaged_at"] = order.triaged_at or step.at
            values["is_pinned"] = bool(body.get("pin_reason"))
            values["pin_reason"] = str(body.get("pin_reason") or "")[:500] or None
            step.data["assigned_by"] = step.actor.name
        case "decline" | "withdraw" | "reopen":
            values |= dict.fromkeys(CREWS_TIMES + LATER_TIMES)
            values |= {"crew_key": None, "second_crew_key": None}
            values |= {"is_pinned": False, "pin_reason": None}
        case "hold":
            resume_by = read_moment(body.get("resume_by"))
            values |= {"is_on_hold": True, "held_from": order.state, "resume_by": resume_by}
            values["hold_reason"] = step.reason
        case "send_back":
            first = LATER_TIMES if to_state == "working" else LATER_TIMES[1:]
            values |= dict.fromkeys(first)
    if step.action == "set" and order.is_on_hold and body.get("resume_by"):
        resume_by = read_moment(body["resume_by"])
        if resume_by is not None and resume_by > step.now:
            values["resume_by"] = resume_by
    return values


def _subject(order: WorkOrder) -> Subject:
    return Subject("work_order", order.key, order.id)


def _start_clocks(session: Session, order: WorkOrder, moment: str, at: dt.datetime) -> None:
    clocks.start_clocks(
        session,
        _subject(order),
        Criteria(
            work_kind=order.kind,
            severity=order.severity,
            diameter_mm=order.diameter_mm,
            area_class=order.area_class,
        ),
        starts_at=moment,
        at=at,
        # Whoever comes second was not promised for a time: the first has arrived by then.
        without=("arrive",) if order.after_order_key is not None else (),
    )


def _run_clocks(step: Step, after: WorkOrder) -> None:
    """Start, hold and stop the clocks as a step wants it."""
    session, before, subject, at = step.session, step.order, _subject(after), step.at
    if step.action == "hold" and after.resume_by is not None:
        clocks.hold_clocks(
            session, subject, from_at=at, until=after.resume_by, reason=after.hold_reason or ""
        )
    elif before.is_on_hold and not after.is_on_hold:
        clocks.end_hold(session, subject, at)
    elif before.is_on_hold and after.resume_by not in (None, before.resume_by):
        clocks.extend_hold(session, subject, after.resume_by)
    if step.action in CLOCKS_STOPPED:
        clocks.stop_clocks(session, subject, at=at, now=step.now, kinds=CLOCKS_STOPPED[step.action])
    if step.action in {"assign", "transfer"}:
        clocks.stop_clocks(session, subject, at=at, now=step.now, kinds=("accept",))
    if step.action in CLOCKS_STARTED:
        _start_clocks(session, after, CLOCKS_STARTED[step.action], at)
    if step.action == "send_back":
        kinds = ("repair", "stop_water", "restore") if after.state == "working" else ("restore",)
        clocks.continue_clocks(session, subject, kinds)
    if step.action == "reopen" and before.closed_at is not None:
        clocks.excuse(session, subject, before.closed_at, at, step.reason)
        clocks.continue_clocks(session, subject, ("stop_water", "repair", "restore", "close"))


def _keep_dues(session: Session, order: WorkOrder) -> None:
    """Keep with the order when its clocks are due."""
    dues = clocks.read_dues(session, _subject(order))
    arrive = dues.pop("arrive", None)
    dues.pop("accept", None)
    due = min(dues.values(), default=None)
    if (due, arrive) != (order.due_at, order.arrive_due_at):
        queries.update_order(session, order.key, due_at=due, arrive_due_at=arrive)


def _take_turn(session: Session, order: WorkOrder, process: Process, at: dt.datetime) -> None:
    """Note who has the order from now on, and whether it goes round in circles."""
    holder = process.stages[order.state].holder
    subject = _subject(order)
    if holder == "crew" and order.crew_id is not None:
        clocks.begin_turn(session, subject, at, "crew", order.crew_id, order.crew_name or "")
        _note_ping_pong(session, order, at)
    elif holder == "nobody":
        clocks.begin_turn(session, subject, at, "nobody", "", "")
    else:
        department = "dispatch" if holder == "crew" else holder
        clocks.begin_turn(session, subject, at, "department", department, department)


def _note_ping_pong(session: Session, order: WorkOrder, now: dt.datetime) -> None:
    """Raise a note if an order came back to a crew that had given it away, or was moved thrice."""
    crews: list[str] = []
    for turn in clocks.list_turns(session, _subject(order), now):
        if turn.holder_kind == "crew" and crews[-1:] != [turn.holder_id]:
            crews.append(turn.holder_id)
    body = {"crews": crews}
    if any(crews[at] == crews[at + 2] for at in range(len(crews) - 2)):
        clocks.raise_note(session, _subject(order), "ping_pong", body, now)
    if len(crews) > MOST_TRANSFERS:
        clocks.raise_note(session, _subject(order), "many_transfers", body, now)


def _note_hand_over(step: Step, after: WorkOrder) -> None:
    if step.action in HANDS_OVER:
        queries.insert_hand_over(
            step.session,
            order_key=after.key,
            action=step.action,
            crew_key=after.crew_key,
            person_id=step.actor.person_id,
            person_name=step.actor.by_phone_for or step.actor.name,
            at=step.at,
        )
    elif step.action == "send_back":
        queries.update_sent_back(
            step.session, after.key, at=step.at, by=step.actor.name, reason=step.reason
        )


def _face(order: WorkOrder) -> dict[str, Any]:
    """Give what a screen needs to patch its row of this order."""
    return {
        "id": order.id,
        "state": order.state,
        "version": order.version,
        "crew": order.crew_id,
        "incident": order.incident_id,
    }


def _tell_step(step: Step, after: WorkOrder) -> None:
    said = {
        name: step.operation.body[name]
        for name in ("reason", "text", "resume_by", "pin_reason")
        if step.operation.body.get(name)
    }
    own = {name: after_value(after, name) for name in step.values if name in OWN_FIELDS}
    body = {"from": step.order.state, **said, "changed": {**own, **step.data}}
    if step.order.crew_id != after.crew_id:
        body["crew_before"] = step.order.crew_id
    if step.conflicts:
        body["conflicts"] = step.conflicts
    name = EVENT_OF.get(step.action, step.action)
    _tell(step.session, after, name, step.actor, step.now, body, step.operation)


def after_value(order: WorkOrder, name: str) -> Any:  # noqa: ANN401 - any field
    """Give a field as JSON takes it."""
    value = getattr(order, name)
    if isinstance(value, dt.datetime):
        return value.isoformat()
    return list(value) if isinstance(value, tuple) else value


def _tell(
    session: Session,
    order: WorkOrder,
    verb: str,
    actor: Actor,
    now: dt.datetime,
    body: Mapping[str, Any],
    operation: Operation | None = None,
) -> None:
    append_event(
        session,
        f"work_order.{verb}",
        ("work_order", order.key),
        by=actor,
        now=now,
        occurred_at=operation.occurred_at if operation is not None else None,
        op_id=operation.op_id if operation is not None else None,
        body={**_face(order), **body},
    )


def count_first_time_right(
    session: Session, since: dt.datetime, until: dt.datetime
) -> list[FirstTimeRight]:
    """Count for each sender what was handed over, and what of it came back."""
    return queries.fetch_first_time_right(session, since, until)


def _keep_incident_open(session: Session, event: Event) -> None:
    """Refuse to close an incident while work on it is open."""
    still = queries.lock_open_of_incident(session, event.subject_key)
    if still:
        raise ConflictError(
            "These work orders are still open: %(orders)s.", orders=", ".join(still)
        )


def _follow_calendar(session: Session, event: Event) -> None:  # noqa: ARG001 - a handler's form
    queries.update_all_dues(session)


HANDLERS = {
    "incident.closing": _keep_incident_open,
    "clock.calendar_changed": _follow_calendar,
}
