"""Work orders, led through their process by one door for pages, devices and rules."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fieldops.clocks import service as clocks
from fieldops.crews.service import crews_of_person
from fieldops.errors import NotFoundError
from fieldops.events.queries import fetch_events_of
from fieldops.events.service import Actor, Event, Operation, Outcome
from fieldops.order_book import queries
from fieldops.order_book.service import (
    Filter,
    FirstTimeRight,
    OrderDraft,
    WorkOrder,
    case_of,
    count_first_time_right,
    facts_of,
    find_order,
    find_visible_order,
    join_outage,
    keep_dues,
    list_late,
    list_notes,
    list_open,
    list_orders,
    list_own_jobs,
    open_order,
    set_effect,
    start_clocks,
    subject_of,
    sum_holders,
    take_turn,
    tell,
)
from fieldops.order_process.service import (
    Process,
    Transition,
    find_process,
    find_transition,
    fits,
    read_moment,
)
from fieldops.order_steps.service import (
    BY_PHONE,
    OWN_FIELDS,
    SENDS,
    Step,
    check_crews,
    check_incident,
    check_legal,
    check_needs_of,
    check_person,
    merge,
    next_state,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.orm import Session

    from fieldops.access import Person
    from fieldops.clocks.service import ClockView, Hold, Note, Turn

__all__ = [
    "Filter",
    "FirstTimeRight",
    "OrderDraft",
    "WorkOrder",
    "apply_operation",
    "count_first_time_right",
    "find_order",
    "find_visible_order",
    "join_outage",
    "list_late",
    "list_notes",
    "list_open",
    "list_orders",
    "list_own_jobs",
    "open_order",
    "set_effect",
    "sum_holders",
]

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
    "hand_over": "handed_over",
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
    "hand_over": "assigned_at",
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
    "hand_over": "assigned",
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


PROVEN = frozenset({"dig", "finish", "restore", "close"})
"""Steps whose evidence is of one time that the work was done."""


HANDS_OVER = frozenset({"triage", "finish", "restore", "verify"})


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
    subject = subject_of(order)
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
    keys = {crew.key for crew in crews_of_person(session, person.id)}
    own = bool(keys & {order.crew_key, order.second_crew_key})
    had = own or bool(keys & set(order.had_crew_keys))
    for action in process.actions:
        each = find_transition(process, order.state, action, facts)
        if each is None or (each.is_not_for_own_crew and had):
            continue
        is_direct = bool(roles & (each.may - {"crew"})) or (
            own and "crew" in roles and "crew" in each.may
        )
        is_by_phone = not is_direct and "crew" in each.may and bool(roles & BY_PHONE)
        if is_direct or is_by_phone:
            wanted = {
                need["field"]: need
                for need in each.needs
                if "field" in need and fits(need.get("when", {}), facts)
            }
            offers.append(StepOffer(each, is_by_phone, tuple(wanted.values())))
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
        at=_plausible(operation, order, now),
        process=process,
        facts=facts_of(order),
    )
    transition = find_transition(process, order.state, operation.action, step.facts)
    return (
        check_person(step, transition)
        or check_legal(step, transition)
        or merge(step, transition)
        or check_needs_of(step, transition)
        or check_crews(step, transition)
        or check_incident(step, transition)
        or _carry_out(step, transition)
    )


def _plausible(operation: Operation, order: WorkOrder, now: dt.datetime) -> dt.datetime:
    """
    Take a device's time only where it lies between the order's last step and now.

    Where its skew is known, what is off by less than the step allows is the nearest that can be.
    """
    claimed = operation.done_at
    since = max(order.state_since, order.assigned_at or order.state_since)
    if claimed is None:
        return now
    if operation.skew_s is not None:
        return min(max(claimed, since), now)
    return claimed if since <= claimed <= now else now


def _carry_out(step: Step, transition: Transition | None) -> Outcome:
    assert transition is not None  # noqa: S101 - check_legal has refused it
    order, session = step.order, step.session
    to_state = next_state(order, transition)
    stage = step.process.stages[to_state]
    step.values |= _effects(step, to_state)
    version = order.version + 1
    outdated = _outdated(step, to_state)
    crews = {name for name in ("crew", "second_crew") if f"{name}_key" in step.values}
    had = {step.values[f"{name}_key"] for name in crews} - {None}
    changed = {*step.values, *step.data, *outdated, *crews}
    queries.update_order(
        session,
        order.key,
        **step.values,
        state=to_state,
        state_since=step.at if to_state != order.state else order.state_since,
        is_open=stage.is_open,
        is_crew_busy=stage.is_crew_busy,
        had_crew_keys=sorted({*order.had_crew_keys, *had}),
        data={
            **{name: value for name, value in order.data.items() if name not in outdated},
            **step.data,
        },
        version=version,
        changed_in={**order.changed_in, **dict.fromkeys(changed, version)},
    )
    after = find_order(session, order.id)
    _run_clocks(step, after)
    if to_state != order.state or order.crew_key != after.crew_key:
        take_turn(session, after, step.process, step.at)
    _note_hand_over(step, after)
    keep_dues(session, after)
    _tell_step(step, after, outdated)
    return Outcome(
        status="applied_with_conflict" if step.conflicts else "applied",
        version=version,
        state=to_state,
        conflicts=step.conflicts,
    )


def _outdated(step: Step, to_state: str) -> frozenset[str]:
    """Name what was evidence of work that is to be done anew; the log keeps it."""
    match step.action, to_state:
        case "reopen", _:
            actions = PROVEN
        case "send_back", "working" | "work_done":
            actions = frozenset({"restore"})
        case _:
            return frozenset()
    names = {
        need["field"]
        for each in step.process.transitions
        if each.action in actions
        for need in each.needs
        if "field" in need
    }
    return frozenset(names & step.order.data.keys())


def _effects(step: Step, to_state: str) -> dict[str, Any]:
    """Give what a step changes of the order besides its state."""
    body, order = step.operation.body, step.order
    values: dict[str, Any] = {}
    if step.action in TIME_OF:
        values[TIME_OF[step.action]] = step.at
    if order.state == "on_hold" and to_state != "on_hold":
        values |= {"is_on_hold": False, "hold_reason": None, "resume_by": None, "held_from": None}
    match step.action:
        case "assign" | "transfer" | "hand_over":
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


def _run_clocks(step: Step, after: WorkOrder) -> None:
    """Start, hold and stop the clocks as a step wants it."""
    session, before, subject, at = step.session, step.order, subject_of(after), step.at
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
    if step.action in SENDS:
        clocks.stop_clocks(session, subject, at=at, now=step.now, kinds=("accept",))
    if step.action in CLOCKS_STARTED:
        start_clocks(session, after, CLOCKS_STARTED[step.action], at)
    if step.action == "send_back":
        kinds = ("repair", "stop_water", "restore") if after.state == "working" else ("restore",)
        clocks.continue_clocks(session, subject, kinds)
    if step.action == "reopen":
        # Whoever had arrived kept that promise; the others go on without the time in between.
        arrival = () if before.arrived_at is not None else ("arrive",)
        going_on = ("stop_water", "repair", "restore", "close", *arrival)
        clocks.continue_clocks(session, subject, going_on, paused_until=at)
    if after.is_open and step.values.keys() & {"severity", "area_class"}:
        clocks.renew_limits(session, subject, case_of(after))


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


def _tell_step(step: Step, after: WorkOrder, outdated: frozenset[str]) -> None:
    said = {
        name: step.operation.body[name]
        for name in ("reason", "text", "resume_by", "pin_reason", "photos")
        if step.operation.body.get(name)
    }
    own = {name: after_value(after, name) for name in step.values if name in OWN_FIELDS}
    body = {"from": step.order.state, **said, "changed": {**own, **step.data}}
    if outdated:
        body["outdated"] = sorted(outdated)
    if step.order.crew_id != after.crew_id:
        body["crew_before"] = step.order.crew_id
    if step.conflicts:
        body["conflicts"] = step.conflicts
    name = EVENT_OF.get(step.action, step.action)
    tell(step.session, after, name, step.actor, step.now, body, step.operation)


def after_value(order: WorkOrder, name: str) -> Any:  # noqa: ANN401 - any field
    """Give a field as JSON takes it."""
    value = getattr(order, name)
    if isinstance(value, dt.datetime):
        return value.isoformat()
    return list(value) if isinstance(value, tuple) else value
