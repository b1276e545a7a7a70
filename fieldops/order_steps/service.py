"""A step of an order: who may take it, what of it applies, and what it needs."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)

from fieldops.crews.service import crews_of_person, lock_crew
from fieldops.errors import ConflictError
from fieldops.events.service import Actor, Operation, Outcome, append_event, merge_fields
from fieldops.incidents.service import find_incident, reopen_incident
from fieldops.order_book import queries
from fieldops.order_book.queries import WorkOrder
from fieldops.order_book.service import crews_that_had, face_of
from fieldops.order_process.service import (
    BEFORE_HOLD,
    SAME,
    Process,
    Transition,
    check_needs,
    is_given,
    read_moment,
    read_policy,
)
from fieldops.photos.service import list_missing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.orm import Session

    from fieldops.crews.service import CrewReference


BY_PHONE = frozenset({"dispatcher", "manager"})
"""Who may record a crew's steps for it, from a call."""


SENDS = frozenset({"assign", "transfer", "hand_over"})
"""Steps that name the crew that is to come."""

SENDERS = frozenset({"dispatcher", "manager", "system"})
"""Who says which crews come, and how long an order may wait."""

OFFICE = SENDERS | {"service_agent"}

SAID_ONCE = frozenset(
    {"crew", "second_crew", "reason", "resume_by", "text", "pin_reason", "photos"}
)
"""What belongs to a step and not to the order's papers."""

RESERVED = frozenset({"assigned_by", "is_pinned"})
"""What the order keeps by itself: who gave it to its crew, and whether for a reason."""

SAID_AT_ANY_TIME = frozenset({"note", "set"})
"""What a crew tells is true of the order, whoever has it since."""


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

Sha256 = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]
Few = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]


class Part(BaseModel):
    """A part that was built in."""

    model_config = ConfigDict(extra="forbid")

    name: Few
    quantity: float = Field(gt=0, le=10_000, allow_inf_nan=False)


class ToldFields(BaseModel):
    """What a crew may tell with a step besides what the step needs."""

    model_config = ConfigDict(extra="allow")

    arrival_distance_m: float = Field(default=0, ge=0, le=1e8, allow_inf_nan=False)
    arrival_accuracy_m: float = Field(default=0, ge=0, le=1e8, allow_inf_nan=False)
    parts: list[Part] = Field(default_factory=list, max_length=40)
    photos: list[Sha256] = Field(default_factory=list, max_length=20)
    open_work: str = Field(default="", max_length=2000)
    handed_over_to: Few = "-"
    valves_shut: list[Few] = Field(default_factory=list, max_length=60)
    tags: list[Few] = Field(default_factory=list, max_length=60)


TOLD_WITH: Mapping[str, frozenset[str]] = {
    "arrive": frozenset({"arrival_distance_m", "arrival_accuracy_m"}),
    "finish": frozenset({"parts"}),
    "note": frozenset({"photos"}),
    "hand_over": frozenset({"handed_over_to", "valves_shut", "tags"}),
}
"""Which of them belong to which step."""

CREW_MAY_SET = frozenset({"needs_excavation", "expected_work_min", "crews_needed"})
"""What a crew knows better than whoever sends it; its steps may carry it, too."""


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
    may = transition.may if transition is not None else _may_at_all(step)
    refused = _check_role(step, transition, may, own=own)
    if refused is not None:
        is_late = "crew" in roles and not own and ("crew" in may or roles == {"crew"})
        return (_keep_own_late_fact(step) if is_late else None) or refused
    if "crew" not in may or step.action in SAID_AT_ANY_TIME:
        return None
    if own and "crew" in roles and _is_of_earlier_turn(step):
        return _keep_own_late_fact(step)
    return _check_phone(step) if step.actor.by_phone_for else None


def _check_role(
    step: Step, transition: Transition | None, may: frozenset[str], *, own: bool
) -> Outcome | None:
    roles = step.actor.roles
    if roles == {"crew"} and not own:
        return step.refuse("forbidden", "%(order)s is not an order of your crew.")
    if transition is not None and transition.is_not_for_own_crew and _has_had(step):
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


