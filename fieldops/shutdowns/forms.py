"""What people ask of planned shutdowns, and how it is shown."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Annotated, Any, TypeVar
from zoneinfo import ZoneInfo

from flask_babel import lazy_gettext as _l
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fieldops.errors import FieldopsError
from fieldops.language import TIMEZONE
from fieldops.outages.service import Question

if TYPE_CHECKING:
    from werkzeug.datastructures import MultiDict

    from fieldops.shutdowns.queries import PlannedShutdown
    from fieldops.shutdowns.service import Slot, Slots

ZONE = ZoneInfo(TIMEZONE)
Body = TypeVar("Body", bound=BaseModel)
Text = Annotated[str, Field(min_length=1, max_length=500)]
PARTING = re.compile(r"[\s,;\uff0c\u3001\uff1b]+")
"""Blanks, commas and their Chinese sisters."""

STATUS_NAMES = {
    "requested": _l("Requested"),
    "approved": _l("Approved"),
    "opened": _l("Under way"),
    "done": _l("Done"),
    "cancelled": _l("Cancelled"),
}
WEEKDAYS = {
    1: _l("Mon"),
    2: _l("Tue"),
    3: _l("Wed"),
    4: _l("Thu"),
    5: _l("Fri"),
    6: _l("Sat"),
    7: _l("Sun"),
}


class ShutdownRequest(BaseModel):
    """A request for the water to be shut off."""

    model_config = ConfigDict(extra="forbid")

    pipes: list[Annotated[str, Field(min_length=1)]] = []
    valves: list[Annotated[str, Field(min_length=1)]] = []
    reason: Text
    work_min: int

    def question(self) -> Question:
        """Give what is to be isolated."""
        return Question(pipes=[(pipe, None) for pipe in self.pipes], valves=self.valves)


class Approval(BaseModel):
    """The slot and the number of its approval."""

    model_config = ConfigDict(extra="forbid")

    starts_at: dt.datetime
    approval_no: Text


def read_request(body: object) -> ShutdownRequest:
    """
    Read a request as JSON has it.

    Raises
    ------
    FieldopsError
        If something is missing or is not what it should be.
    """
    return _read(ShutdownRequest, body)


def read_request_of_page(form: MultiDict[str, str]) -> ShutdownRequest:
    """
    Read a request as the page sends it: ids parted by commas or spaces, hours as a number.

    Raises
    ------
    FieldopsError
        As `read_request`.
    """
    hours = form.get("hours", "")
    try:
        work_min = round(float(hours) * 60)
    except (ValueError, OverflowError) as error:
        raise FieldopsError("%(text)r hours is no number.", text=hours) from error
    ids = {
        name: [one for one in PARTING.split(form.get(name, "")) if one]
        for name in ("pipes", "valves")
    }
    return read_request({**ids, "reason": form.get("reason", ""), "work_min": work_min})


def read_approval(body: object) -> Approval:
    """
    Read an approval; a time without an offset is on the local clock.

    Raises
    ------
    FieldopsError
        As `read_request`.
    """
    approval = _read(Approval, body)
    return approval.model_copy(update={"starts_at": localise(approval.starts_at)})


def read_span(args: MultiDict[str, str], now: dt.datetime) -> tuple[dt.datetime, dt.datetime]:
    """
    Read between which times to search; by default the coming fortnight.

    Raises
    ------
    FieldopsError
        If a time cannot be read.
    """
    begin = _read_moment(args.get("from")) or now
    return begin, _read_moment(args.get("until")) or begin + dt.timedelta(days=14)


def _read_moment(text: str | None) -> dt.datetime | None:
    if not text:
        return None
    try:
        return localise(dt.datetime.fromisoformat(text))
    except ValueError as error:
        raise FieldopsError("%(text)r is no time.", text=text) from error


def localise(moment: dt.datetime) -> dt.datetime:
    """Take a time without an offset as one on the local clock."""
    return moment if moment.tzinfo else moment.replace(tzinfo=ZONE)


def read_blackout(form: MultiDict[str, str]) -> dict[str, Any]:
    """
    Read blackout hours as the page sends them.

    Raises
    ------
    FieldopsError
        If a time cannot be read.
    """
    try:
        return {
            "customer": form.get("customer", ""),
            "weekdays": [int(day) for day in form.getlist("weekday")],
            "from_time": dt.time.fromisoformat(form.get("from_time", "")),
            "until_time": dt.time.fromisoformat(form.get("until_time", "")),
            "reason": form.get("reason", ""),
        }
    except ValueError as error:
        raise FieldopsError("Give both times as hours and minutes, as in 07:30.") from error


def _read(kind: type[Body], body: object) -> Body:
    try:
        return kind.model_validate(body)
    except ValidationError as error:
        first = error.errors()[0]
        raise FieldopsError(
            "%(field)s: %(reason)s",
            field=".".join(str(part) for part in first["loc"]) or "body",
            reason=first["msg"],
        ) from error


def shutdown_as_json(shutdown: PlannedShutdown) -> dict[str, Any]:
    """Write a shutdown for machines."""
    return {
        "id": shutdown.id,
        "status": shutdown.status,
        "reason": shutdown.reason,
        "isolates": dict(shutdown.question),
        "work_min": shutdown.work_min,
        "starts_at": shutdown.starts_at and shutdown.starts_at.isoformat(),
        "ends_at": shutdown.ends_at and shutdown.ends_at.isoformat(),
        "approval_no": shutdown.approval_no,
        "approved_by": shutdown.approved_by,
        "properties_out": shutdown.properties_out,
        "critical_out": shutdown.critical_out,
        "requested_at": shutdown.requested_at.isoformat(),
        "requested_by": shutdown.requested_by,
        "version": shutdown.version,
    }


def slots_as_json(slots: Slots) -> dict[str, Any]:
    """Write the best slots, and why others were refused."""
    return {
        "slots": [_slot(slot) for slot in slots.best],
        "tried": slots.tried,
        "refused": {"blackout": slots.refused_blackout, "no_crew": slots.refused_crews},
    }


def _slot(slot: Slot) -> dict[str, Any]:
    return {
        "starts_at": slot.starts_at.isoformat(),
        "ends_at": slot.ends_at.isoformat(),
        "harm_property_h": round(slot.harm_property_h, 1),
        "jointly_dry": slot.jointly_dry,
        "overlaps": list(slot.overlaps),
        "crews": slot.crews,
    }
