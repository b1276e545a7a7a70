"""What stages, steps and needs are called."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from flask_babel import format_datetime, gettext
from flask_babel import lazy_gettext as _l
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fieldops.commitments.forms import AREA_NAMES, CLOCK_NAMES, KIND_NAMES, SEVERITY_NAMES
from fieldops.errors import FieldopsError
from fieldops.order_process.service import NewStage, read_moment

__all__ = ["AREA_NAMES", "CLOCK_NAMES", "KIND_NAMES", "SEVERITY_NAMES"]

if TYPE_CHECKING:
    from collections.abc import Mapping

    from werkzeug.datastructures import MultiDict

    from fieldops.events.service import Outcome
    from fieldops.order_process.service import Process, Transition

STATE_NAMES = {
    "new": _l("New"),
    "triaged": _l("Triaged"),
    "assigned": _l("Assigned"),
    "accepted": _l("Accepted"),
    "en_route": _l("En route"),
    "on_site": _l("On site"),
    "working": _l("Working"),
    "on_hold": _l("On hold"),
    "work_done": _l("Work done"),
    "restored": _l("Supply is restored"),
    "verified": _l("Verified"),
    "closed": _l("Resolved"),
    "cancelled": _l("Void"),
}
FIELD_NAMES = {
    "crew": _l("Crew"),
    "second_crew": _l("Second crew"),
    "reason": _l("Reason"),
    "resume_by": _l("Resume by"),
    "text": _l("Note"),
    "safety_briefing": _l("Safety briefing held"),
    "oxygen_percent": _l("Oxygen in percent"),
    "explosive_percent_lel": _l("Explosive gas in percent LEL"),
    "hydrogen_sulphide_ppm": _l("Hydrogen sulphide, ppm"),
    "carbon_monoxide_ppm": _l("Carbon monoxide, ppm"),
    "ventilated": _l("Ventilated"),
    "second_person": _l("Second person at the opening"),
    "owners_asked": _l("Owners asked where their lines lie"),
    "road_permit": _l("Road-occupation permit"),
    "permit_later_reason": _l("Dig first, permit after: reason"),
    "permit_due_at": _l("Permit due by"),
    "cause": _l("Cause"),
    "repair": _l("What was repaired, and how"),
    "material": _l("Material used"),
    "photo_before_backfill": _l("Photo of the exposed repair, before backfill"),
    "photo_after": _l("Photo after backfill"),
    "result": _l("Result"),
    "supply_back_at": _l("Supply back at"),
    "flushed": _l("Flushed"),
    "sample_point": _l("Sampling point"),
    "turbidity_ntu": _l("Turbidity, NTU"),
    "chlorine_mg_l": _l("Residual chlorine, mg/L"),
    "work_report": _l("Work report"),
    "arrival_distance_m": _l("Distance to the job on arrival, metres"),
    "arrival_accuracy_m": _l("Accuracy of that position, metres"),
    "parts": _l("Parts built in"),
    "photos": _l("Photos"),
    "open_work": _l("What is open"),
    "handed_over_to": _l("Handed over to"),
    "valves_shut": _l("Valves shut"),
    "tags": _l("Tags hanging"),
    "pin_reason": _l("Reason for the pin"),
    "needs_excavation": _l("Excavation needed"),
    "severity": _l("Severity"),
    "task": _l("Task"),
    "address": _l("Address"),
    "expected_work_min": _l("Expected work, minutes"),
    "crews_needed": _l("Crews needed"),
    "skills": _l("Skills needed"),
    "area_class": _l("Area"),
    "lon": _l("Longitude"),
    "lat": _l("Latitude"),
    "weight_floor": _l("Least weight"),
    "release_at": _l("Not before"),
    "is_pinned": _l("Pinned"),
    "assigned_by": _l("Assigned by"),
}
CHOICE_NAMES = {
    "gas": _l("gas"),
    "power": _l("power"),
    "telecom": _l("telecom"),
    "fracture": _l("fracture"),
    "corrosion": _l("corrosion hole"),
    "joint_leak": _l("joint leak"),
    "seepage": _l("seepage"),
    "valve_fault": _l("valve fault"),
    "frost": _l("frost burst"),
    "third_party_damage": _l("third-party damage"),
    "water_hammer": _l("water hammer"),
    "overpressure": _l("overpressure"),
    "other": _l("other"),
}
ACTION_NAMES = {
    "triage": _l("Take in"),
    "assign": _l("Assign"),
    "accept": _l("Accept"),
    "decline": _l("Decline"),
    "withdraw": _l("Take back from the crew"),
    "depart": _l("Depart"),
    "arrive": _l("Arrive"),
    "start": _l("Start work"),
    "enter_chamber": _l("Enter a chamber"),
    "dig": _l("Dig"),
    "hold": _l("Put on hold"),
    "resume": _l("Resume"),
    "finish": _l("Work done"),
    "restore": _l("Supply is back"),
    "verify": _l("Verify"),
    "close": _l("Close the order"),
    "send_back": _l("Send back"),
    "transfer": _l("Transfer"),
    "hand_over": _l("Hand over at shift end"),
    "cancel": _l("Void the order"),
    "reopen": _l("Reopen"),
    "set": _l("Correct"),
    "note": _l("Note"),
}
EVENT_NAMES = {
    "opened": _l("Opened"),
    "triaged": _l("Taken in"),
    "assigned": _l("Was assigned"),
    "accepted": _l("Was accepted"),
    "declined": _l("Was declined"),
    "withdrawn": _l("Taken back from the crew"),
    "departed": _l("Departed"),
    "arrived": _l("Arrived"),
    "started": _l("Work started"),
    "chamber_entered": _l("Chamber entered"),
    "dug": _l("Digging began"),
    "held": _l("Was put on hold"),
    "resumed": _l("Resumed"),
    "finished": _l("Work was done"),
    "restored": _l("Supply came back"),
    "verified": _l("Was verified"),
    "closed": _l("Was closed"),
    "sent_back": _l("Sent back"),
    "transferred": _l("Transferred"),
    "handed_over": _l("Was handed over at shift end"),
    "cancelled": _l("Was cancelled"),
    "reopened": _l("Reopened"),
    "changed": _l("Corrected"),
    "noted": _l("Noted"),
    "effect_changed": _l("Customers without water changed"),
    "phone_asked": _l("no answer: to be telephoned"),
    "escalated": _l("Escalated"),
    "noted_by_supervision": _l("Noted by supervision"),
    "late_fact": _l("Fact that came late"),
    "late_fact_read": _l("Fact was read"),
    "imported": _l("Read in from a rescue file"),
}
HOLDER_NAMES = {
    "crew": _l("Crew"),
    "dispatch": _l("Dispatch"),
    "service": _l("Service desk"),
    "supervision": _l("Supervision"),
    "nobody": _l("Nobody"),
}
NEED_KIND_NAMES = {
    "text": _l("words"),
    "yes": _l("must be ticked"),
    "number": _l("number"),
    "choice": _l("one of"),
    "all": _l("all of"),
    "time": _l("time"),
    "photo": _l("photo"),
}


def name_state(state: str | None, process: Process | None = None) -> str:
    """Say a state in the reader's language, or as a manager named it."""
    stage = process.stages.get(state or "") if process is not None else None
    if stage is not None and stage.title:
        return stage.title
    return str(STATE_NAMES.get(state or "", state or "-"))


