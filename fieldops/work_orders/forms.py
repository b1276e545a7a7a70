"""What a request about an order may say, and how an order is told to machines."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from fieldops.errors import FieldopsError
from fieldops.events.service import Operation
from fieldops.language import TIMEZONE
from fieldops.order_process.service import read_moment
from fieldops.work_orders.service import Filter, WorkOrder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from werkzeug.datastructures import MultiDict

    from fieldops.clocks.service import ClockView, Turn
    from fieldops.order_process.service import Transition
    from fieldops.work_orders.service import StepOffer

Json = dict[str, Any]
LOCAL = ZoneInfo(TIMEZONE)
MOST_BYTES = 60_000
FILTERS = {"state": "states", "kind": "kinds", "severity": "severities"}


class StepBody(BaseModel):
    """A step: its fields beside who told it by phone, when it was, and the version seen."""

    model_config = ConfigDict(extra="allow")

    version: int | None = Field(default=None, ge=0, lt=2**63)
    base_version: int | None = Field(default=None, ge=0, lt=2**63)
    by_phone_for: str | None = Field(default=None, max_length=100)
    occurred_at: AwareDatetime | None = None


def read_step(order_id: str, action: str, body: object) -> tuple[Operation, str | None]:
    """
    Read a step, and who told it by phone.

    Raises
    ------
    FieldopsError
        If it is no object, or says something that cannot be.
    """
    try:
        step = StepBody.model_validate(body or {})
    except ValidationError as error:
        wrong = sorted({str(fault["loc"][0]) for fault in error.errors() if fault["loc"]})
        raise FieldopsError(
            "These fields are missing or wrong: %(fields)s.", fields=", ".join(wrong) or "{}"
        ) from error
    fields = dict(step.model_extra or {})
    is_timed = step.occurred_at is None or read_moment(step.occurred_at) is not None
    if not is_timed or not can_be_kept([order_id, action, step.by_phone_for, fields]):
        raise FieldopsError("The request cannot be understood.")
    operation = Operation(
        subject_kind="work_order",
        subject_id=order_id,
        action=action,
        body=fields,
        base_version=step.version if step.base_version is None else step.base_version,
        occurred_at=step.occurred_at,
    )
    return operation, (step.by_phone_for or "").strip() or None


def can_be_kept(value: object) -> bool:
    """Tell whether PostgreSQL can keep it: no NUL, no half of a letter, no number that is none."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, TypeError):
        return False
    return b"\\u0000" not in text and len(text) <= MOST_BYTES


def read_filter(args: MultiDict[str, str], now: dt.datetime) -> Filter:
    """
    Read which orders somebody wants to see.

    Raises
    ------
    FieldopsError
        If it says something that cannot be.
    """
    if not can_be_kept(args.to_dict(flat=False)):
        raise FieldopsError("The request cannot be understood.")
    wanted: Json = {
        field: tuple(each for each in args.getlist(name) if each) for name, field in FILTERS.items()
    }
    return Filter(
        **wanted,
        is_open={"closed": False, "all": None}.get(args.get("show", ""), True),
        is_overdue_at=now if args.get("show") == "overdue" else None,
        crew_id=args.get("crew") or None,
        incident_id=args.get("incident") or None,
        words=args.get("q", "").strip()[:100],
    )


def read_page_step(
    form: MultiDict[str, str], transition: Transition | None, photos: Mapping[str, str]
) -> Json:
    """Read a step from a page's form: times on the local clock, boxes, photos by their hash."""
    needs = transition.needs if transition is not None else ()
    body = {need["field"]: _read_need(form, need, photos) for need in needs if "field" in need}
    if transition is not None and transition.action == "set":
        body |= _read_corrections(form)
    for name in ("second_crew", "pin_reason", "version"):
        body[name] = form.get(name)
    if form.get("by_phone_for"):
        body["by_phone_for"] = form["by_phone_for"]
        body["occurred_at"] = read_local(form.get("occurred_at"))
    return {name: value for name, value in body.items() if value not in (None, "", [])}


def _read_need(
    form: MultiDict[str, str], need: Mapping[str, Any], photos: Mapping[str, str]
) -> object:
    name = need["field"]
    match need["kind"]:
        case "yes":
            return True if name in form else None
        case "all":
            return form.getlist(name)
        case "time" | "later":
            return read_local(form.get(name))
        case "photo":
            return photos.get(name)
        case _:
            return (form.get(name) or "").strip()


def _read_corrections(form: MultiDict[str, str]) -> Json:
    body: Json = {
        name: form[name].strip()
        for name in ("severity", "task", "address", "expected_work_min", "crews_needed")
        if form.get(name, "").strip()
    }
    if form.get("needs_excavation"):
        body["needs_excavation"] = form["needs_excavation"] == "yes"
    if form.get("resume_by"):
        body["resume_by"] = read_local(form["resume_by"])
    return body


def read_local(text: str | None) -> str | None:
    """Read a moment of a form, which names no zone, on the local clock."""
    if not text:
        return None
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        return text
    return (moment if moment.tzinfo else moment.replace(tzinfo=LOCAL)).isoformat()


def order_as_json(order: WorkOrder) -> Json:
    """Tell an order to a machine: by ids, with times in UTC."""
    shown = {
        name: value.astimezone(dt.UTC).isoformat() if isinstance(value, dt.datetime) else value
        for name in WorkOrder.__slots__
        if not name.endswith(("_key", "_keys")) and name != "changed_in"
        for value in [getattr(order, name)]
    }
    for name in ("incident", "crew", "second_crew", "pipe", "after_order"):
        shown[name] = shown.pop(f"{name}_id")
    return {**shown, "skills": list(order.skills), "data": dict(order.data)}


def clock_as_json(clock: ClockView) -> Json:
    """Tell a clock to a machine."""
    return {
        "kind": clock.kind,
        "is_external": clock.is_external,
        "limit_s": clock.limit_s,
        "started_at": clock.started_at.isoformat(),
        "stopped_at": clock.stopped_at and clock.stopped_at.isoformat(),
        "due_at": clock.due_at and clock.due_at.isoformat(),
        "elapsed_s": clock.elapsed_s,
        "escalated_percent": clock.escalated_percent,
        "source": clock.source,
    }


def turn_as_json(turn: Turn) -> Json:
    """Tell a turn to a machine."""
    return {
        "holder_kind": turn.holder_kind,
        "holder": turn.holder_id,
        "name": turn.holder_name,
        "started_at": turn.started_at.isoformat(),
        "ended_at": None if turn.is_last else turn.ended_at.isoformat(),
        "minutes": turn.minutes,
    }


def offer_as_json(offer: StepOffer) -> Json:
    """Tell a machine what may be done, and what it needs."""
    return {
        "action": offer.transition.action,
        "to": offer.transition.to_state,
        "is_by_phone": offer.is_by_phone,
        "needs": [dict(need) for need in offer.needs],
    }
