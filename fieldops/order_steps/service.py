"""A step of an order: who may take it, what of it applies, and what it needs."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from fieldops.crews.service import crews_of_person, lock_crew
from fieldops.events.service import Actor, Operation, Outcome, append_event, merge_fields
from fieldops.order_book import queries
from fieldops.order_book.queries import WorkOrder
from fieldops.order_book.service import crews_that_had, face_of
from fieldops.order_process.service import BEFORE_HOLD, SAME, Process, Transition, check_needs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.orm import Session


BY_PHONE = frozenset({"dispatcher", "manager"})
"""Who may record a crew's steps for it, from a call."""


SENDS = frozenset({"assign", "transfer"})
"""Steps that name the crew that is to come."""

SAID_ONCE = frozenset({"crew", "second_crew", "reason", "resume_by", "text", "pin_reason"})
"""What belongs to a step and not to the order's papers."""


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
    release_at: AwareDatetime = Field(
        default=dt.datetime(2000, 1, 1, tzinfo=dt.UTC),
        ge=dt.datetime(2000, 1, 1, tzinfo=dt.UTC),
        le=dt.datetime(2200, 1, 1, tzinfo=dt.UTC),
    )
    is_pinned: bool = False


OWN_FIELDS = frozenset(OwnFields.model_fields)


CREW_MAY_SET = frozenset({"needs_excavation", "expected_work_min"})


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


def check_person(step: Step, transition: Transition | None) -> Outcome | None:
    """Refuse those who may not; a crew that had the order is heard, as a fact."""
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
    crews = crews_that_had(step.session, step.order, person_id)
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
            **face_of(step.order),
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


def _slots(outcome: Outcome) -> dict[str, Any]:
    return {name: getattr(outcome, name) for name in Outcome.__slots__}


def check_legal(step: Step, transition: Transition | None) -> Outcome | None:
    """Refuse what the order's state, its predecessor or another dispatcher does not allow."""
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


def merge(step: Step) -> Outcome | None:
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


def check_needs_of(step: Step, transition: Transition | None) -> Outcome | None:
    """Refuse a step that lacks something, and list all that it lacks."""
    assert transition is not None  # noqa: S101 - check_legal has refused it
    checked = check_needs(transition, step.facts, step.operation.body, step.now)
    if checked.lacking:
        refused = step.refuse("missing", "Something is missing for this step.")
        return Outcome(**{**_slots(refused), "missing": checked.lacking})
    for name, value in checked.values.items():
        if name not in SAID_ONCE and name not in OWN_FIELDS and name not in step.conflicts:
            step.data[name] = value
    return None


def next_state(order: WorkOrder, transition: Transition) -> str:
    """Give the state to which a step leads."""
    if transition.to_state == SAME:
        return order.state
    if transition.to_state == BEFORE_HOLD:
        return order.held_from or "triaged"
    return transition.to_state


def check_crews(step: Step, transition: Transition | None) -> Outcome | None:
    """Hold the crews that are to be at work by this step, and refuse those that are elsewhere."""
    assert transition is not None  # noqa: S101 - check_legal has refused it
    order = step.order
    is_busy_then = step.process.stages[next_state(order, transition)].is_crew_busy
    named = _name_crews(step, is_called_back=is_busy_then and not order.is_crew_busy)
    if not named:
        return None
    # Always in the same order, so that two dispatchers never wait for each other.
    found = {
        f"{name}_key": lock_crew(step.session, crew_id).key
        for name, crew_id in sorted(named.items(), key=lambda item: item[1])
    }
    keys = {"crew_key": order.crew_key, "second_crew_key": order.second_crew_key}
    if step.action in SENDS:
        keys = {"crew_key": None, "second_crew_key": None}
    keys |= found
    if step.action in SENDS or step.action == "set":
        step.values |= keys
    wanted = [key for key in keys.values() if key is not None]
    if len(wanted) != len(set(wanted)):
        return step.refuse("illegal", "The two crews have to be different.")
    busy = queries.fetch_busy(step.session, wanted, order.key) if is_busy_then else None
    if busy is None:
        return None
    return step.refuse(
        "conflict",
        "%(crew)s is on %(other)s already, sent by %(by)s.",
        crew=busy.crew_name,
        other=busy.id,
        by=busy.data.get("assigned_by") or "?",
    )


def _name_crews(step: Step, *, is_called_back: bool) -> dict[str, str]:
    """Name the crews that a step sends, or calls back to an order that they had let go of."""
    body, order = step.operation.body, step.order
    if step.action in SENDS or step.action == "set":
        said = {"crew": body.get("crew"), "second_crew": body.get("second_crew")}
        if step.action == "set":
            said["crew"] = None
    elif is_called_back:
        said = {"crew": order.crew_id, "second_crew": order.second_crew_id}
    else:
        said = {}
    return {name: str(crew) for name, crew in said.items() if crew is not None}