def name_action(action: str, transition: Transition | None = None) -> str:
    """Say a step in the reader's language, or as a manager named it."""
    if transition is not None and transition.title:
        return transition.title
    return str(ACTION_NAMES.get(action, action))


def name_event(kind: str) -> str:
    """Say what happened, in the reader's language."""
    verb = kind.rpartition(".")[2]
    return str(EVENT_NAMES.get(verb, ACTION_NAMES.get(verb, verb)))


def name_field(name: str, process: Process | None = None) -> str:
    """Say a field in the reader's language, or as a manager named it."""
    if name in FIELD_NAMES:
        return str(FIELD_NAMES[name])
    for transition in process.transitions if process is not None else ():
        for need in transition.needs:
            if need.get("field") == name and need.get("label"):
                return str(need["label"])
    return name


def name_choice(choice: object) -> str:
    """Say one of a need's choices; a manager's own is said as it is."""
    return str(CHOICE_NAMES.get(str(choice), choice))


TIME_FIELDS = frozenset({"permit_due_at", "supply_back_at", "resume_by", "release_at"})
KNOWN_WHEN_EMPTY = frozenset({"valves_shut", "tags"})
"""Lists that are sent whole, where they are known: none in them is none there."""


def say_value(name: str, value: object, process: Process | None = None) -> str:
    """Say what stands in a field of an order; a moment by the clock of the place."""
    if value is True or value is False:
        return str(gettext("yes") if value else gettext("no"))
    if value in (None, "", [], {}):
        is_none = value == [] and name in KNOWN_WHEN_EMPTY
        return str(gettext("none") if is_none else gettext("not told yet"))
    if isinstance(value, list):
        return ", ".join(_say_one(one) for one in value)
    moment = read_moment(value) if name in TIME_FIELDS | _own_times(process) else None
    return format_datetime(moment, "yyyy-MM-dd HH:mm") if moment else name_choice(value)


def _say_one(one: object) -> str:
    if isinstance(one, dict):
        return f"{one['name']} \N{MULTIPLICATION SIGN} {round(one['quantity'], 2)}"
    return name_choice(one)


def _own_times(process: Process | None) -> set[str]:
    """Name the moments that a manager has put among the needs."""
    return {
        need["field"]
        for transition in (process.transitions if process is not None else ())
        for need in transition.needs
        if need["kind"] in {"time", "later"}
    }