def _has_had(step: Step) -> bool:
    """Tell whether a crew of whoever asks has or had the order."""
    person_id = step.actor.person_id
    return person_id is not None and bool(crews_that_had(step.session, step.order, person_id))


def _is_of_earlier_turn(step: Step) -> bool:
    """Tell whether a crew did it before the order was given to it as it has it now."""
    done_at, base = step.operation.done_at, step.operation.base_version
    given_at = step.order.assigned_at
    return (
        done_at is not None
        and base is not None
        and given_at is not None
        and done_at < given_at
        and base < step.order.changed_in.get("crew", 0)
    )


def _check_phone(step: Step) -> Outcome | None:
    """Refuse a call from another crew than those of the order, as far as the caller is known."""
    said = str(step.actor.by_phone_for).strip()
    words = {said, *re.split(r"[\s,;/()\uff0c\u3001\uff1b\uff08\uff09]+", said)} - {""}
    named = queries.fetch_crews_named(step.session, words)
    order = step.order
    keys = {crew.key for crew in named}
    if not named or keys & {order.crew_key, order.second_crew_key}:
        return None
    had = [crew for crew in named if crew.key in order.had_crew_keys]
    if had:
        return _keep_late_fact(step, had)
    return step.refuse(
        "illegal", "%(name)s is not of the crew that has %(order)s.", name=step.actor.by_phone_for
    )


def _keep_own_late_fact(step: Step) -> Outcome | None:
    person_id = step.actor.person_id
    if person_id is None:
        return None
    crews = crews_that_had(step.session, step.order, person_id)
    return _keep_late_fact(step, crews) if crews else None


def _keep_late_fact(step: Step, crews: Sequence[CrewReference]) -> Outcome:
    """Keep what a crew did on an order that it had once, and show it to the dispatcher."""
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
    is_same = {crew.key for crew in crews} & {step.order.crew_key, step.order.second_crew_key}
    refused = step.refuse(
        "illegal",
        "%(order)s was given to %(crew)s anew meanwhile. What you sent is kept as a fact."
        if is_same
        else "%(order)s had gone to %(crew)s meanwhile. What you sent is kept as a fact.",
        crew=step.order.crew_name or "?",
    )
    return Outcome(**{**_slots(refused), "is_kept_as_fact": True})


def _slots(outcome: Outcome) -> dict[str, Any]:
    return {name: getattr(outcome, name) for name in Outcome.__slots__}


def check_legal(step: Step, transition: Transition | None) -> Outcome | None:
    """Refuse what the order's state, its predecessor or another dispatcher does not allow."""
    if (step.operation.base_version or 0) > step.order.version:
        return step.refuse(
            "illegal",
            "Nobody can have seen version %(seen)s of %(order)s: it is at version %(version)s.",
            seen=step.operation.base_version,
            version=step.order.version,
        )
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
    return _check_taken_back(step) or _check_pin(step)


def _check_taken_back(step: Step) -> Outcome | None:
    """Refuse to take away a crew that another has sent since."""
    seen = step.operation.base_version
    is_newer = seen is not None and step.order.changed_in.get("crew", 0) > seen
    if step.action != "withdraw" or not is_newer:
        return None
    return step.refuse(
        "conflict",
        "%(order)s was given to %(crew)s by %(by)s meanwhile.",
        crew=step.order.crew_name or "?",
        by=step.order.data.get("assigned_by") or "?",
    )


def _check_pin(step: Step) -> Outcome | None:
    """Refuse to send another crew than the one chosen for a reason, unless for a reason."""
    body, order = step.operation.body, step.order
    is_sent_again = step.action in SENDS and order.crew_id is not None
    has_reason = is_given(body.get("pin_reason")) or bool(step.reason)
    has_reason = has_reason or step.action == "hand_over"
    if not is_sent_again or not order.is_pinned or has_reason or body.get("crew") == order.crew_id:
        return None
    return step.refuse(
        "conflict",
        "%(crew)s is pinned to %(order)s: %(reason)s. Give a reason to change that.",
        crew=order.crew_name or "?",
        reason=order.pin_reason or "?",
    )