def say_message(message: str, params: Mapping[str, Any], process: Process | None = None) -> str:
    """Say a message, with the states and steps in it in the reader's language."""
    said = dict(params)
    if "state" in said:
        said["state"] = name_state(str(said["state"]), process)
    if "action" in said:
        said["action"] = name_action(str(said["action"]))
    return str(gettext(message, **said))


def say_outcome(outcome: Outcome, process: Process | None = None) -> str:
    """Say why a step was refused, with states, steps and fields in the reader's language."""
    text = say_message(outcome.message, outcome.params, process)
    if outcome.missing:
        text += " " + ", ".join(name_field(name, process) for name in outcome.missing)
    return text


def say_conflicts(conflicts: Mapping[str, Any], process: Process | None = None) -> list[str]:
    """Say what somebody else had changed meanwhile, with both values."""
    return [
        gettext(
            "%(field)s was changed meanwhile to %(theirs)s; you wanted %(mine)s.",
            field=name_field(name, process),
            theirs=say_value(name, both["theirs"], process),
            mine=say_value(name, both["mine"], process),
        )
        for name, both in conflicts.items()
    ]


HOLDERS = ("crew", "dispatch", "service", "supervision")
MAY = ("crew", "dispatcher", "planner", "service_agent", "manager")


class PlaceForm(BaseModel):
    """Which step of which version."""

    version: int = Field(ge=1, lt=2**63)
    step: int = Field(ge=1, lt=2**63)


class NeedForm(BaseModel):
    """Something that a step is to need."""

    model_config = ConfigDict(str_strip_whitespace=True)

    label: str = Field(min_length=1, max_length=100)
    kind: Literal["text", "yes", "number", "choice", "all", "time", "photo"]
    choices: str = Field(default="", max_length=1000)
    least: float | None = Field(default=None, allow_inf_nan=False)
    most: float | None = Field(default=None, allow_inf_nan=False)
    is_fresh: bool = False
    for_kind: str = ""


class BoundsForm(BaseModel):
    """Other bounds for a number."""

    field: str = Field(min_length=1, max_length=60)
    least: float | None = Field(default=None, allow_inf_nan=False)
    most: float | None = Field(default=None, allow_inf_nan=False)


class StageForm(BaseModel):
    """A stage that is to stand before a step."""

    model_config = ConfigDict(str_strip_whitespace=True)

    title: str = Field(min_length=1, max_length=60)
    step_title: str = Field(min_length=1, max_length=60)
    holder: Literal["crew", "dispatch", "service", "supervision"]
    may: list[Literal["crew", "dispatcher", "planner", "service_agent", "manager"]] = Field(
        min_length=1
    )


Form = TypeVar("Form", bound=BaseModel)


def _read(kind: type[Form], values: Mapping[str, Any]) -> Form:
    try:
        return kind.model_validate({name: value for name, value in values.items() if value != ""})
    except ValidationError as error:
        wrong = sorted({str(fault["loc"][0]) for fault in error.errors() if fault["loc"]})
        raise FieldopsError(
            "These fields are missing or wrong: %(fields)s.", fields=", ".join(wrong)
        ) from error


def read_place(form: MultiDict[str, str]) -> tuple[int, int]:
    """
    Read which step of which version is to change.

    Raises
    ------
    FieldopsError
        If a number is missing.
    """
    place = _read(PlaceForm, form.to_dict())
    return place.version, place.step


def read_need(form: MultiDict[str, str]) -> dict[str, Any]:
    """
    Read a need; its field is named after its label, so that the same is asked for once.

    Raises
    ------
    FieldopsError
        If something is missing or wrong.
    """
    read = _read(NeedForm, form.to_dict())
    digest = hashlib.sha256(read.label.encode()).hexdigest()[:8]
    need: dict[str, Any] = {"field": f"own_{digest}", "kind": read.kind, "label": read.label}
    if read.kind in {"choice", "all"}:
        need["choices"] = [part.strip() for part in read.choices.split(",") if part.strip()]
    if read.kind == "number":
        need |= {
            name: value
            for name, value in (("min", read.least), ("max", read.most))
            if value is not None
        }
    if read.is_fresh:
        need["is_fresh"] = True
    if read.for_kind in KIND_NAMES:
        need["when"] = {"kind": [read.for_kind]}
    return need


def read_bounds(form: MultiDict[str, str]) -> tuple[str, tuple[float | None, float | None]]:
    """
    Read other bounds for a number.

    Raises
    ------
    FieldopsError
        If something is missing or wrong.
    """
    read = _read(BoundsForm, form.to_dict())
    return read.field, (read.least, read.most)


def read_stage(form: MultiDict[str, str], key: int) -> NewStage:
    """
    Read a stage.

    Raises
    ------
    FieldopsError
        If something is missing or wrong.
    """
    read = _read(StageForm, {**form.to_dict(), "may": form.getlist("may")})
    return NewStage(
        title=read.title,
        step_title=read.step_title,
        before_key=key,
        holder=read.holder,
        may=frozenset(read.may),
    )