def merge(step: Step, transition: Transition | None) -> Outcome | None:
    """Sort the fields into those that apply and those that somebody else changed meanwhile."""
    assert transition is not None  # noqa: S101 - check_legal has refused it
    body = step.operation.body
    wanted = {name: value for name, value in body.items() if name not in SAID_ONCE}
    if step.action in SENDS or step.action == "set":
        wanted |= {name: body[name] for name in ("crew", "second_crew") if name in body}
    refused = _check_fields(step, transition, wanted)
    if refused is not None:
        return refused
    merged = merge_fields(
        step.facts,
        step.order.changed_in,
        step.operation.base_version,
        wanted,
        step.operation.own_versions,
    )
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


def _check_fields(step: Step, transition: Transition, wanted: Mapping[str, Any]) -> Outcome | None:
    """Refuse fields that are not of this step, not to be set, or cannot be read."""
    wrong = {
        name
        for name, value in wanted.items()
        if name not in OWN_FIELDS | SAID_ONCE
        and (name in WorkOrder.__slots__ or len(name) > 60 or len(repr(value)) > 4000)
    }
    wrong |= _not_of_step(step, transition, wanted) | _undone_digging(step, wanted)
    own = {name: value for name, value in wanted.items() if name in OWN_FIELDS}
    wrong |= _unreadable(OwnFields, own) | _unreadable(ToldFields, step.operation.body)
    if not step.actor.roles & OFFICE or (step.actor.by_phone_for and step.action != "set"):
        wrong |= own.keys() - CREW_MAY_SET
    if wrong or len(wanted) > 60:
        return step.refuse(
            "illegal", "These fields cannot be set: %(fields)s.", fields=", ".join(sorted(wrong))
        )
    return None


def _unreadable(kind: type[BaseModel], values: Mapping[str, Any]) -> set[str]:
    """Name the fields that are not what they have to be."""
    try:
        kind.model_validate(dict(values))
    except ValidationError as error:
        return {str(fault["loc"][0]) for fault in error.errors()}
    return set()


def _not_of_step(step: Step, transition: Transition, wanted: Mapping[str, Any]) -> set[str]:
    """Name what is none of a step's business: a note is no way around a correction."""
    wrong = wanted.keys() & RESERVED
    if step.action == "set":
        is_sender = bool(step.actor.roles & SENDERS)
        return wrong | (wanted.keys() & ({"crew"} if is_sender else {"crew", "second_crew"}))
    may_carry = SAID_ONCE | {need.get("field") for need in transition.needs}
    may_carry |= TOLD_WITH.get(step.action, frozenset())
    if "crew" in transition.may:
        may_carry |= CREW_MAY_SET
    if step.action == "triage":
        # Taking an order in is to say what it is.
        may_carry |= OWN_FIELDS
    return wrong | (wanted.keys() - may_carry)


def _undone_digging(step: Step, wanted: Mapping[str, Any]) -> set[str]:
    """Name what would do away with what digging has to be answered for with."""
    known = {**step.facts, **{name: value for name, value in wanted.items() if is_given(value)}}
    wrong = set()
    if wanted.get("needs_excavation") is False and is_given(step.facts.get("owners_asked")):
        wrong.add("needs_excavation")
    if (
        step.action == "set"
        and "permit_later_reason" in wanted
        and not is_given(wanted["permit_later_reason"])
        and is_given(step.facts.get("permit_later_reason"))
        and not is_given(known.get("road_permit"))
    ):
        wrong.add("permit_later_reason")
    return wrong


def check_needs_of(step: Step, transition: Transition | None) -> Outcome | None:
    """Refuse a step that lacks something, and list all that it lacks."""
    assert transition is not None  # noqa: S101 - check_legal has refused it
    ahead = dt.timedelta(seconds=max(0.0, step.operation.skew_s or 0.0))
    body = step.operation.body
    # What was still to come as it was said is past, perhaps, as a tablet is heard again.
    checked = check_needs(transition, step.facts, body, step.at, step.now + ahead)
    lacking = checked.lacking
    if step.action == "close":
        photos = _lost_photos(step, {**step.facts, **checked.values})
        lacking += tuple(name for name in photos if name not in lacking)
    if lacking:
        refused = step.refuse("missing", "Something is missing for this step.")
        return Outcome(**{**_slots(refused), "missing": lacking})
    for name, value in checked.values.items():
        if name not in SAID_ONCE and name not in OWN_FIELDS and name not in step.conflicts:
            step.data[name] = value
    if step.action == "dig":
        step.values["needs_excavation"] = True
    return _check_hold(step)


def _lost_photos(step: Step, known: Mapping[str, Any]) -> list[str]:
    """Name the photos that an order speaks of and that never came."""
    names = {
        need["field"]
        for each in step.process.transitions
        for need in each.needs
        if need["kind"] == "photo" and isinstance(known.get(need["field"]), str)
    }
    lost = set(list_missing(step.session, sorted({known[name].lower() for name in names})))
    return sorted(name for name in names if known[name].lower() in lost)


def _check_hold(step: Step) -> Outcome | None:
    """Refuse to whoever sends nobody to let an order wait for longer than the policy has it."""
    resume_by = read_moment(step.operation.body.get("resume_by"))
    is_hold = step.action == "hold" or (step.action == "set" and step.order.is_on_hold)
    if not is_hold or resume_by is None or step.actor.roles & SENDERS:
        return None
    most_h = read_policy(step.session)["crew_hold_most_h"]
    since = step.at if step.action == "hold" else step.order.state_since
    if resume_by <= since + dt.timedelta(hours=most_h):
        return None
    return step.refuse(
        "illegal",
        "A crew may hold an order for %(hours)s hours at most; for longer a dispatcher has to.",
        hours=round(most_h, 1),
    )


def check_incident(step: Step, transition: Transition | None) -> Outcome | None:
    """Open the incident again with its order, or refuse because that cannot be."""
    assert transition is not None  # noqa: S101 - check_legal has refused it
    order = step.order
    is_opened = step.process.stages[next_state(order, transition)].is_open and not order.is_open
    if not is_opened or order.incident_id is None:
        return None
    if find_incident(step.session, order.incident_id).is_open:
        return None
    try:
        reopen_incident(step.session, order.incident_id, step.actor, step.now)
    except ConflictError as error:
        return step.refuse("illegal", error.msgid, **error.params)
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
    if _takes_second_away(step):
        step.values["second_crew_key"] = None
    refused = _check_hand_over(step)
    if refused is not None:
        return refused
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
        # At shift end one crew goes home, and the other stays.
        second = order.second_crew_key if step.action == "hand_over" else None
        keys = {"crew_key": None, "second_crew_key": second}
    keys |= found
    if step.action in SENDS:
        step.values |= keys
    elif step.action == "set":
        step.values |= found
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


def _check_hand_over(step: Step) -> Outcome | None:
    """Refuse that a crew hands over what another one leads, or to itself."""
    order = step.order
    if step.action != "hand_over":
        return None
    if step.operation.body.get("crew") == order.crew_id:
        return step.refuse("illegal", "%(crew)s has %(order)s already.", crew=order.crew_name)
    person_id = step.actor.person_id
    keys = {crew.key for crew in crews_of_person(step.session, person_id)} if person_id else set()
    if "crew" in step.actor.roles and order.crew_key not in keys:
        return step.refuse(
            "illegal", "%(crew)s leads %(order)s and hands it over.", crew=order.crew_name
        )
    return None


def _takes_second_away(step: Step) -> bool:
    body = step.operation.body
    is_named = step.action == "set" and "second_crew" in body
    return is_named and "second_crew" not in step.conflicts and not is_given(body["second_crew"])


def _name_crews(step: Step, *, is_called_back: bool) -> dict[str, str]:
    """Name the crews that a step sends, or calls back to an order that they had let go of."""
    body, order = step.operation.body, step.order
    if step.action in SENDS or step.action == "set":
        said = {
            name: body[name]
            for name in (("crew",) if step.action == "hand_over" else ("crew", "second_crew"))
            if name not in step.conflicts and is_given(body.get(name))
        }
    elif is_called_back:
        both = {"crew": order.crew_id, "second_crew": order.second_crew_id}
        said = {name: crew for name, crew in both.items() if crew is not None}
    else:
        said = {}
    return {name: str(crew) for name, crew in said.items()}
